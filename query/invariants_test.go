package query_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/reference"
	"cairn/query/result"
	"cairn/query/syntax"
)

// The tests of this file know nothing of the reference: whatever the rules are in detail, these hold.

// asker asks about one set of events.
type asker struct {
	t      *rapid.T
	events []event.Event
	env    reference.Env
	source query.Source
	opt    query.Options
}

func newAsker(t *rapid.T, events []event.Event) *asker {
	a := &asker{t: t, events: events, env: querytest.RandomEnv(), opt: drawOptions(t)}
	a.store(events)
	return a
}

func (a *asker) store(events []event.Event) {
	var err error
	if a.source, err = query.MemoryWith(slices.Clone(events), drawLayout(a.t)); err != nil {
		a.t.Fatal(err)
	}
}

// record is a row by the names of its columns.
type record map[string]event.Value

func (a *asker) table(text string) *result.Table {
	got, err := query.Run(context.Background(), a.source, text, withEnv(a.opt, a.env))
	if err != nil {
		a.t.Fatalf("%s\n%v", text, err)
	}
	return got
}

func (a *asker) ask(text string) []record {
	table := a.table(text)
	var list []record
	for _, row := range table.Rows {
		r := record{}
		for i, c := range table.Columns {
			r[c.Name] = row[i]
		}
		list = append(list, r)
	}
	return list
}

// fail reports texts whose answers do not go together.
func (a *asker) fail(why string, texts ...string) {
	var b strings.Builder
	b.WriteString(why + "\n" + querytest.EventText(a.events))
	for _, text := range texts {
		b.WriteString(text + "\n" + querytest.Text(a.table(text)))
	}
	a.t.Fatal(b.String())
}

// of joins values of a row, as a key.
func (r record) of(names ...string) string {
	var b []byte
	for _, name := range names {
		v := r[name]
		b = fmt.Appendf(b, "%d:", v.Kind())
		b = append(event.AppendValue(b, v), 0)
	}
	return string(b)
}

// int is a whole number of a row; 0 where there is none.
func (r record) int(name string) int64 {
	if v := r[name]; v.Kind() == event.KindInt {
		return v.AsInt()
	}
	return 0
}

// by puts rows into groups.
func by(list []record, names ...string) map[string][]record {
	groups := map[string][]record{}
	for _, r := range list {
		groups[r.of(names...)] = append(groups[r.of(names...)], r)
	}
	return groups
}

// set is what occurs in columns.
func set(list []record, names ...string) map[string]bool {
	found := map[string]bool{}
	for _, r := range list {
		found[r.of(names...)] = true
	}
	return found
}

func contains(all, part map[string]bool) bool {
	for key := range part {
		if !all[key] {
			return false
		}
	}
	return true
}

func sum(list []record, name string) (n int64) {
	for _, r := range list {
		n += r.int(name)
	}
	return n
}

func namesOf(list []syntax.Named) []string {
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	return names
}

func drawRange(t *rapid.T) string {
	return rapid.SampledFrom([]string{"* | ", "* | ", "* last 4d | ", "* last 30h | ", "* last 1w | "}).Draw(t, "range")
}

func drawStage(t *rapid.T, kind querytest.Kind) syntax.Stage {
	text := querytest.RandomStage(t, kind)
	q, err := syntax.Parse("* | " + text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return q.Pipeline.Stages[0]
}

// drawFunnel draws a funnel, which may be changed, and what stands before it.
func drawFunnel(t *rapid.T) (source string, f *syntax.Funnel) {
	return drawRange(t), drawStage(t, querytest.Funnel).(*syntax.Funnel)
}

// ungrouped is a funnel without its breakdown.
func ungrouped(f *syntax.Funnel) *syntax.Funnel {
	g := *f
	g.By, g.At, g.AtStep, g.Top = nil, syntax.AtOne, 1, 0
	return &g
}

func removes(f *syntax.Funnel) bool {
	return slices.ContainsFunc(f.Except, func(e *syntax.Except) bool { return e.Remove })
}

// required reports whether a step, from 1, is one that no chain passes over.
func required(f *syntax.Funnel, step int) bool { return !f.Pattern.Steps[step-1].Optional() }

// Events that no step names are as good as not there, unless a strict arrow looks at them.
func TestEventsOfNoStepChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]querytest.Kind{querytest.Funnel, querytest.Match}).Draw(t, "kind")
		stage := drawStage(t, kind)
		var pattern *syntax.Pattern
		var selectors []*syntax.Selector
		switch s := stage.(type) {
		case *syntax.Funnel:
			if s.Count == syntax.CountSessions {
				s.Count = syntax.CountUsers
			}
			for _, e := range s.Except {
				selectors = append(selectors, e.Selector)
			}
			pattern = s.Pattern
		case *syntax.Match:
			pattern = s.Pattern
		}
		for _, s := range pattern.Steps {
			s.Arrow.Strict = false
			selectors = append(selectors, s.Selectors...)
		}
		for _, s := range selectors {
			for _, term := range s.Terms {
				if term.Any {
					term.Any, term.Name = false, "a"
				}
			}
		}
		text := syntax.StageString(stage)
		source := drawRange(t)
		events := drawJourneys(t)
		a := newAsker(t, events)
		want := a.table(source + text)
		for _, e := range drawJourneys(t) {
			e.Name = "z"
			events = append(events, e)
		}
		a.events = events
		a.store(events)
		for _, other := range []string{source + text, "a or b or c" + source[1:] + text} {
			got := a.table(other)
			got.Meta.Warnings = want.Meta.Warnings
			if diff := querytest.Difference(want, nil, got, nil); diff != "" {
				a.fail(diff, other)
			}
		}
	})
}

// The cells of a retention.
func TestRetentionCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, s := drawRange(t), drawStage(t, querytest.Retention).(*syntax.Retention)
		s.Value, s.X = 0, nil
		a := newAsker(t, drawJourneys(t))
		keys := append(namesOf(s.By), "cohort")
		texts := map[syntax.When]string{}
		cells := map[syntax.When]map[string][]record{}
		for _, when := range []syntax.When{syntax.On, syntax.OnOrAfter, syntax.OnOrBefore, syntax.Streak} {
			s.When = when
			texts[when] = source + syntax.StageString(s)
			cells[when] = by(a.ask(texts[when]), keys...)
			a.retentionCells(s, texts[when])
		}
		if s.Brackets != nil {
			return // p3 may be several periods with `on` alone
		}
		for cohort, on := range cells[syntax.On] {
			for n := 1; n <= s.For; n++ {
				name := fmt.Sprintf("p%d", n)
				at := func(when syntax.When) event.Value { return cells[when][cohort][0][name] }
				if on[0]["cohort"] == event.Null || at(syntax.On) == event.Null {
					continue
				}
				if event.Compare(at(syntax.Streak), at(syntax.On)) > 0 || event.Compare(at(syntax.On), at(syntax.OnOrAfter)) > 0 ||
					event.Compare(at(syntax.On), at(syntax.OnOrBefore)) > 0 {
					a.fail("streak, on, on or after, on or before", slices.Sorted(maps.Values(texts))...)
				}
			}
		}
	})
}

// retentionCells checks the cells of one retention.
func (a *asker) retentionCells(s *syntax.Retention, text string) {
	keys := append(namesOf(s.By), "cohort")
	users := by(a.ask(text+" | users"), append(keys, "period")...)
	sizes := map[string]int64{}
	for _, r := range a.ask(text) {
		if r["cohort"] == event.Null {
			continue
		}
		sizes[r.of("cohort")] += r.int("size")
		before := event.Null
		for i, n := range s.Periods() {
			cell := r[fmt.Sprintf("p%d", n)]
			if cell == event.Null {
				continue
			}
			r["period"] = event.Int(int64(n))
			if listed := len(users[r.of(append(keys, "period")...)]); int64(listed) != cell.AsInt() {
				a.fail("other users than counted", text, text+" | users")
			}
			if cell.AsInt() > r.int("size") || n == 0 && cell.AsInt() != r.int("size") {
				a.fail("more than the cohort, or not all of it at its start", text)
			}
			if before != event.Null && n > 0 && s.Periods()[i-1] > 0 {
				if s.When == syntax.OnOrBefore && cell.AsInt() < before.AsInt() || s.When == syntax.OnOrAfter && cell.AsInt() > before.AsInt() ||
					s.When == syntax.Streak && cell.AsInt() > before.AsInt() {
					a.fail("the cells go the wrong way", text)
				}
			}
			before = cell
		}
	}
	if len(s.By) == 0 {
		return
	}
	// The groups share out the cohorts.
	other := *s
	other.By = nil
	whole := strings.Replace(text, syntax.StageString(s), syntax.StageString(&other), 1)
	for _, r := range a.ask(whole) {
		if r["cohort"] != event.Null && sizes[r.of("cohort")] != r.int("size") {
			a.fail("the groups are not the whole", text, whole)
		}
	}
}

// The states of a lifecycle share out the users of a period and of the one before.
func TestLifecycleStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, s := drawRange(t), drawStage(t, querytest.Lifecycle).(*syntax.Lifecycle)
		a := newAsker(t, drawJourneys(t))
		text := source + syntax.StageString(s)
		counts := s.Selector.String() + source[1:] + "stats users() by bin(" + s.Every.String() + ")"
		active := by(a.ask(counts), "time")
		listed := by(a.ask(text+" | users"), "time", "state")
		var before *record
		for _, r := range a.ask(text) {
			users := sum(active[r.of("time")], "users")
			if r.int("new")+r.int("returning")+r.int("resurrected") != users {
				a.fail("new, returning and resurrected are not all", text, counts)
			}
			if before != nil {
				if r.int("dormant") != sum(active[before.of("time")], "users")-r.int("returning") {
					a.fail("returning and dormant are not those of the period before", text, counts)
				}
			}
			for _, state := range []string{"new", "returning", "resurrected", "dormant"} {
				r["state"] = event.String(state)
				if int64(len(listed[r.of("time", "state")])) != r.int(state) {
					a.fail("other users than counted", text, text+" | users")
				}
			}
			before = &r
		}
	})
}

// Everybody is in one row of a stickiness.
func TestStickinessRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, s := drawRange(t), drawStage(t, querytest.Stickiness).(*syntax.Stickiness)
		a := newAsker(t, drawJourneys(t))
		s.AtLeast = false
		exact := source + syntax.StageString(s)
		s.AtLeast = true
		least := source + syntax.StageString(s)
		counts := s.Selector.String() + source[1:] + "stats users()"
		all := sum(a.ask(counts), "users")
		rows, cumulated := a.ask(exact), a.ask(least)
		if n := sum(rows, "users"); n > all || s.Min == 1 && n != all {
			a.fail("the rows are not all users", exact, counts)
		}
		left := sum(rows, "users")
		for i, r := range cumulated {
			if r.int("users") != left {
				a.fail("at least does not cumulate", exact, least)
			}
			left -= rows[i].int("users")
		}
		for _, text := range []string{exact, least} {
			if n := len(a.ask(text + " | users")); int64(n) != sum(rows, "users") {
				a.fail("other users than counted", text, text+" | users")
			}
		}
	})
}

// What goes into a node at one step goes on from it at the next, and as many paths end as begin.
func TestPathsFlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, s := drawRange(t), drawStage(t, querytest.Paths).(*syntax.Paths)
		s.Top, s.Max, s.View, s.Shortest = 10_000, rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(t, "max"), syntax.PathEdges, 0
		a := newAsker(t, drawJourneys(t))
		keys := namesOf(s.By)
		edges := source + syntax.StageString(s)
		from := func(r record, step int64, node string) string {
			return r.of(keys...) + fmt.Sprint(step) + r.of(node)
		}
		in, out := map[string]int64{}, map[string]int64{}
		begun, ended := map[string]int64{}, map[string]int64{}
		rows := a.ask(edges)
		first := map[string]int64{}
		for _, r := range rows {
			if step, ok := first[r.of(keys...)]; !ok || r.int("step") < step {
				first[r.of(keys...)] = r.int("step")
			}
		}
		for _, r := range rows {
			step, n := r.int("step"), r.int("count")
			out[from(r, step, "source")] += n
			if r["target"] == event.Null {
				ended[r.of(keys...)] += n
			} else {
				in[from(r, step+1, "target")] += n
			}
			if s.From != nil || s.To == nil {
				if step == 1 {
					begun[r.of(keys...)] += n
				} else if in[from(r, step, "source")] < out[from(r, step, "source")] {
					a.fail("more leave a node than come to it", edges)
				}
			} else if step > 0 || step == 0 && r["target"] != event.Null {
				a.fail("steps are not numbered back from the end", edges)
			}
			if r.int("users") > n || r.int("users") < 1 {
				a.fail("users", edges)
			}
		}
		for node, n := range in {
			if out[node] < n || out[node] > n && (s.From != nil || s.To == nil) {
				a.fail("other paths leave a node than come to it", edges)
			}
		}
		s.Max, s.View = 6, syntax.PathDeadEnds
		ends := source + syntax.StageString(s)
		dead := by(a.ask(ends), keys...)
		if len(dead) != len(ended) {
			a.fail("other groups", edges, ends)
		}
		for group, n := range ended {
			if (s.From != nil || s.To == nil) && begun[group] != n || sum(dead[group], "count") != n {
				a.fail("other paths end than begin", edges, ends)
			}
		}
		s.View = syntax.PathLoops
		loops := source + syntax.StageString(s)
		for _, r := range a.ask(loops) {
			if r.int("count") > r.int("paths") || r.int("count") < 1 {
				a.fail("more paths return than visit", loops)
			}
		}
		if s.From == nil || s.To == nil {
			return
		}
		s.View, s.Shortest = syntax.PathShortest, 10_000
		shortest := source + strings.Replace(syntax.StageString(s), "top 10000 ", "", 1)
		for group, list := range by(a.ask(shortest), keys...) {
			if sum(list, "count") != ended[group] {
				a.fail("other journeys than paths", edges, shortest)
			}
		}
	})
}

// Sessions hold every event once, and what they say of themselves is so.
func TestSessionsHoldAllEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAsker(t, drawJourneys(t))
		session := "* | " + querytest.RandomStage(t, querytest.Session)
		all, held := "* | where exists(user) | stats count()", session+" | stats count()"
		if a.ask(all)[0].int("count") != a.ask(held)[0].int("count") {
			a.fail("sessions do not hold all events", all, held)
		}
		each := session + " | stats count() as n, max(session.events) as events, max(time) - min(time) as d, max(session.duration) as duration," +
			" sum(dwell) as dwell, distinct(user) as users, distinct(session.number) as numbers by session.id"
		for _, r := range a.ask(each) {
			if r.int("n") != r.int("events") || r["d"] != r["duration"] || r.int("users") != 1 || r.int("numbers") != 1 ||
				r.int("n") > 1 && r["dwell"] != r["duration"] {
				a.fail("a session is not what it says", each)
			}
		}
		numbers := session + " | stats distinct(session.number) as n, max(session.number) as most, distinct(session.id) as ids by user"
		for _, r := range a.ask(numbers) {
			if r.int("n") != r.int("most") || r.int("n") != r.int("ids") {
				a.fail("sessions are not numbered from 1", numbers)
			}
		}
		gaps := "* | gap | stats count(not exists(gap)) as first, sum(gap) as sum, max(time) - min(time) as d, count() as n by user"
		for _, r := range a.ask(gaps) {
			if r["user"] != event.Null && (r.int("first") != 1 || r.int("n") > 1 && r["sum"] != r["d"]) {
				a.fail("gaps do not add up", gaps)
			}
		}
	})
}

// Answers move along with events and clock.
func TestAnswersMoveWithTime(t *testing.T) {
	const weeks = 2 * 7 * 24 * time.Hour // periods of two days stay the same
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(querytest.AllKinds()).Draw(t, "kind")
		text := drawRange(t) + querytest.RandomStage(t, kind)
		switch {
		case kind == querytest.Session:
			text += " | drop session.id"
		case kind == querytest.Funnel:
			text += rapid.SampledFrom([]string{"", " | trend 1d", " | converted 1", " | users"}).Draw(t, "view")
		case kind != querytest.Gap && kind != querytest.Match && rapid.Bool().Draw(t, "users"):
			text += " | users"
		}
		// A month is not a number of weeks, and the lists of paths hold times as texts.
		text = strings.NewReplacer("1mo", "1w", "of bin(6h)", "of hour()").Replace(text)
		events := drawJourneys(t)
		a := newAsker(t, events)
		want := a.table(text)
		shift := rapid.Int64Range(-3, 3).Draw(t, "shift") * int64(weeks)
		moved := slices.Clone(events)
		for i := range moved {
			moved[i].Time += shift
			moved[i].Received += shift
		}
		a.store(moved)
		a.env.Now = a.env.Now.Add(time.Duration(shift))
		got := a.table(text)
		for _, row := range got.Rows {
			for i, v := range row {
				if v.Kind() == event.KindTime {
					row[i] = event.Time(v.AsInt() - shift)
				}
			}
		}
		if diff := querytest.Difference(want, nil, got, nil); diff != "" {
			a.fail(diff, text)
		}
	})
}

// Answers do not depend on the order in which events arrive, however they are laid out.
func TestArrivalDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := querytest.RandomBehaviour(t)
		var events []event.Event
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			events = append(events, querytest.RandomJourneys(t)...)
		}
		a := newAsker(t, events)
		want := a.table(text)
		a.opt = drawOptions(t)
		a.store(rapid.Permutation(events).Draw(t, "order"))
		if diff := querytest.Difference(want, nil, a.table(text), nil); diff != "" {
			a.fail(diff, text)
		}
	})
}
