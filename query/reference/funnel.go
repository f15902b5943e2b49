package reference

import (
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// funnel is a funnel and what its units did in it.
type funnel struct {
	*pattern
	*syntax.Funnel
	run        *run
	in         *rows
	goal       int // the step, from 0, that converts
	keys       []string
	keysOf     func(*row) []event.Value
	by         []func(*row) event.Value
	hold, sums []func(*row) event.Value
	excepts    []func(*row) bool
	groups     []*funnelGroup // in the order of the answer
}

// funnelGroup is one value of the breakdown; without `by` there is one group without keys.
type funnelGroup struct {
	keys    []event.Value
	entries []*entry
}

// entry is what counts once in a group: a user, an attempt or a session.
type entry struct {
	user     event.Value
	attempts []*attempt
	best     *attempt // the one that it counts with; nil when it counts nowhere
}

func (r *run) funnel(in *rows, s *syntax.Funnel) (*rows, error) {
	f := &funnel{Funnel: s, run: r, in: in, goal: s.Pattern.Goal()}
	if err := f.compile(); err != nil {
		return nil, err
	}
	f.collect()
	out := f.table()
	out.funnel, out.members = f, f.users()
	return out, nil
}

func (f *funnel) compile() error {
	var err error
	if f.pattern, err = f.run.pattern(f.Pattern, f.Increasing); err != nil {
		return err
	}
	for _, e := range f.Except {
		matches, err := f.run.selector(e.Selector)
		if err != nil {
			return err
		}
		f.excepts = append(f.excepts, matches)
	}
	if f.hold, err = f.run.values(f.Hold); err != nil {
		return err
	}
	for _, named := range f.Sums {
		x, err := f.run.value(named.Expr.(*syntax.Agg).X)
		if err != nil {
			return err
		}
		f.sums = append(f.sums, x)
	}
	f.keys, f.by, err = f.run.named(f.By)
	f.keysOf = func(x *row) []event.Value { return keysOf(x, f.by) }
	return err
}

func keysOf(x *row, fs []func(*row) event.Value) []event.Value {
	var keys []event.Value
	for _, f := range fs {
		keys = append(keys, key(f(x)))
	}
	return keys
}

// collect makes the groups.
func (f *funnel) collect() {
	byName := map[string]*funnelGroup{}
	if len(f.By) == 0 {
		f.groups = []*funnelGroup{{}}
		byName[nameOf(nil)] = f.groups[0]
	}
	for _, unit := range f.units() {
		for _, v := range f.breakdown(unit.list) {
			name := nameOf(v.keys)
			g := byName[name]
			if g == nil {
				g = &funnelGroup{keys: v.keys}
				byName[name] = g
				f.groups = append(f.groups, g)
			}
			g.entries = append(g.entries, f.entries(unit, v.may)...)
		}
	}
	slices.SortFunc(f.groups, func(a, b *funnelGroup) int { return compareKeys(a.keys, b.keys) })
	if f.Top > 0 {
		f.fold()
	}
}

// shown returns the groups in which something counts; without `by` there is always one.
func (f *funnel) shown() []*funnelGroup {
	if len(f.By) == 0 {
		return f.groups
	}
	return slices.DeleteFunc(slices.Clone(f.groups), func(g *funnelGroup) bool { return len(g.counted()) == 0 })
}

// units returns the streams that are looked at one by one: those of the users, or their sessions that begin
// in the range.
func (f *funnel) units() []*stream {
	users := f.in.streams()
	if f.Count != syntax.CountSessions {
		return users
	}
	var sessions []*stream
	for _, u := range users {
		for _, events := range f.sessions(u.list) {
			if f.in.inRange(events[0].event.Time) {
				sessions = append(sessions, &stream{u.user, events})
			}
		}
	}
	return sessions
}

// sessions cuts a stream into those of the session stage before, or where there is none by pauses.
func (f *funnel) sessions(list []*row) [][]*row {
	id := syntax.SessionColumns[0]
	if !slices.Contains(f.in.names, id) {
		return cutByPause(list, syntax.SessionGap, 0)
	}
	var sessions groups
	for _, x := range list {
		g := sessions.find([]event.Value{x.columns[id]})
		g.rows = append(g.rows, x)
	}
	var lists [][]*row
	for _, g := range sessions.list {
		lists = append(lists, g.rows)
	}
	return lists
}

// entries returns what counts of a unit in one group.
func (f *funnel) entries(unit *stream, may demand) []*entry {
	var list []*entry
	if f.Count == syntax.CountTotals {
		for _, a := range f.totals(unit.list, may) {
			list = append(list, f.entry(unit.user, a))
		}
		return list
	}
	var attempts []*attempt
	for at := range unit.list {
		attempts = append(attempts, f.attempts(unit.list, at, may, nil)...)
	}
	return []*entry{f.entry(unit.user, attempts...)}
}

func (f *funnel) entry(user event.Value, attempts ...*attempt) *entry {
	return &entry{user, attempts, f.counted(attempts)}
}

// counted returns the entries that count.
func (g *funnelGroup) counted() []*entry {
	var list []*entry
	for _, e := range g.entries {
		if e.best != nil {
			list = append(list, e)
		}
	}
	return list
}

// at returns the attempts with which the entries of a group count at a step, from 0.
func (f *funnel) at(g *funnelGroup, step int) []*attempt {
	var list []*attempt
	for _, e := range g.counted() {
		if a := f.covering(e, step); a != nil {
			list = append(list, a)
		}
	}
	return list
}

// covering returns the attempt with which an entry counts at a step, or nil: its best one or, when the
// funnel is open, any that took the step.
func (f *funnel) covering(e *entry, step int) *attempt {
	switch {
	case e.best.took(step):
		return e.best
	case !f.Open:
		return nil
	}
	others := slices.Clone(e.attempts)
	return f.counted(slices.DeleteFunc(others, func(a *attempt) bool { return a.spoilt || !a.took(step) }))
}

// table makes the rows of the funnel itself: one for each step of each group.
func (f *funnel) table() *rows {
	var sums []string
	for _, named := range f.Sums {
		sums = append(sums, named.Name)
	}
	out := f.in.newResult(f.keys, syntax.FunnelColumns[:], sums)
	for _, g := range f.shown() {
		first, required := 0, 0 // how many got to the first step, and to the last required one before
		for k, s := range f.steps {
			n := len(f.at(g, k))
			if k == 0 {
				first, required = n, n
			}
			dropped, pending := f.left(g, k)
			times := f.stepTimes(g, k)
			out.put(slices.Concat(g.keys, []event.Value{
				event.Int(int64(k + 1)), event.String(s.label()), event.Int(int64(n)), ratio(n, first), ratio(n, required),
				event.Int(int64(dropped)), event.Int(int64(pending)), avg(times), quantile(times, 0.5),
			}, f.sumsOf(g, k))...)
			if !s.Optional() {
				required = n
			}
		}
	}
	return out
}

// label is what the column event says of a step.
func (s *step) label() string {
	if s.Name != "" {
		return s.Name
	}
	if name, ok := s.Selectors[0].EventName(); ok && len(s.Selectors) == 1 {
		return name
	}
	var members []string
	for _, selector := range s.Selectors {
		text := selector.String()
		if len(s.Selectors) > 1 && len(selector.Terms) > 1 {
			text = "(" + text + ")"
		}
		members = append(members, text)
	}
	return strings.Join(members, " & ")
}

// ratio is null where there is nothing to compare with.
func ratio(n, of int) event.Value {
	if of == 0 {
		return event.Null
	}
	return event.Float(float64(n) / float64(of))
}

// left returns how many got to a step and no further without converting, and for how many of them the
// window is still open.
func (f *funnel) left(g *funnelGroup, step int) (dropped, pending int) {
	for _, e := range g.counted() {
		if e.best.furthest() == step && step < f.goal {
			dropped++
			if f.open(e.best) {
				pending++
			}
		}
	}
	return dropped, pending
}

// open reports whether the window of an attempt is open at the snapshot.
func (f *funnel) open(a *attempt) bool { return a.search.deadline >= f.run.now }

// stepTimes returns how long it took to a step from the step taken before.
func (f *funnel) stepTimes(g *funnelGroup, step int) []event.Value {
	var times []event.Value
	for _, e := range g.counted() {
		if a := e.best; a.took(step) && a.before(step) >= 0 {
			times = append(times, event.Duration(a.time(step)-a.time(a.before(step))))
		}
	}
	return times
}

// sumsOf adds up the values on the events of a step.
func (f *funnel) sumsOf(g *funnelGroup, step int) []event.Value {
	var sums []event.Value
	for _, x := range f.sums {
		var values []event.Value
		for _, e := range g.counted() {
			for _, l := range e.best.chain.of(step) {
				values = append(values, x(e.best.search.events[l.at]))
			}
		}
		sums = append(sums, sum(values))
	}
	return sums
}
