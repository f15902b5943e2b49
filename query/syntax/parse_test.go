package syntax

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// mustParse parses a query that is known to be right.
func mustParse(t *testing.T, text string) *Query {
	t.Helper()
	q, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return q
}

func TestLimits(t *testing.T) {
	deep := "* | where " + strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200)
	for _, c := range []struct {
		name   string
		limits Limits
		text   string
		want   string // the message, or "" for no error
	}{
		{"depth", Limits{}, deep, "the query nests deeper than 100 levels"},
		{"depth raised", Limits{Depth: 201}, deep, ""},
		{"not", Limits{}, "* | where " + strings.Repeat("not ", 200) + "a", "the query nests deeper than 100 levels"},
		{"minus", Limits{}, "* | where " + strings.Repeat("-", 200) + "a", "the query nests deeper than 100 levels"},
		{"calls", Limits{}, "* | where " + strings.Repeat("abs(", 200) + "a", "the query nests deeper than 100 levels"},
		{"selectors", Limits{}, strings.Repeat("(", 200) + "a", "the query nests deeper than 100 levels"},
		{"did", Limits{}, "* | where " + strings.Repeat("did({", 200) + "a", "the query nests deeper than 100 levels"},
		{"text", Limits{}, "* | where a = \"" + strings.Repeat("x", 64<<10) + `"`, "the query has 65552 bytes, more than the 65536 allowed"},
		{"text raised", Limits{TextBytes: 1 << 20}, "* | where a = \"" + strings.Repeat("x", 64<<10) + `"`, ""},
		{"list", Limits{}, "* | where a in (1" + strings.Repeat(",1", 10_000) + ")", "the list has more than the 10000 entries allowed"},
		{"list full", Limits{}, "* | where a in (1" + strings.Repeat(",1", 9_999) + ")", ""},
		{"chain", Limits{}, "* | where a" + strings.Repeat(" or a", 10_000), ""},
		{"events", Limits{List: 3}, "a or b or c or d", "the selector has more than the 3 events allowed"},
		{"stages", Limits{}, "*" + strings.Repeat("|users", 101), "the query has more than the 100 stages allowed"},
		{"lets", Limits{Lets: 1}, "let a = *; let b = *; *", "the query has more than the 1 named results allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.limits.Parse(c.text)
			var e *Error
			switch {
			case err == nil && c.want == "":
			case !errors.As(err, &e) || e.Message != c.want:
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{&Error{Line: 2, Column: 14, Message: "m"}, "line 2, column 14: m"},
		{&Error{Line: 2, Column: 14, Message: "m", Hint: "h"}, "line 2, column 14: m (h)"},
		{&Error{Message: "m"}, "m"},
		{Errorf(Pos{3, 4, 20}, "%d", 7).WithNearest("cuont", []string{"count", "sum"}), `line 3, column 4: 7 (did you mean "count"?)`},
		{Errorf(Pos{3, 4, 20}, "x").WithNearest("zzz", []string{"count", "sum"}), "line 3, column 4: x"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"stats", "sort", "where", "extend", "limit", "os", "amount", "page"}
	for name, want := range map[string]string{
		"stat": "stats", "stast": "stats", "WHERE": "where", "wher": "where", "extnd": "extend", "extended": "extend",
		"lmit": "limit", "amt": "", "": "", "x": "", "so": "os", "paeg": "page", "amuont": "amount", "completely": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestPositions(t *testing.T) {
	q := mustParse(t, "日本{城市 = \"東京\"}\n  | stats sum(値) by bin(1d)")
	cond := q.Selector.Terms[0].Cond.(*Binary)
	if want := (Pos{1, 7, len("日本{城市 ")}); cond.Pos != want {
		t.Errorf("operator at %v, want %v", cond.Pos, want)
	}
	stats := q.Stages[0].(*Stats)
	if want := (Pos{2, 11, strings.Index("日本{城市 = \"東京\"}\n  | stats sum(", "sum")}); stats.Aggs[0].Expr.Position() != want {
		t.Errorf("aggregate at %v, want %v", stats.Aggs[0].Expr.Position(), want)
	}
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]Instant{
		"2025-06-01":                    {Kind: InstantDate, Wall: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)},
		"2025-06-01T10:30":              {Kind: InstantLocal, Wall: time.Date(2025, 6, 1, 10, 30, 0, 0, time.UTC)},
		`"2025-06-01 10:30:05"`:         {Kind: InstantLocal, Wall: time.Date(2025, 6, 1, 10, 30, 5, 0, time.UTC)},
		"2025-06-01T10:30:00Z":          {Kind: InstantExact, Wall: time.Date(2025, 6, 1, 10, 30, 0, 0, time.UTC)},
		"2025-06-01T10:30:00.5+08:00":   {Kind: InstantExact, Wall: time.Date(2025, 6, 1, 2, 30, 0, 5e8, time.UTC)},
		"now":                           {Kind: InstantNow},
		`"2025-06-01T10:30:00.000001Z"`: {Kind: InstantExact, Wall: time.Date(2025, 6, 1, 10, 30, 0, 1000, time.UTC)},
	} {
		got := mustParse(t, "* from "+text+" to 2026-01-01").Range.From
		if got.Kind != want.Kind || !got.Wall.Equal(want.Wall) {
			t.Errorf("%s: got %v %s, want %v %s", text, got.Kind, got.Wall, want.Kind, want.Wall)
		}
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]struct {
		span     Span
		elapsed  time.Duration
		calendar bool
	}{
		"1d":    {Span{1, Day}, 24 * time.Hour, true},
		"2w":    {Span{2, Week}, 14 * 24 * time.Hour, true},
		"1mo":   {Span{1, Month}, 0, true},
		"36h":   {Span{36, Hour}, 36 * time.Hour, false},
		"1h30m": {Span{90, Minute}, 90 * time.Minute, false},
		"0.5s":  {Span{500, Millisecond}, 500 * time.Millisecond, false},
	} {
		got := mustParse(t, "* last "+text).Range.Last
		if got != want.span || time.Duration(got.Elapsed()) != want.elapsed || got.Calendar() != want.calendar {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestParseSelector(t *testing.T) {
	s, err := ParseSelector("a or {b > 1}")
	if err != nil || s.String() != "a or {b > 1}" {
		t.Errorf("got %v, %v", s, err)
	}
	for text, want := range map[string]string{
		"a last 7d":     `line 1, column 3: expected the end after "a", found "last"`,
		"{user in vip}": `line 1, column 10: unknown result "vip" (define it before: let vip = … | users;)`,
		"":              "line 1, column 1: expected an event, found the end of the query",
	} {
		if _, err := ParseSelector(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestParseExpr(t *testing.T) {
	e, err := ParseExpr("a + b * 2")
	if err != nil || ExprString(e) != "a + b * 2" {
		t.Errorf("got %v, %v", e, err)
	}
	if _, err := ParseExpr("count()"); err == nil {
		t.Error("an aggregate is no expression on rows")
	}
}

func TestAllEvents(t *testing.T) {
	for text, want := range map[string]bool{"*": true, "a or *": true, "{a = 1}": false, "a": false, "{}": true} {
		if got := mustParse(t, text).Selector.All(); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}
