package reference

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// sessionPause is the pause that ends a session where no stage says it.
const sessionPause = syntax.SessionGap

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

// attempt is how far one start leads.
type attempt struct {
	search *search
	chain  chain
	times  []int64 // of the steps taken
	spoilt bool    // by an exclusion with remove
}

func (a *attempt) first() *row { return a.search.events[a.chain[0].at] }

func (a *attempt) start() int64 { return a.first().event.Time }

func (a *attempt) furthest() int { return a.chain.last().step }

func (a *attempt) took(step int) bool { return a.search.reached(a.chain, step) }

func (a *attempt) time(step int) int64 { return a.search.stepTime(a.chain, step) }

// compare orders attempts by their chains alone.
func (a *attempt) compare(b *attempt) int { return compareChains(a.chain, b.chain, a.times, b.times) }

// deeper orders attempts by how far they got, then by how many steps they took on the way.
func (a *attempt) deeper(b *attempt) int {
	return cmp.Or(cmp.Compare(b.furthest(), a.furthest()), cmp.Compare(len(b.times), len(a.times)))
}

// before returns the step taken before another one, or -1.
func (a *attempt) before(step int) int {
	for step--; step >= 0 && !a.took(step); {
		step--
	}
	return step
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
		return cutByPause(list, sessionPause, 0)
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

// share is the part of a stream that belongs to one value of the breakdown.
type share struct {
	keys []event.Value
	may  demand
}

// breakdown returns the groups that a unit is in.
func (f *funnel) breakdown(events []*row) []share {
	anything := func(int, *row) bool { return true }
	if len(f.By) == 0 {
		return []share{{nil, anything}}
	}
	switch f.At {
	case syntax.AtFirst:
		return []share{{f.extremeKeys(events, -1), anything}}
	case syntax.AtLast:
		return []share{{f.extremeKeys(events, 1), anything}}
	}
	at := max(f.AtStep, 1) - 1
	if f.At == syntax.AtAll {
		at = 0
	}
	var values groups
	for _, x := range events {
		if f.steps[at].servedBy(x) && f.mayTake(at, x) {
			values.find(f.keysOf(x))
		}
	}
	var shares []share
	for _, v := range values.list {
		shares = append(shares, share{v.keys, func(step int, x *row) bool {
			return step != at && f.At != syntax.AtAll || slices.Equal(f.keysOf(x), v.keys)
		}})
	}
	return shares
}

// mayTake reports whether an event lies where attempts of the range take events for a step.
func (f *funnel) mayTake(step int, x *row) bool {
	if step == 0 {
		return f.in.inRange(x.event.Time)
	}
	rng := f.in.rng
	return x.event.Time >= rng.From && (rng.To == math.MaxInt64 || x.event.Time < later(rng.To, f.Within))
}

// extremeKeys returns the first value, with sign -1, or the last, with 1, of every key on the events that
// serve any step.
func (f *funnel) extremeKeys(events []*row, sign int) []event.Value {
	var keys []event.Value
	for _, by := range f.by {
		var values []event.Value
		var with []*row
		for _, x := range events {
			serves := slices.ContainsFunc(f.steps, func(s *step) bool { return s.servedBy(x) })
			if v := by(x); v.Exists() && serves && f.mayTake(1, x) {
				values, with = append(values, v), append(with, x)
			}
		}
		keys = append(keys, key(byTime(values, with, sign)))
	}
	return keys
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

// attempts returns those that start with one event: one, or with `open` one for every step that it can
// start.
func (f *funnel) attempts(events []*row, at int, may demand, used map[int]bool) []*attempt {
	start := events[at]
	held := keysOf(start, f.hold)
	if !f.in.inRange(start.event.Time) || slices.Contains(held, event.Null) {
		return nil
	}
	s := &search{
		pattern: f.pattern, events: events, deadline: later(start.event.Time, f.Within), used: used,
		may: func(step int, x *row) bool { return may(step, x) && slices.Equal(keysOf(x, f.hold), held) },
	}
	for i, matches := range f.excepts {
		e := &exclusion{Except: f.Except[i]}
		for _, x := range events {
			if matches(x) && f.couldHold(x, held) {
				e.times = append(e.times, x.event.Time)
			}
		}
		s.excepts = append(s.excepts, e)
	}
	var list []*attempt
	for step := range f.steps {
		if c := s.best(s.begin(at, step)); c != nil {
			list = append(list, &attempt{s, c, s.times(c), s.spoilt(c)})
		}
		if !f.Open {
			break
		}
	}
	return list
}

// couldHold reports whether an event has no other value than those held.
func (f *funnel) couldHold(x *row, held []event.Value) bool {
	for i, v := range keysOf(x, f.hold) {
		if v.Exists() && v != held[i] {
			return false
		}
	}
	return true
}

// spoilt reports whether an event excluded with remove lies in the way of a chain; where the step that ends
// the exclusion is not reached, up to the deadline.
func (s *search) spoilt(c chain) bool {
	for _, e := range s.excepts {
		from, to, begun, ended := s.span(c, e)
		if e.Remove && begun && (e.between(from, to) || !ended && e.first(from, s.deadline) >= 0) {
			return true
		}
	}
	return false
}

// first returns the time of the first event excluded after one instant and not after another, or -1.
func (e *exclusion) first(after, until int64) int64 {
	for _, at := range e.times {
		if at > after && at <= until {
			return at
		}
	}
	return -1
}

// counted returns the attempt that counts, of all attempts of a unit: of the deepest that are not spoilt
// the earliest or, with `entry latest`, the latest.
func (f *funnel) counted(attempts []*attempt) *attempt {
	list := slices.SortedStableFunc(slices.Values(attempts), f.compareAttempts)
	for _, a := range list {
		if a.deeper(list[0]) == 0 && !a.spoilt {
			return a
		}
	}
	return nil
}

// compareAttempts orders the attempts of a user, the one that counts first.
func (f *funnel) compareAttempts(a, b *attempt) int {
	byTime := cmp.Compare(a.start(), b.start())
	if f.Latest {
		byTime = -byTime
	}
	return cmp.Or(a.deeper(b), byTime, compareInTime(a.first(), b.first()), a.compare(b))
}

// totals returns the attempts of a unit that are made one after the other, by start. With hold, each
// combination of values has attempts of its own.
func (f *funnel) totals(events []*row, may demand) []*attempt {
	var list []*attempt
	used := map[int]bool{}
	next := map[string]int64{} // by the values held: the first instant at which an attempt may start
	for at, start := range events {
		held := nameOf(keysOf(start, f.hold))
		if free, ended := next[held]; used[at] || ended && start.event.Time < free {
			continue
		}
		a := f.deepest(f.attempts(events, at, may, used))
		if a == nil {
			continue
		}
		list = append(list, a)
		for _, l := range a.chain {
			used[l.at] = true
		}
		next[held] = f.end(a)
	}
	return list
}

// deepest returns the best attempt of one start, or nil.
func (f *funnel) deepest(attempts []*attempt) *attempt {
	if len(attempts) == 0 {
		return nil
	}
	return slices.MinFunc(attempts, (*attempt).compare)
}

// end returns the first instant at which another attempt may start: with the last event when it converted,
// else with the first excluded event, or after the deadline.
func (f *funnel) end(a *attempt) int64 {
	s := a.search
	if a.furthest() >= f.goal {
		return s.time(a.chain.last())
	}
	end := later(s.deadline, 1)
	for _, e := range s.excepts {
		from, _, begun, ended := s.span(a.chain, e)
		if at := e.first(from, s.deadline); !e.Remove && begun && !ended && at >= 0 {
			end = min(end, at)
		}
	}
	return end
}

// fold puts all groups but those with most entries at step 1 into one, and orders the groups so.
func (f *funnel) fold() {
	slices.SortStableFunc(f.groups, func(a, b *funnelGroup) int {
		return cmp.Compare(len(f.at(b, 0)), len(f.at(a, 0)))
	})
	if len(f.groups) <= f.Top {
		return
	}
	other := &funnelGroup{keys: []event.Value{event.String("other")}}
	for range f.keys[1:] {
		other.keys = append(other.keys, event.Null)
	}
	attempts := map[event.Value][]*attempt{}
	var users []event.Value
	for _, g := range f.groups[f.Top:] {
		for _, e := range g.entries {
			if f.Count != syntax.CountUsers {
				other.entries = append(other.entries, e)
				continue
			}
			if attempts[e.user] == nil {
				users = append(users, e.user)
			}
			attempts[e.user] = append(attempts[e.user], e.attempts...)
		}
	}
	for _, u := range users {
		other.entries = append(other.entries, f.entry(u, attempts[u]...))
	}
	f.groups = append(f.groups[:f.Top], other)
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
	if e.best.took(step) || !f.Open {
		if e.best.took(step) {
			return e.best
		}
		return nil
	}
	return f.counted(slices.DeleteFunc(slices.Clone(e.attempts), func(a *attempt) bool { return a.spoilt || !a.took(step) }))
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
func (f *funnel) open(a *attempt) bool { return a.search.deadline > f.run.now }

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
