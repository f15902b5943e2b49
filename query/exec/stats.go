package exec

import (
	"context"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// aggSpec is one aggregate of a stats, and which state holds it.
type aggSpec struct {
	agg   *syntax.Agg
	state int
}

// stateSpec is a state that one or several aggregates share: sum and avg of the same argument, or
// several quantiles.
type stateSpec struct {
	agg  *syntax.Agg // one of them
	cond int         // number of the condition, -1 for none
	qs   []float64
}

// statsSpec is what the aggregates of a stats need: distinct states and distinct conditions.
type statsSpec struct {
	aggs   []aggSpec
	states []stateSpec
	conds  []syntax.Expr
}

// family groups the aggregates that share a state.
func family(f syntax.AggFunc) syntax.AggFunc {
	switch f {
	case syntax.AggAvg:
		return syntax.AggSum
	case syntax.AggMax:
		return syntax.AggMin
	case syntax.AggMedian:
		return syntax.AggQuantile
	case syntax.AggLast:
		return syntax.AggFirst
	}
	return f
}

func newStatsSpec(aggs []*syntax.Agg) *statsSpec {
	s := &statsSpec{}
	for _, a := range aggs {
		s.aggs = append(s.aggs, aggSpec{a, s.state(a)})
	}
	return s
}

func (s *statsSpec) state(a *syntax.Agg) int {
	i := slices.IndexFunc(s.states, func(have stateSpec) bool {
		return family(have.agg.Func) == family(a.Func) && a.Func != syntax.AggTopK && a.Func != syntax.AggHist &&
			syntax.Equal(have.agg.X, a.X) && syntax.Equal(have.agg.If, a.If)
	})
	if i < 0 {
		i = len(s.states)
		s.states = append(s.states, stateSpec{agg: a, cond: s.cond(a.If)})
	}
	if family(a.Func) == syntax.AggQuantile && !slices.Contains(s.states[i].qs, a.Q) {
		s.states[i].qs = append(s.states[i].qs, a.Q)
	}
	return i
}

func (s *statsSpec) cond(e syntax.Expr) int {
	if e == nil {
		return -1
	}
	i := slices.IndexFunc(s.conds, func(have syntax.Expr) bool { return syntax.Equal(have, e) })
	if i < 0 {
		i = len(s.conds)
		s.conds = append(s.conds, e)
	}
	return i
}

// newStates makes the states of a worker. bind gives the input of an argument.
func (x *Execution) newStates(s *statsSpec) ([]aggregate, error) {
	states := make([]aggregate, len(s.states))
	for i, spec := range s.states {
		var err error
		if states[i], err = x.newState(s, spec); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (x *Execution) newState(s *statsSpec, spec stateSpec) (aggregate, error) {
	a := spec.agg
	switch a.Func {
	case syntax.AggCount:
		return &countAggregate{}, nil
	case syntax.AggUsers:
		if x.byID() {
			return x.newUsersAggregate(), nil
		}
		in, err := x.newInput(x.actorColumn())
		if err != nil {
			return nil, err
		}
		return x.newDistinct(in), nil
	case syntax.AggDistinct:
		if isSessionID(a.X) && x.made != nil {
			return &sessionCount{}, nil
		}
	}
	in, err := x.newInput(a.X)
	if err != nil {
		return nil, err
	}
	switch family(a.Func) {
	case syntax.AggSum, syntax.AggStddev:
		return x.newMoments(in, a.Func == syntax.AggStddev), nil
	case syntax.AggMin:
		return x.newExtreme(in), nil
	case syntax.AggFirst:
		return x.newOrder(in), nil
	case syntax.AggQuantile:
		q := x.newQuantile(in)
		q.qs = spec.qs
		return q, nil
	case syntax.AggDistinct:
		return x.newDistinct(in), nil
	case syntax.AggTopK:
		return x.newTopK(in), nil
	case syntax.AggHist:
		if len(a.Edges) > 0 {
			return x.newEdges(in, a.Edges), nil
		}
		return x.newHist(in), nil
	}
	return nil, syntax.Errorf(a.Pos, "%s cannot be evaluated", a.Func)
}

// statsPass is one pass over events: groups by keys, and states for each.
type statsPass struct {
	x     *Execution
	spec  *statsSpec
	keys  []syntax.Named
	conds []*condition
	time  int
	cuts  []int64 // not nil: key time is the stretch between two cuts, not a bin
}

// statsWorker is a statsPass's consumer.
type statsWorker struct {
	pass    *statsPass
	table   *groupTable
	states  []aggregate
	filters []*blockFilter // of the conditions, for the open segment
	tests   []*rowTest     // instead of filters, where rows have computed columns
	scratch scratch
	pairs   *pairCounter // not nil: stands in for groups
	subset  []uint16
	groups  []uint32
	gids    []uint32 // serves takeUser
	sized   int      // up to which group the states have room, for takeUser
}

func (p *statsPass) newWorker() (consumer, error) {
	var inputs []*input
	for i, k := range p.keys {
		in, err := p.x.newInput(k.Expr)
		if err != nil {
			return nil, err
		}
		if p.cuts != nil && i == p.time {
			in.cuts = p.cuts
		}
		inputs = append(inputs, in)
	}
	w := &statsWorker{pass: p, table: p.x.newGroupTable(inputs)}
	var err error
	if w.states, err = p.x.newStates(p.spec); err != nil {
		return nil, err
	}
	w.filters = make([]*blockFilter, len(p.conds))
	if p.x.made != nil {
		for _, e := range p.spec.conds {
			t, err := p.x.newRowTest(e)
			if err != nil {
				return nil, err
			}
			w.tests = append(w.tests, t)
		}
		w.resize()
		return w, nil
	}
	if w.countsOnly() {
		w.pairs = &pairCounter{table: w.table}
	}
	w.resize()
	return w, nil
}

func (w *statsWorker) resize() {
	n := w.table.len()
	for _, s := range w.states {
		s.resize(n)
	}
}

// open implements consumer.
func (w *statsWorker) open(v *view) error {
	if err := w.table.open(v); err != nil {
		return err
	}
	for _, s := range w.states {
		if err := s.open(v); err != nil {
			return err
		}
	}
	for _, t := range w.tests {
		if err := t.open(v); err != nil {
			return err
		}
	}
	if w.tests != nil {
		return nil
	}
	for i, c := range w.pass.conds {
		b, err := w.pass.x.bind(c, v)
		if err != nil {
			return err
		}
		w.filters[i] = newBlockFilter(w.pass.x, v, b.resolve(), &w.scratch)
	}
	return nil
}

// take implements consumer.
func (w *statsWorker) take(b *batch) error {
	if w.pairs != nil {
		if ok, err := w.pairs.take(b, w.states[0].(*countAggregate)); ok || err != nil {
			return err
		}
	}
	groups, err := w.table.groups(b)
	if err != nil {
		return err
	}
	w.resize()
	return w.feed(b, groups)
}

// feed feeds the states with a batch.
func (w *statsWorker) feed(b *batch, groups []uint32) error {
	for i, s := range w.states {
		if w.pass.spec.states[i].cond < 0 {
			if err := s.update(b, groups); err != nil {
				return err
			}
		}
	}
	for c := range w.pass.conds {
		var err error
		if w.tests != nil {
			err = w.takeTested(c, b, groups)
		} else {
			err = w.takeIf(c, b, groups)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeIf feeds the states of a condition with the rows of a batch that fulfil it.
func (w *statsWorker) takeIf(c int, b *batch, groups []uint32) error {
	f := w.filters[c]
	some := *b
	if !f.bound.full() {
		if w.subset == nil {
			w.subset = make([]uint16, 0, b.view.reader.BlockRows()+1)
		}
		sel, err := f.apply(f.bound, b.block, b.sel, w.subset[:0])
		if err != nil || len(sel) == 0 {
			return err
		}
		w.subset = sel[:0]
		some.sel, some.n = sel, len(sel)
		if groups != nil {
			groups = w.groupsOf(b, sel, groups)
		}
	}
	for i, s := range w.states {
		if w.pass.spec.states[i].cond == c {
			if err := s.update(&some, groups); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupsOf returns the groups of some of the rows of a batch.
func (w *statsWorker) groupsOf(b *batch, sel []uint16, groups []uint32) []uint32 {
	out := w.groups[:0]
	if b.sel == nil {
		for _, row := range sel {
			out = append(out, groups[row])
		}
	} else {
		at := 0
		for _, row := range sel {
			for b.sel[at] != row {
				at++
			}
			out = append(out, groups[at])
		}
	}
	w.groups = out
	return out
}

// flush brings groups up to date with what was counted beside them.
func (w *statsWorker) flush() {
	if w.pairs != nil {
		w.pairs.flush(w.states[0].(*countAggregate))
	}
	w.resize()
}

// merge adds the groups and states of another worker.
func (w *statsWorker) merge(ctx context.Context, o *statsWorker) error {
	to, err := w.table.merge(ctx, o.table)
	if err != nil {
		return err
	}
	w.resize()
	for from, group := range to {
		if err := interrupted(ctx, from); err != nil {
			return err
		}
		for i, s := range w.states {
			s.merge(o.states[i], uint32(from), group)
		}
	}
	return nil
}

// run makes the pass and returns the worker that holds all.
func (p *statsPass) run(ctx context.Context, rng event.TimeRange, filter *condition) (*statsWorker, error) {
	p.x.readRange = rng
	s, err := p.x.newScan(ctx, rng, filter)
	if err != nil {
		return nil, err
	}
	workers, err := s.run(ctx, p.newWorker)
	if err != nil {
		return nil, err
	}
	var list []*statsWorker
	for _, w := range workers {
		list = append(list, w.(*statsWorker))
	}
	return p.join(ctx, list)
}

// join returns a worker that holds all that several do.
func (p *statsPass) join(ctx context.Context, workers []*statsWorker) (*statsWorker, error) {
	for _, w := range workers {
		w.flush()
	}
	for _, w := range workers[1:] {
		if err := p.x.Budget.Err(); err != nil {
			return nil, err
		}
		if err := workers[0].merge(ctx, w); err != nil {
			return nil, err
		}
	}
	return workers[0], p.x.Budget.Err()
}

// bounded reports whether a range has a beginning, and an end.
func bounded(r event.TimeRange) (from, to bool) {
	return r.From != math.MinInt64, r.To != math.MaxInt64
}

// columnNames returns the names of the columns that a stats makes: the keys, then the aggregates.
func columnNames(keys, aggs []syntax.Named) []string {
	var names []string
	for _, n := range keys {
		names = append(names, n.Name)
	}
	for _, n := range aggs {
		names = append(names, n.Name)
	}
	return names
}

// finisher evaluates the expressions over aggregates of a stats, such as count(a) / count().
type finisher struct {
	aggs  []*syntax.Agg // distinct, by slot
	funcs []scalar.Func
}

func (x *Execution) newFinisher(list []syntax.Named) (*finisher, error) {
	f := &finisher{}
	env := x.environment(func(e syntax.Expr) (int, error) {
		a, ok := e.(*syntax.Agg)
		if !ok {
			return 0, syntax.Errorf(e.Position(), "expected an aggregate")
		}
		for i, have := range f.aggs {
			if syntax.Equal(have, a) {
				return i, nil
			}
		}
		f.aggs = append(f.aggs, a)
		return len(f.aggs) - 1, nil
	})
	for _, n := range list {
		fn, err := scalar.Compile(n.Expr, env)
		if err != nil {
			return nil, err
		}
		f.funcs = append(f.funcs, fn)
	}
	return f, nil
}
