package exec

import (
	"context"
	"slices"
	"sort"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// stats is the stage on a table. filled says that a fill stage follows.
func (x *Execution) stats(ctx context.Context, t *table, s *syntax.Stats, filled bool) (*table, error) {
	run := x.newStatsRun(s.Keys, s.Aggs, t.rng)
	run.fill = run.time >= 0 && !filled && timeKeys(s.Keys) == 1
	run.collect = x.tableCollector(t, s.Keys, run.time)
	return run.rows(ctx)
}

// newStatsRun is a run of a stats or top with these keys and aggregates, as written.
func (x *Execution) newStatsRun(keys, aggs []syntax.Named, rng event.TimeRange) *statsRun {
	r := &statsRun{x: x, keys: keys, aggs: aggs, time: syntax.TimeKey(keys), rng: rng}
	if r.time >= 0 {
		r.bin = keys[r.time].Expr.(*syntax.Bin)
	}
	return r
}

// timeKeys counts the keys that bin time.
func timeKeys(keys []syntax.Named) int {
	n := 0
	for i := range keys {
		if syntax.TimeKey(keys[i:i+1]) >= 0 {
			n++
		}
	}
	return n
}

// tableCollector groups and aggregates the rows of a table.
func (x *Execution) tableCollector(t *table, keys []syntax.Named, timeKey int) collector {
	return func(ctx context.Context, aggs []*syntax.Agg, cuts []int64) (*grouped, error) {
		spec := newStatsSpec(aggs)
		var exprs []syntax.Expr
		for _, k := range keys {
			exprs = append(exprs, k.Expr)
		}
		fs, err := x.exprs(t, exprs)
		if err != nil {
			return nil, err
		}
		at, err := x.value(t, &syntax.Column{Name: syntax.ColumnTime})
		if err != nil {
			return nil, err
		}
		if t.events {
			at = func(r *row) event.Value { return event.Time(r.event.Time) }
		}
		if cuts != nil {
			fs[timeKey] = func(r *row) event.Value { return cutOf(cuts, at(r)) }
		}
		c := &tableStates{x: x, t: t, spec: spec}
		if err := c.compile(); err != nil {
			return nil, err
		}
		groups := x.newTuples(len(keys))
		user := x.user(t)
		values := make([]event.Value, len(keys))
		for _, s := range c.states {
			s.resize(groups.len())
		}
		for i := range t.rows {
			if i%4096 == 0 && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			r := &t.rows[i]
			for j, f := range fs {
				values[j] = f(r)
			}
			if cuts != nil && values[timeKey].Kind() != event.KindTime {
				continue
			}
			g := groups.number(values)
			c.add(g, r, rowValue{time: at(r), user: user(r)})
		}
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		return &grouped{
			spec: spec, groups: groups.len(), values: groups.values, states: c.states,
			fresh: func() ([]aggregate, error) {
				other := &tableStates{x: x, t: t, spec: spec}
				err := other.compile()
				return other.states, err
			},
		}, nil
	}
}

// cutOf returns the stretch between cuts that an instant lies in, as the cut where it begins.
func cutOf(cuts []int64, at event.Value) event.Value {
	if at.Kind() != event.KindTime {
		return event.Value{}
	}
	i := sort.Search(len(cuts), func(i int) bool { return cuts[i] > at.AsInt() }) - 1
	if i < 0 {
		return event.Value{}
	}
	return event.Time(cuts[i])
}

// tableStates feeds the rows of a table to states.
type tableStates struct {
	x      *Execution
	t      *table
	spec   *statsSpec
	states []aggregate
	args   []func(r *row) event.Value // nil: none
	conds  []func(r *row) bool
	passes []bool
}

func (c *tableStates) compile() error {
	c.args = make([]func(r *row) event.Value, len(c.spec.states))
	for i, s := range c.spec.states {
		state, err := c.x.tableState(s)
		if err != nil {
			return err
		}
		c.states = append(c.states, state)
		if s.agg.X == nil {
			continue
		}
		if c.args[i], err = c.x.value(c.t, s.agg.X); err != nil {
			return err
		}
	}
	for _, e := range c.spec.conds {
		test, err := c.x.test(c.t, e)
		if err != nil {
			return err
		}
		c.conds = append(c.conds, test)
	}
	c.passes = make([]bool, len(c.conds))
	return nil
}

// tableState is newState for rows of a table: users are counted by value.
func (x *Execution) tableState(s stateSpec) (aggregate, error) {
	if s.agg.Func == syntax.AggUsers {
		return &namedUsers{x.newDistinct(nil)}, nil
	}
	plain := *s.agg
	if plain.X != nil {
		plain.X = &syntax.Literal{}
	}
	return x.newState(nil, stateSpec{agg: &plain, qs: s.qs})
}

// namedUsers is users() on a table.
type namedUsers struct{ *distinctAggregate }

func (a *namedUsers) add(group uint32, row rowValue) {
	a.distinctAggregate.add(group, rowValue{x: row.user})
}

func (a *namedUsers) merge(o aggregate, from, to uint32) {
	a.distinctAggregate.merge(o.(*namedUsers).distinctAggregate, from, to)
}

func (c *tableStates) add(group uint32, r *row, v rowValue) {
	for i, test := range c.conds {
		c.passes[i] = test(r)
	}
	for i, s := range c.states {
		s.resize(int(group) + 1)
		if cond := c.spec.states[i].cond; cond >= 0 && !c.passes[cond] {
			continue
		}
		v.x = event.Value{}
		if c.args[i] != nil {
			v.x = c.args[i](r)
		}
		s.add(group, v)
	}
}

// top is the stage on a table.
func (x *Execution) top(ctx context.Context, t *table, s *syntax.Top) (*table, error) {
	run := x.newStatsRun(s.Keys, []syntax.Named{s.By}, t.rng)
	run.collect = x.tableCollector(t, s.Keys, run.time)
	out, err := run.rows(ctx)
	if err != nil {
		return nil, err
	}
	return out.greatest(ctx, s.N)
}

// greatest keeps the n rows with the greatest last column, ties in the order that they are in.
func (t *table) greatest(ctx context.Context, n int) (*table, error) {
	last := len(t.names) - 1
	err := sortRows(ctx, t.rows, func(a, b *row) int { return compareValues(a.values[last], b.values[last], true) })
	t.rows = t.rows[:min(n, len(t.rows))]
	return t, err
}

// facets is the stage on a table.
func (x *Execution) facets(t *table, n int) *table {
	names := t.names
	if t.open {
		for _, name := range t.eventColumns() {
			switch name {
			case syntax.ColumnTime, syntax.ColumnUser, syntax.ColumnID, syntax.ColumnReceived:
			default:
				names = append(slices.Clone(names), name)
			}
		}
	}
	out := &table{names: syntax.FacetColumns[:], rng: t.rng}
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		get := t.named(name)
		counts := map[event.Value]int64{}
		for i := range t.rows {
			if v := get(&t.rows[i]); v.Exists() {
				counts[v.Canonical()]++
			}
		}
		var list []valueCount
		for v, c := range counts {
			list = append(list, valueCount{v, c})
		}
		out.addFacet(name, mostFrequent(list, n))
	}
	return out
}

func (t *table) addFacet(name string, list []valueCount) {
	for _, c := range list {
		t.rows = append(t.rows, row{values: []event.Value{event.String(name), c.value, event.Int(c.count)}})
	}
}
