package syntax

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestGolden runs the files in testdata. Their commands:
//
//	parse   the canonical text of a query, or its error
//	columns the columns behind the stages of a query
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			q, err := Parse(d.Input)
			if err != nil {
				return err.Error()
			}
			mustRoundTrip(t, q)
			switch d.Cmd {
			case "parse":
				return q.String()
			case "columns":
				names, open := ResultColumns(&q.Pipeline)
				if open {
					names = append([]string{"events"}, names...)
				}
				return strings.Join(names, "\n")
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// mustRoundTrip prints a query, parses the text, and compares trees and texts.
func mustRoundTrip(t interface{ Fatalf(string, ...any) }, q *Query) {
	text := q.String()
	again, err := Limits{TextBytes: 1 << 30, Depth: 1000}.parseTree(text)
	if err != nil {
		t.Fatalf("printed %q, which does not parse: %v", text, err)
	}
	if !Equal(q, again) {
		t.Fatalf("printed %q, which parses as %q", text, again)
	}
}
