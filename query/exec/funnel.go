package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// funnelRun is one run of a funnel.
type funnelRun struct {
	x     *Execution
	feed  feed
	stage *syntax.Funnel
	view  syntax.Stage
	rng   event.TimeRange
	spec  *streamSpec
	p     *pattern

	by, sums []int // columns
	session  int   // the column of session.id, -1: sessions are cut by pauses
	steps    [][]int
	bins     *scalar.Bins // of a trend
	workers  []*streamWorker
	// top, if not nil, are the groups that stay apart, in order, by name; the others fold into one.
	top map[string]int
}

// funnel runs a funnel.
func (x *Execution) funnel(ctx context.Context, f feed, s *syntax.Funnel, view syntax.Stage) (*table, error) {
	r := &funnelRun{x: x, feed: f, stage: s, view: view, rng: f.bounds(), session: -1}
	r.compile()
	if s.Top > 0 {
		if err := r.findTop(ctx); err != nil {
			return nil, err
		}
	}
	if t, ok := view.(*syntax.Trend); ok {
		r.bins = x.Calendar.Bins(t.Every, r.rng.From)
	}
	groups, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	if s.Top > 0 {
		slices.SortStableFunc(groups, func(a, b *funnelGroup) int { return cmp.Compare(r.rank(a), r.rank(b)) })
	}
	return r.table(ctx, groups)
}

// findTop makes a pass to find the groups that stay apart: those with most units at the first step.
func (r *funnelRun) findTop(ctx context.Context) error {
	groups, err := r.run(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(groups, func(a, b *funnelGroup) int { return cmp.Compare(b.counts[0], a.counts[0]) })
	r.top = map[string]int{}
	for i, g := range groups[:min(r.stage.Top, len(groups))] {
		r.top[tupleName(g.keys)] = i
	}
	return nil
}

// folds reports whether a group is folded into others.
func (r *funnelRun) folds(keys []event.Value) bool {
	if r.top == nil {
		return false
	}
	_, apart := r.top[tupleName(keys)]
	return !apart
}

// rank is the place of a group in the answer of a funnel with top groups.
func (r *funnelRun) rank(g *funnelGroup) int {
	if g.folded {
		return len(r.top)
	}
	return r.top[tupleName(g.keys)]
}

func (r *funnelRun) compile() {
	s := r.stage
	spec := &streamSpec{rng: longer(r.rng, s.Within)}
	r.spec = spec
	r.p = newPattern(s.Pattern, s.Within, spec.selector)
	r.p.increasing = s.Increasing
	for i := range r.p.steps {
		r.steps = append(r.steps, r.p.steps[i].selectors)
	}
	for _, e := range s.Except {
		r.p.excepts = append(r.p.excepts, patternExcept{spec.selector(syntax.FirstNone, e.Selector), e.From - 1, e.To - 1, e.Remove})
	}
	for _, e := range s.Hold {
		r.p.hold = append(r.p.hold, spec.column(e))
	}
	for _, n := range s.By {
		r.by = append(r.by, spec.column(n.Expr))
	}
	if r.p.parts = r.p.hold; s.At == syntax.AtAll && !s.Open {
		r.p.parts = slices.Concat(r.p.hold, r.by)
	}
	for _, n := range s.Sums {
		r.sums = append(r.sums, spec.exactColumn(n.Expr.(*syntax.Agg).X))
	}
	spec.whole = r.p.strict
	if s.Count == syntax.CountSessions {
		spec.whole = true
		if id := syntax.SessionColumns[0]; r.feed.has(id) {
			r.session = spec.column(&syntax.Column{Name: id})
		} else {
			spec.rng = earlier(event.TimeRange{From: r.rng.From, To: noLimit}, syntax.SessionGap)
		}
	}
	r.p.finish()
}

// run makes a pass and returns the groups that have anybody, by their keys.
func (r *funnelRun) run(ctx context.Context) ([]*funnelGroup, error) {
	workers, err := r.feed.run(ctx, r.spec, func(w *streamWorker) (streamConsumer, error) { return r.newWorker(w), nil })
	if err != nil {
		return nil, err
	}
	r.workers = workers
	byName := map[string]*funnelGroup{}
	var list []*funnelGroup
	for _, w := range workers {
		f := w.consumer.(*funnelWorker)
		for n, g := range f.groups {
			g.keys = f.keysOf(uint32(n))
			name := tupleName(g.keys)
			if g.folded {
				name = "other"
			}
			if have := byName[name]; have != nil {
				have.merge(g)
				continue
			}
			byName[name] = g
			list = append(list, g)
		}
	}
	if len(r.by) == 0 && len(list) == 0 {
		list = []*funnelGroup{r.newGroup()}
	}
	if err := r.nameKeys(list); err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(g *funnelGroup) bool { return len(r.by) > 0 && !g.any })
	slices.SortFunc(list, func(a, b *funnelGroup) int { return compareRows(a.keys, b.keys) })
	return list, nil
}

// nameKeys turns dense ids among the keys of groups into the names of users.
func (r *funnelRun) nameKeys(list []*funnelGroup) error {
	t := &table{}
	for _, g := range list {
		t.rows = append(t.rows, row{values: g.keys})
	}
	return r.x.nameRows(context.Background(), t, len(r.by))
}

// funnelGroup is what a funnel knows of one group.
type funnelGroup struct {
	keys   []event.Value
	folded bool // stands for all groups but the top ones
	any    bool // somebody is in it

	counts  []int64 // by step: units that took it
	dropped []int64 // by step: units that got no further
	pending []int64
	spans   [][]int64           // by step: nanoseconds from the step taken before; of a times view: at 0 those asked for
	sums    []*momentsAggregate // by step; groups are the sums
	trend   map[int64]*[2]int64 // by bucket: entered, converted
	users   []funnelUser
}

// funnelUser is a user in a view that lists users.
type funnelUser struct {
	user uint32
	step int32 // from 0
	at   int64 // time of the step
}

func (r *funnelRun) newGroup() *funnelGroup {
	n := len(r.p.steps)
	g := &funnelGroup{counts: make([]int64, n), dropped: make([]int64, n), pending: make([]int64, n), spans: make([][]int64, n)}
	if len(r.sums) > 0 {
		for range n {
			m := &momentsAggregate{}
			m.resize(len(r.sums))
			g.sums = append(g.sums, m)
		}
	}
	if r.bins != nil {
		g.trend = map[int64]*[2]int64{}
	}
	return g
}

func (g *funnelGroup) merge(o *funnelGroup) {
	g.any = g.any || o.any
	for k := range g.counts {
		g.counts[k] += o.counts[k]
		g.dropped[k] += o.dropped[k]
		g.pending[k] += o.pending[k]
		g.spans[k] = append(g.spans[k], o.spans[k]...)
	}
	for k, m := range g.sums {
		for i := range uint32(len(m.numbersOf)) {
			m.merge(o.sums[k], i, i)
		}
	}
	for at, n := range o.trend {
		cell := g.cell(at)
		cell[0] += n[0]
		cell[1] += n[1]
	}
	g.users = append(g.users, o.users...)
}

func (g *funnelGroup) cell(at int64) *[2]int64 {
	if g.trend[at] == nil {
		g.trend[at] = &[2]int64{}
	}
	return g.trend[at]
}
