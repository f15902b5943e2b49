package syntax

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse feeds any text to the parser: it gives a tree that prints and parses to itself, or an
// *Error within the text.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n\n") {
			if _, query, ok := strings.Cut(part, "\n"); ok {
				query, _, _ = strings.Cut(query, "\n----")
				f.Add(query)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err == nil {
			mustRoundTrip(t, q)
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%q gives a %T", text, err)
		}
		if e.Offset > len(text) || e.Line < 1 || e.Column < 1 {
			t.Fatalf("%q gives an error outside of the text: %v", text, e)
		}
		if utf8.ValidString(text) {
			if line := strings.Count(text[:e.Offset], "\n") + 1; line != e.Line {
				t.Fatalf("%q: line %d for an error on line %d", text, e.Line, line)
			}
			before := text[strings.LastIndex(text[:e.Offset], "\n")+1 : e.Offset]
			if column := utf8.RuneCountInString(before) + 1; column != e.Column {
				t.Fatalf("%q: column %d for an error in column %d", text, e.Column, column)
			}
		}
		if !utf8.ValidString(e.Error()) {
			t.Fatalf("%q gives an error that is not text: %q", text, e.Error())
		}
	})
}
