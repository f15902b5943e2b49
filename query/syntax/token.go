package syntax

import (
	"fmt"
	"regexp"
	"time"
)

// tokenKind tells tokens apart. Operators and brackets are tokenMark, told apart by their text.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted // a name in backticks
	tokenString
	tokenInt
	tokenFloat
	tokenSpan // a number with a unit
	tokenDate // 2025-06-01, with a time of day or without
	tokenMark
	tokenBad // not a token: err tells why; the last one of its text
)

// token is one piece of the text.
type token struct {
	kind tokenKind
	pos  Pos
	end  int    // byte offset behind it
	raw  string // as written
	text string // word, mark, or the content of a string or quoted name
	// span holds the parts of a tokenSpan: 1h30m has two.
	span    []spanPart
	instant Instant // tokenDate
	err     *Error  // tokenBad
}

// spanPart is a decimal number with a unit.
type spanPart struct {
	number string
	unit   Unit
}

// is reports whether the token is that mark.
func (t *token) is(mark string) bool { return t.kind == tokenMark && t.text == mark }

// isWord reports whether the token is that word, not in backticks.
func (t *token) isWord(word string) bool { return t.kind == tokenWord && t.text == word }

// isName reports whether the token can be a name.
func (t *token) isName() bool { return t.kind == tokenWord || t.kind == tokenQuoted }

// describe shows the token in an error message.
func (t *token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the query"
	case tokenString:
		return "the string " + shorten(t.raw)
	case tokenQuoted:
		return shorten(t.raw)
	}
	return fmt.Sprintf("%q", shorten(t.raw))
}

// parseInstant reads a date, a local date-time or an RFC 3339 instant; a space may stand for the T.
func parseInstant(text string) (Instant, bool) {
	for _, layout := range instantLayouts {
		t, err := time.Parse(layout.text, text)
		if err == nil && t.Year() >= instantYearMin && t.Year() <= instantYearMax {
			return Instant{Kind: layout.kind, Wall: t.UTC()}, true
		}
	}
	return Instant{}, false
}

// Years whose instants fit into nanoseconds since 1970.
const (
	instantYearMin = 1678
	instantYearMax = 2261
)

// notDate says why parseInstant refused a text.
func notDate(pos Pos, shown, text string) *Error {
	e := Errorf(pos, "%s is not a date", shown)
	if len(text) >= 4 && isYear.MatchString(text) && (text[:4] < "1678" || text[:4] > "2261") {
		return e.WithHint("years go from %d to %d", instantYearMin, instantYearMax)
	}
	return e.WithHint("dates look like 2025-06-01, 2025-06-01T10:30 or 2025-06-01T10:30:00+08:00")
}

var isYear = regexp.MustCompile(`^[0-9]{4}-`)

// instantLayouts are those of time.Parse, which accepts a fraction of a second by itself.
var instantLayouts = []struct {
	kind InstantKind
	text string
}{
	{InstantDate, "2006-01-02"},
	{InstantLocal, "2006-01-02T15:04"},
	{InstantLocal, "2006-01-02T15:04:05"},
	{InstantLocal, "2006-01-02 15:04"},
	{InstantLocal, "2006-01-02 15:04:05"},
	{InstantExact, "2006-01-02T15:04Z07:00"},
	{InstantExact, "2006-01-02T15:04:05Z07:00"},
	{InstantExact, "2006-01-02 15:04Z07:00"},
	{InstantExact, "2006-01-02 15:04:05Z07:00"},
}
