package query_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// The users in the views of a funnel are those that its rows count.
func TestUsersOfAFunnelAreThoseCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		a := newAsker(t, drawJourneys(t))
		text, keys := source+syntax.StageString(f), namesOf(f.By)
		goal := f.Pattern.Goal() + 1
		groups := by(a.ask(text), keys...)
		check := func(view string, want func(steps []record) int64) {
			users := by(a.ask(text+" | "+view), keys...)
			for group, steps := range groups {
				n, most := int64(len(users[group])), want(steps)
				if len(set(users[group], "user")) != len(users[group]) {
					a.fail("a user is listed twice", text+" | "+view)
				}
				// Attempts and sessions may be of one user.
				if f.Count == syntax.CountUsers && n != most || n > most || (n == 0) != (most == 0) {
					a.fail("the users are not those counted", text, text+" | "+view)
				}
			}
			for group := range users {
				if groups[group] == nil {
					a.fail("there are users in a group that is not shown", text, text+" | "+view)
				}
			}
		}
		for n := range f.Pattern.Steps {
			check(fmt.Sprintf("converted %d", n+1), func(steps []record) int64 { return steps[n].int("count") })
			if n+1 < goal {
				check(fmt.Sprintf("dropped after %d", n+1), func(steps []record) int64 { return steps[n].int("dropped") })
			}
		}
		check("dropped", func(steps []record) int64 { return sum(steps, "dropped") })
		check("pending", func(steps []record) int64 { return sum(steps, "pending") })
		if !f.Open {
			check("converted", func(steps []record) int64 { return steps[goal-1].int("count") })
			check("users", func(steps []record) int64 { return sum(steps, "dropped") + steps[goal-1].int("count") })
		}
	})
}

// Fewer get to every step than to the one before, and those missing have dropped out in between.
func TestStepsOfAFunnel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f.Open = false
		a := newAsker(t, drawJourneys(t))
		text, goal := source+syntax.StageString(f), f.Pattern.Goal()+1
		for _, steps := range by(a.ask(text), namesOf(f.By)...) {
			before, dropped := steps[0].int("count"), int64(0)
			for n, r := range steps {
				count := r.int("count")
				if count > before {
					a.fail("more get further", text)
				}
				if required(f, n+1) {
					if n+1 <= goal && count != steps[0].int("count")-dropped {
						a.fail("dropped are not those who are missing", text)
					}
					before = count
				}
				if r.int("pending") > r.int("dropped") || n+1 >= goal && r.int("dropped") > 0 {
					a.fail("more pending than dropped, or dropped behind the goal", text)
				}
				dropped += r.int("dropped")
			}
		}
	})
}

// A breakdown by the first step shares out the users of the funnel; one by another step, or by all, only some of them.
func TestGroupsOfAFunnelCoverIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f.Except = slices.DeleteFunc(f.Except, func(e *syntax.Except) bool { return e.Remove })
		f.Count, f.Open = syntax.CountUsers, false
		if f.By == nil {
			f.By = []syntax.Named{{Expr: &syntax.Column{Name: "s"}, Name: "k"}}
			f.At = rapid.SampledFrom([]syntax.At{syntax.AtOne, syntax.AtFirst, syntax.AtLast, syntax.AtAll}).Draw(t, "at")
			f.Top = rapid.IntRange(0, 2).Draw(t, "top")
		}
		a := newAsker(t, drawJourneys(t))
		for n := range f.Pattern.Steps {
			view := fmt.Sprintf(" | converted %d", n+1)
			text, all := source+syntax.StageString(f)+view, source+syntax.StageString(ungrouped(f))+view
			grouped := a.ask(text)
			users, total := set(grouped, "user"), set(a.ask(all), "user")
			if required(f, n+1) && !contains(total, users) {
				a.fail("a group has a user that the funnel has not", text, all)
			}
			whole := f.At == syntax.AtOne && f.AtStep <= 1 && f.Pattern.Steps[0].Once() || f.At == syntax.AtFirst || f.At == syntax.AtLast
			if whole && required(f, n+1) && !contains(users, total) {
				a.fail("a user is in no group", text, all)
			}
			if (f.At == syntax.AtFirst || f.At == syntax.AtLast) && len(grouped) != len(users) {
				a.fail("a user is in two groups", text)
			}
		}
	})
}

// A funnel that asks for less counts no fewer users at any step.
func TestLooserFunnelsCountMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f = ungrouped(f)
		f.Except = slices.DeleteFunc(f.Except, func(e *syntax.Except) bool { return e.Remove })
		f.Count, f.Sums = syntax.CountUsers, nil
		g := *f
		pattern := *f.Pattern
		g.Pattern = &pattern
		pattern.Steps = nil
		for _, s := range f.Pattern.Steps {
			other := *s
			pattern.Steps = append(pattern.Steps, &other)
		}
		loosen := map[string]func(){
			"increasing":  func() { f.Increasing, g.Increasing = true, false },
			"hold":        func() { f.Except, g.Except, g.Hold = nil, nil, nil },
			"within":      func() { g.Within += int64(time.Hour) },
			"except":      func() { g.Except = nil },
			"open":        func() { f.Open, g.Open = false, true },
			"entry":       func() { g.Latest = !f.Latest },
			"strict":      func() { each(pattern.Steps, func(s *syntax.Step) { s.Arrow.Strict = false }) },
			"limits":      func() { each(pattern.Steps, func(s *syntax.Step) { s.Arrow = syntax.Arrow{Strict: s.Arrow.Strict} }) },
			"first":       func() { each(pattern.Steps, func(s *syntax.Step) { s.First = syntax.FirstNone }) },
			"quantifiers": func() { each(pattern.Steps, func(s *syntax.Step) { s.Max = looser(s) }) },
		}
		kind := rapid.SampledFrom(slices.Sorted(maps.Keys(loosen))).Draw(t, "loosen")
		loosen[kind]()
		a := newAsker(t, drawJourneys(t))
		text, more := source+syntax.StageString(f), source+syntax.StageString(&g)
		tight, loose := a.ask(text), a.ask(more)
		for n := range tight {
			x, y := tight[n].int("count"), loose[n].int("count")
			if required(f, n+1) && (x > y || kind == "entry" && x != y) {
				a.fail("without "+kind+" there are not more", text, more)
			}
		}
	})
}

func each(steps []*syntax.Step, change func(*syntax.Step)) {
	for _, s := range steps {
		change(s)
	}
}

// looser is a greater bound for a step that has a quantifier.
func looser(s *syntax.Step) int {
	if s.Max > 1 {
		return s.Max + 1
	}
	return s.Max
}

// Attempts are there where users are.
func TestTotalsOfAFunnel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f.Except = slices.DeleteFunc(f.Except, func(e *syntax.Except) bool { return e.Remove })
		f.Open, f.Top = false, 0
		f.Count = syntax.CountUsers
		users := source + syntax.StageString(f)
		f.Count = syntax.CountTotals
		totals := source + syntax.StageString(f)
		a := newAsker(t, drawJourneys(t))
		attempts := by(a.ask(totals), namesOf(f.By)...)
		for group, steps := range by(a.ask(users), namesOf(f.By)...) {
			if attempts[group] == nil || attempts[group][0].int("count") < steps[0].int("count") {
				a.fail("fewer attempts than users", users, totals)
			}
		}
	})
}

// The trend of one bucket is the funnel; over several buckets attempts and sessions are shared out, and users are in
// at least one.
func TestTrendOfAFunnel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f.Open = false
		a := newAsker(t, drawJourneys(t))
		text, keys, goal := source+syntax.StageString(f), namesOf(f.By), f.Pattern.Goal()+1
		one, several := text+" | trend 1y", text+" | trend 12h"
		year, days := by(a.ask(one), keys...), by(a.ask(several), keys...)
		groups := by(a.ask(text), keys...)
		for group, steps := range groups {
			entered, converted := steps[0].int("count"), steps[goal-1].int("count")
			if sum(year[group], "entered") != entered || sum(year[group], "converted") != converted {
				a.fail("one bucket is not the funnel", text, one)
			}
			n, m := sum(days[group], "entered"), sum(days[group], "converted")
			if f.Count == syntax.CountUsers && (n < entered || m < converted) && !removes(f) ||
				f.Count != syntax.CountUsers && (n != entered || m != converted) {
				a.fail("the buckets are not the funnel", text, several)
			}
		}
		if !removes(f) && (len(year) > 0 || len(groups) > 0) && len(keys) > 0 && len(year) != len(groups) {
			a.fail("other groups", text, one)
		}
	})
}

// As many times are measured as attempts took both steps.
func TestTimesOfAFunnel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f.Open = false
		a := newAsker(t, drawJourneys(t))
		text, keys := source+syntax.StageString(f), namesOf(f.By)
		for n := 2; n <= len(f.Pattern.Steps); n++ {
			view := fmt.Sprintf("%s | times 1 to %d hist 0s, 1h, 1000d", text, n)
			times := by(a.ask(view), keys...)
			for group, steps := range by(a.ask(text), keys...) {
				r := times[group]
				if len(r) != 1 || r[0].int("count") != steps[n-1].int("count") || event.Compare(r[0]["min"], r[0]["max"]) > 0 {
					a.fail("times of other attempts", text, view)
				}
			}
		}
	})
}

// A funnel converts the users for whom its pattern matches.
func TestFunnelsAndMatchesFindTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, f := drawFunnel(t)
		f = &syntax.Funnel{Pattern: f.Pattern, Within: f.Within, AtStep: 1, Latest: f.Latest}
		m := &syntax.Match{Pattern: f.Pattern, Within: f.Within}
		a := newAsker(t, drawJourneys(t))
		past := source + syntax.StageString(m)
		m.Next = true
		next := source + syntax.StageString(m)
		funnel := source + syntax.StageString(f) + " | converted"
		for _, text := range []string{past, next} {
			if !maps.Equal(set(a.ask(text+" | users"), "user"), set(a.ask(funnel), "user")) {
				a.fail("other users", text, funnel)
			}
		}
		if len(a.ask(past)) > len(a.ask(next)) {
			a.fail("more matches that share no events than starts", past, next)
		}
	})
}
