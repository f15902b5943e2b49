package syntax

import (
	"os"
	"strings"
	"testing"
)

// TestGuide parses the examples of the language guide, and looks for its messages in the golden files.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for part := range strings.SplitSeq(string(guide), "```cairn\n") {
		query, _, ok := strings.Cut(part, "\n```")
		if !ok || examples == 0 && strings.HasPrefix(part, "#") {
			continue
		}
		examples++
		mustRoundTrip(t, mustParse(t, query))
	}
	if examples < 10 {
		t.Errorf("found %d examples", examples)
	}
	golden, err := os.ReadFile("testdata/golden/errors")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(guide)) {
		if message, ok := strings.CutPrefix(strings.TrimSpace(line), "line "); ok {
			_, message, _ = strings.Cut(message, ": ")
			if !strings.Contains(string(golden), message) {
				t.Errorf("no such message: %s", message)
			}
		}
	}
}
