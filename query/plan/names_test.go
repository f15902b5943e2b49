package plan

import (
	"strings"
	"testing"

	"cairn/query/syntax"
)

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		"a | where x > 1 and did(b{y = 1})":                                    "x y; a b",
		"* | funnel a{x = 1} -> (b & c) except d{y = 1} hold z by w sum(v)":    "x y z v w; a b c d",
		"* | extend big = x > 1 | funnel a{big} -> b{did(c{big})}":             "x big; a b c",
		"* | match a as s -> b by k | where s.q = s.last.r":                    "k; a b",
		"* | session | where session.entry.page = page | retention c -> d":     "page; c d",
		"* | paths from a to b of page except c | where source = \"home\"":     "page; a b c",
		"* | extend y = x, z = y | stickiness {z = 1} | where periods > users": "x;",
	} {
		q, err := syntax.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var names Names
		names.Add(&q.Pipeline)
		got := strings.TrimSpace(strings.Join(names.Fields, " ") + "; " + strings.Join(names.Events, " "))
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
