package exec

import (
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// turnout is who did events of some names, slot of time by slot: sets of dense users that come from the
// directories of segments. Only of segments that lie in several slots rows are read.
type turnout struct {
	condition *condition // tests nothing but names; nil lets all through
	edges     []int64    // slot i is [edges[i], edges[i+1])
	users     []userBits // by slot
}

func newTurnout(c *condition, edges []int64) *turnout {
	return &turnout{condition: c, edges: edges, users: make([]userBits, max(0, len(edges)-1))}
}

// slot returns the slot of an instant: -1 before the first, the number of slots behind the last.
func (t *turnout) slot(at int64) int {
	if at == noLimit {
		at-- // the last of all instants lies in a slot without an end
	}
	return min(len(t.users), sort.Search(len(t.edges), func(i int) bool { return t.edges[i] > at })-1)
}

// turnouts fills several turnouts in one pass.
type turnouts struct {
	x     *Execution
	list  []*turnout
	words int        // of sets
	mu    sync.Mutex // guards the sets of list while rows are read
}

// namesOnly reports whether a condition looks at nothing but the event's name; see nameTable.
func namesOnly(c *condition) bool {
	if c == nil || c.op != conditionLeaf {
		return c == nil || !slices.ContainsFunc(c.kids, func(kid *condition) bool { return !namesOnly(kid) })
	}
	if len(c.refs) != 1 || c.refs[0].source != sourceEvent {
		return false
	}
	return !slices.ContainsFunc(c.program.leaves, func(l leaf) bool { return l.perUser != nil })
}

// byNames returns the feed and the conditions of selectors if these and the filter test nothing but names,
// so that a turnout knows all about them.
func (x *Execution) byNames(ctx context.Context, f feed, selectors ...*syntax.Selector) (*storedFeed, []*condition, error) {
	stored, ok := f.(*storedFeed)
	if !ok || !x.testsNames(stored.plan, selectors) || !namesOnly(stored.filter) {
		return nil, nil, nil
	}
	var list []*condition
	for _, s := range selectors {
		c, err := stored.condition(ctx, stepSelector{syntax.FirstNone, s})
		if err != nil || !namesOnly(c) {
			return nil, nil, err
		}
		list = append(list, c)
	}
	return stored, list, nil
}

// testsNames reports whether the filter of a pipeline and selectors behind its stages test nothing but the
// event's name, and directories may be asked for the users of names.
func (x *Execution) testsNames(p *plan.Pipeline, selectors []*syntax.Selector) bool {
	if !x.byID() || x.Knobs.NoShortcut || x.Knobs.NoDictEval || !onNames(p.Filter) {
		return false
	}
	return !slices.ContainsFunc(selectors, func(s *syntax.Selector) bool { return !onNames(plan.StepSelector(s, p.Row)) })
}

// onNames reports whether a resolved expression depends on nothing but the event's name.
func onNames(e syntax.Expr) bool {
	only := true
	plan.Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			only = only && e.Scope == syntax.ScopeRow && e.Name == syntax.ColumnEvent
		case *syntax.Did, *syntax.FirstTime, *syntax.UserIn:
			only = false
		}
		return only
	})
	return only
}

// passing is the condition of the events that pass the filter too.
func (f *storedFeed) passing(c *condition) *condition {
	switch {
	case c == nil:
		return f.filter
	case f.filter == nil:
		return c
	}
	return join(conditionAnd, f.filter, c)
}

// turnoutBytes is how much the sets of turnouts may take at most, if the query may use twice as much: with
// more, the events are read.
const turnoutBytes = 512 << 20

// newTurnouts prepares turnouts with so many slots altogether; ok is false if they take too much memory.
func (x *Execution) newTurnouts(slots int) (t *turnouts, ok bool) {
	t = &turnouts{x: x, words: userBitsWords(x.Source.UserCount())}
	most := int64(turnoutBytes)
	if limit := x.Budget.limit; limit > 0 {
		most = min(most, (limit-x.Budget.Used())/2)
	}
	return t, int64(slots)*8*int64(t.words) <= most
}

func (t *turnouts) add(c *condition, edges []int64) *turnout {
	one := newTurnout(c, edges)
	t.list = append(t.list, one)
	return one
}

// read fills the turnouts.
func (t *turnouts) read(ctx context.Context) error {
	any := &condition{op: conditionOr}
	rng := event.TimeRange{From: noLimit, To: noPast}
	for _, one := range t.list {
		if len(one.users) == 0 {
			continue
		}
		rng.From, rng.To = min(rng.From, one.edges[0]), max(rng.To, one.edges[len(one.users)])
		if one.condition == nil || any == nil {
			any = nil
			continue
		}
		any.kids = append(any.kids, one.condition)
	}
	scan, err := t.x.newScan(ctx, rng, any)
	if err != nil {
		return err
	}
	all := scan.views
	scan.views = nil
	for _, v := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := t.x.Budget.Err(); err != nil {
			return err
		}
		spread := false
		for _, one := range t.list {
			if len(one.users) == 0 {
				continue
			}
			slot := one.slot(v.info.TimeMin)
			if slot != one.slot(v.info.TimeMax) {
				spread = true
				continue
			}
			if slot >= 0 && slot < len(one.users) {
				if err := t.addSegment(one, slot, v.view); err != nil {
					return err
				}
			}
		}
		if spread {
			scan.views = append(scan.views, v)
		}
	}
	if len(scan.views) == 0 {
		return nil
	}
	return t.readRows(ctx, scan)
}

// addSegment adds the users of a segment to a slot.
func (t *turnouts) addSegment(one *turnout, slot int, v *view) error {
	table, _, err := t.x.nameTable(one.condition, v)
	if err != nil {
		return err
	}
	before := len(one.users[slot])
	if !slices.Contains(table, false) {
		users, err := v.reader.AllUsers()
		if err != nil {
			return err
		}
		one.users[slot] = one.users[slot].with(users, t.words)
		table = nil
	}
	for code, wanted := range table {
		if !wanted {
			continue
		}
		users, err := v.reader.EventUsers(uint32(code))
		if err != nil {
			return err
		}
		one.users[slot] = one.users[slot].with(users, t.words)
	}
	t.x.Budget.Add("users by period", 8*(len(one.users[slot])-before))
	return nil
}

// readRows adds the users of the rows of a scan.
func (t *turnouts) readRows(ctx context.Context, scan *scan) error {
	t.x.readRange, t.x.columns = scan.rng, []columnRef{{source: sourceEvent}, {source: sourceTime}}
	_, err := scan.run(ctx, func() (consumer, error) {
		return &turnoutWorker{t: t, users: make([][]userBits, len(t.list))}, nil
	})
	return err
}

// turnoutWorker is a consumer of the rows of segments that lie in several slots.
type turnoutWorker struct {
	t *turnouts
	// users are the sets by turnout and slot that the segment at hand needs; workers share them.
	users  [][]userBits
	wanted []uint8 // by code: the turnouts that take the event and have the segment in several slots, a bit each
	codes  []uint32
	times  []int64
	ids    []uint32
}

func (w *turnoutWorker) whole(*view, *bound) (bool, error) { return false, nil }

func (w *turnoutWorker) open(v *view) error {
	w.wanted = append(w.wanted[:0], make([]uint8, len(v.info.Events))...)
	for i, one := range w.t.list {
		first, last := one.slot(v.info.TimeMin), one.slot(v.info.TimeMax)
		if first == last {
			continue // taken as a whole
		}
		w.users[i] = w.t.sets(one, first, last)
		table, _, err := w.t.x.nameTable(one.condition, v)
		if err != nil {
			return err
		}
		for code, wanted := range table {
			if wanted {
				w.wanted[code] |= 1 << i
			}
		}
	}
	return nil
}

// sets returns the sets of a turnout, with those of the slots first to last ready for members.
func (t *turnouts) sets(one *turnout, first, last int) []userBits {
	t.mu.Lock()
	defer t.mu.Unlock()
	for slot := max(first, 0); slot <= min(last, len(one.users)-1); slot++ {
		if one.users[slot] == nil {
			one.users[slot] = make(userBits, t.words)
			t.x.Budget.Add("users by period", 8*t.words)
		}
	}
	return slices.Clone(one.users)
}

func (w *turnoutWorker) take(b *batch) error {
	names, err := b.view.reader.Event().Block(b.block)
	if err != nil {
		return err
	}
	times, err := b.view.reader.Time().Block(b.block)
	if err != nil {
		return err
	}
	w.codes = names.Codes(w.codes[:0], b.sel)
	w.times = times.Ints(w.times[:0], b.sel)
	if w.ids, err = b.users(w.ids[:0]); err != nil {
		return err
	}
	for i, one := range w.t.list {
		w.takeFor(i, one)
	}
	return nil
}

// takeFor adds the users of the rows at hand to a turnout.
func (w *turnoutWorker) takeFor(i int, one *turnout) {
	slot := -1
	var from, to int64 // of the slot
	for row, code := range w.codes {
		id := w.ids[row]
		if w.wanted[code]&(1<<i) == 0 || id == 0 {
			continue
		}
		if at := w.times[row]; at < from || at >= to {
			slot = one.slot(at)
			from, to = one.bounds(slot)
		}
		if slot < 0 || slot >= len(one.users) {
			continue
		}
		word, bit := &w.users[i][slot][id>>6], uint64(1)<<(id&63)
		if atomic.LoadUint64(word)&bit == 0 {
			atomic.OrUint64(word, bit)
		}
	}
}

// bounds returns between which instants, [from, to), the slot is a certain one.
func (t *turnout) bounds(slot int) (from, to int64) {
	from, to = noPast, noLimit
	if slot >= 0 {
		from = t.edges[slot]
	}
	if slot+1 < len(t.edges) {
		to = t.edges[slot+1]
	}
	return from, to
}

// coversNames reports whether every stored event that fulfils a condition on names passes the filter as
// well.
func (f *storedFeed) coversNames(ctx context.Context, c *condition) (bool, error) {
	if f.filter == nil {
		return true, nil
	}
	readers, err := f.x.Source.Segments(ctx, event.AllTime)
	if err != nil {
		return false, err
	}
	for _, r := range readers {
		v := newView(r)
		passes, _, err := f.x.nameTable(f.filter, v)
		if err != nil {
			return false, err
		}
		wanted, _, err := f.x.nameTable(c, v)
		if err != nil {
			return false, err
		}
		for code := range wanted {
			if wanted[code] && !passes[code] {
				return false, nil
			}
		}
	}
	return true, nil
}

// expired returns who cannot have a first match of a selector among stored events.
func (t *turnouts) expired(ctx context.Context, s *syntax.Selector) (userBits, error) {
	users, err := t.x.expiredUsers(s, func() ([]string, error) { return t.x.storedNames(ctx) })
	if err != nil || users == nil {
		return nil, err
	}
	users.RemoveRange(uint64(64*t.words), 1<<32)
	return userBits(nil).with(users, t.words), nil
}

// answeredByBitmaps reports whether the operator of a pipeline is answered from the users of event names in
// the directories of segments, so that rows are read only of segments that lie in several periods.
func (x *Execution) answeredByBitmaps(p *plan.Pipeline) bool {
	op, ok := p.First.(*plan.Behaviour)
	if !ok {
		return false
	}
	switch s := op.Stage.(type) {
	case *syntax.Retention:
		return countsUsersOnly(s) && x.testsNames(p, []*syntax.Selector{s.Start, s.Return})
	case *syntax.Lifecycle:
		return x.testsNames(p, []*syntax.Selector{s.Selector})
	case *syntax.Stickiness:
		return s.Min == 1 && x.testsNames(p, []*syntax.Selector{s.Selector})
	}
	return false
}
