package syntax

import (
	"slices"
	"testing"
)

func TestStepColumn(t *testing.T) {
	m := mustParse(t, "* | match a as x -> b -> c as x.y -> d as last").Stages[0].(*Match)
	type column struct {
		step int
		last bool
		name string
		ok   bool
	}
	for name, want := range map[string]column{
		"x.time":          {0, false, "time", true},
		"x.payload.q":     {0, false, "payload.q", true},
		"x.last.q":        {0, true, "q", true},
		"x.last.last.q":   {0, true, "last.q", true},
		"x.last":          {0, false, "last", true},
		"x.y":             {0, false, "y", true},
		"x.y.q":           {2, false, "q", true},
		"x.y.last.q":      {2, true, "q", true},
		"last.last.event": {3, true, "event", true},
		"x":               {},
		"x.":              {},
		"xy.q":            {},
		".q":              {},
		"start":           {},
	} {
		var got column
		got.step, got.last, got.name, got.ok = m.StepColumn(name)
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestSessionColumn(t *testing.T) {
	for name, want := range map[string]struct {
		exit  bool
		field string
		ok    bool
	}{
		"session.entry.page": {false, "page", true},
		"session.exit.a.b":   {true, "a.b", true},
		"session.entry":      {},
		"session.exit.":      {},
		"session.id":         {},
		"page":               {},
	} {
		exit, field, ok := SessionColumn(name)
		if exit != want.exit || field != want.field || ok != want.ok {
			t.Errorf("%s: got %v %q %v", name, exit, field, ok)
		}
	}
}

func TestRowColumns(t *testing.T) {
	for text, want := range map[string]struct {
		made, other []string
		open        bool
	}{
		"*":                                  {nil, []string{"a", "session.id", "session.entry.a"}, true},
		"* | session":                        {[]string{"session.id", "dwell", "session.entry.a", "session.exit.b.c"}, []string{"a", "session.x", "session.entry."}, true},
		"* | session | project session.id":   {[]string{"session.id"}, []string{"session.entry.a"}, false},
		"* | match a as x":                   {[]string{"user", "x.time", "x.q", "x.last.q"}, []string{"x", "q", "y.q"}, false},
		"* | match a as x | drop x.event":    {[]string{"x.q"}, []string{"x.event"}, false},
		"* | match a as x | stats count()":   {[]string{"count"}, []string{"x.q"}, false},
		"* | match a as x | project r = x.q": {[]string{"r"}, []string{"x.q"}, false},
	} {
		made, open := RowColumns(&mustParse(t, text).Pipeline)
		for _, name := range want.made {
			if !made(name) {
				t.Errorf("%s: %s is not made", text, name)
			}
		}
		for _, name := range want.other {
			if made(name) {
				t.Errorf("%s: %s is made", text, name)
			}
		}
		if open != want.open {
			t.Errorf("%s: open is %v", text, open)
		}
	}
}

func TestSelectors(t *testing.T) {
	for text, want := range map[string]struct{ selectors, exprs []string }{
		"funnel a{p = 1} -> (b & c{q = 1}) -> (d or e) except f{r = 1} hold h sum(s) by k": {
			[]string{"a{p = 1}", "b", "c{q = 1}", "d or e", "f{r = 1}"},
			[]string{"p = 1", "q = 1", "r = 1", "h", "sum(s)", "k"},
		},
		"match a{p = 1} -> b by k":                                {[]string{"a{p = 1}", "b"}, []string{"p = 1", "k"}},
		"retention a{p = 1} -> b{q = 1} avg(s) by k":              {[]string{"a{p = 1}", "b{q = 1}"}, []string{"p = 1", "q = 1", "s", "k"}},
		"lifecycle a or {p = 1}":                                  {[]string{"a or {p = 1}"}, []string{"p = 1"}},
		"stickiness a{did(b{x = 1})}":                             {[]string{"a{did(b{x = 1}) > 0}"}, []string{"did(b{x = 1}) > 0"}},
		"paths from a{p = 1} to b of n by k except c except d{q}": {[]string{"a{p = 1}", "b", "c", "d{q}"}, []string{"p = 1", "q", "n", "k"}},
		"paths":   {nil, nil},
		"session": {nil, nil},
		"where a": {nil, []string{"a"}},
	} {
		s := mustParse(t, "* | "+text).Stages[0]
		var selectors, exprs []string
		for _, selector := range Selectors(s) {
			selectors = append(selectors, selector.String())
		}
		Exprs(s, func(e Expr) { exprs = append(exprs, ExprString(e)) })
		if !slices.Equal(selectors, want.selectors) || !slices.Equal(exprs, want.exprs) {
			t.Errorf("%s: got %q and %q", text, selectors, exprs)
		}
	}
}

func TestArrowAllows(t *testing.T) {
	const second = 1e9
	for _, c := range []struct {
		arrow string
		nanos int64
		want  bool
	}{
		{"->", 0, true},
		{"->[10s]", 10 * second, true},
		{"->[10s]", 10*second + 1, false},
		{"->[< 10s]", 10 * second, false},
		{"->[> 5s]", 5 * second, false},
		{"->[> 5s]", 5*second + 1, true},
		{"->[>= 5s and < 10s]", 5 * second, true},
		{"->[> 0s]", 0, false},
		{"->[> 0s]", 1, true},
		{"->[>= 0s]", 0, true},
	} {
		a := mustParse(t, "* | funnel a "+c.arrow+" b").Stages[0].(*Funnel).Pattern.Steps[1].Arrow
		if got := a.Allows(c.nanos); got != c.want {
			t.Errorf("%s over %d: got %v", c.arrow, c.nanos, got)
		}
	}
}
