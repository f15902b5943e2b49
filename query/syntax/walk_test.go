package syntax

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]string{
		"a + b * a":                               "a b",
		"fields.a = a and user.a = 1":             "fields.a a user.a",
		"bin(1d) = hour()":                        "time",
		"did(x{y = 1}) > z and first_time(w) > v": "z v",
		"lower(a) ~ \"x\" or not b in (c, -d)":    "a b c d",
		"1 + 2":                                   "",
	} {
		e, err := ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range Columns(e) {
			names = append(names, c.String())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestWalk(t *testing.T) {
	e, err := ParseExpr("a and did(b{c > 1})")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	Walk(e, func(e Expr) bool {
		seen = append(seen, strings.TrimPrefix(fmt.Sprintf("%T", e), "*syntax."))
		return true
	})
	want := []string{"Binary", "Column", "Binary", "Did", "Binary", "Column", "Literal", "Literal"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}

func TestExprs(t *testing.T) {
	q := mustParse(t, "* | stats sum(a) if (b), count() by c, bin(1d) | sort sum_a desc | limit 1 by c | running count | drop c")
	var got []string
	for _, s := range q.Stages {
		Exprs(s, func(e Expr) { got = append(got, ExprString(e)) })
	}
	want := []string{"sum(a) if (b)", "count()", "c", "bin(1d)", "sum_a", "c", "count", "c"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAggregates(t *testing.T) {
	s := mustParse(t, "* | stats 1 - users(a) / round(sum(b) if (c > 1), 2)").Stages[0].(*Stats)
	aggs := Aggregates(s.Aggs[0].Expr)
	if len(aggs) != 2 || aggs[0].Func != AggUsers || aggs[1].Func != AggSum {
		t.Errorf("got %v", aggs)
	}
}

func TestTimeKey(t *testing.T) {
	for text, want := range map[string]int{
		"a": -1, "a, bin(1d)": 1, "bin(t, 1d)": -1, "bin(fields.time, 1d)": -1, "bin(time, 1h) as x": 0, "hour()": -1,
	} {
		s := mustParse(t, "* | stats count() by "+text).Stages[0].(*Stats)
		if got := TimeKey(s.Keys); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"* | where a = 1", "*\n|  where (a) == 1", true},
		{"* | where a = 1", "* | where a = 1.0", false},
		{"* | where a = 1", "* | where b = 1", false},
		{"* | where a = 1", "* | where fields.a = 1", false},
		{"* | where a = 1", "* | extend x = a = 1", false},
		{"* last 1d", "* last 24h", false},
		{"* | where t = 1d", "* | where t = 24h", true},
		{"* last 1d", "*", false},
		{"a or b", "a", false},
		{"a{x}", "a", false},
		{"set week = mon; *", "set week = tue; *", false},
		{"set tz = \"UTC\"; *", "set tz = \"UTC\"; *", true},
		{"* from 2025-06-01T00:00Z to now", "* from \"2025-06-01T08:00:00+08:00\" to now", true},
		{"* | stats p90(a)", "* | stats quantile(a, 0.9)", true},
	} {
		if got := Equal(mustParse(t, c.a), mustParse(t, c.b)); got != c.want {
			t.Errorf("%q and %q: got %v", c.a, c.b, got)
		}
	}
}
