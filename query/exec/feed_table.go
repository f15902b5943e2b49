package exec

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

func actorsOf(w *streamWorker, ids []uint32) []event.Value {
	out := make([]event.Value, len(ids))
	for i, id := range ids {
		out[i] = w.actors[id]
	}
	return out
}

// tableFeed feeds the rows of a table, which are events.
type tableFeed struct {
	x *Execution
	t *table
}

func (f *tableFeed) bounds() event.TimeRange { return f.t.rng }

func (f *tableFeed) has(column string) bool { return f.t.index(column) >= 0 }

// test compiles a selector of a step.
func (f *tableFeed) test(ctx context.Context, s stepSelector) (func(r *row) bool, error) {
	var terms []func(r *row) bool
	for _, t := range s.selector.Terms {
		passes := func(*row) bool { return true }
		if t.Cond != nil {
			if err := f.x.learn(ctx, t.Cond); err != nil {
				return nil, err
			}
			var err error
			if passes, err = f.x.test(f.t, t.Cond); err != nil {
				return nil, err
			}
		}
		terms = append(terms, func(r *row) bool { return (t.Any || r.event.Name == t.Name) && passes(r) })
	}
	matches := func(r *row) bool {
		return slices.ContainsFunc(terms, func(term func(r *row) bool) bool { return term(r) })
	}
	if s.first == syntax.FirstNone {
		return matches, nil
	}
	first := &syntax.FirstTime{Pos: s.selector.Pos, Selector: syntax.FirstSelector(s.first, s.selector)}
	if err := f.x.learn(ctx, first); err != nil {
		return nil, err
	}
	at, err := f.x.value(f.t, first)
	return func(r *row) bool { return matches(r) && at(r) == event.Time(r.event.Time) }, err
}

func (f *tableFeed) run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	x, t := f.x, f.t
	s := &stream{x: x, columns: spec.columns, refs: spec.refs, exact: spec.exact, table: t}
	var tests []func(r *row) bool
	for _, sel := range spec.selectors {
		test, err := f.test(ctx, sel)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
		s.selectors = append(s.selectors, always)
	}
	if err := x.learn(ctx, spec.columns...); err != nil {
		return nil, err
	}
	columns, err := x.exprs(t, spec.columns)
	if err != nil {
		return nil, err
	}
	for i, e := range spec.columns {
		if e == eventName {
			columns[i] = func(r *row) event.Value { return event.String(r.event.Name) }
		}
	}
	user := x.user(t)
	if spec.by != nil {
		if user, err = f.tuple(ctx, spec.by); err != nil {
			return nil, err
		}
	}
	s.classes.class(make([]uint64, s.words()))
	w, err := s.newWorker(ctx)
	if err != nil {
		return nil, err
	}
	if w.consumer, err = newConsumer(w); err != nil {
		return nil, err
	}
	actors := newInterner(x.Budget, "users")
	g := &gathered{chunk: chunk{keys: make([][]uint32, len(columns))}}
	set := make([]uint64, s.words())
	for i := range t.rows {
		if err := interrupted(ctx, i); err != nil {
			return nil, err
		}
		r := &t.rows[i]
		who := user(r)
		if !who.Exists() || !spec.rng.Contains(r.event.Time) && (r.event.Time < spec.rng.From || spec.rng.To != noLimit) {
			continue
		}
		clear(set)
		for j, test := range tests {
			if test(r) {
				set[j/64] |= 1 << (j % 64)
			}
		}
		class := s.classes.class(set)
		if class == 0 && !spec.whole {
			continue
		}
		g.actors = append(g.actors, actors.intern(who))
		g.times = append(g.times, r.event.Time)
		g.class = append(g.class, class)
		g.refs = append(g.refs, newRef(0, i))
		for k, column := range columns {
			g.keys[k] = append(g.keys[k], w.ids[k].intern(column(r)))
		}
	}
	w.actors = actors.values
	x.Budget.Add("events by user", (28+4*len(columns))*len(g.times))
	err = g.handOut(ctx, w, 0, len(actors.values))
	w.close()
	if err != nil {
		return nil, err
	}
	return []*streamWorker{w}, x.Budget.Err()
}

// tuple returns what stands for the user of a row as one value: absent where a part of it is.
func (f *tableFeed) tuple(ctx context.Context, by []syntax.Expr) (func(r *row) event.Value, error) {
	if err := f.x.learn(ctx, by...); err != nil {
		return nil, err
	}
	fs, err := f.x.exprs(f.t, by)
	if err != nil {
		return nil, err
	}
	if len(fs) == 1 {
		return fs[0], nil
	}
	return func(r *row) event.Value { return tupleOf(len(fs), func(i int) event.Value { return fs[i](r) }) }, nil
}

func (f *tableFeed) users(workers []*streamWorker, ids []uint32) ([]event.Value, error) {
	if len(workers) == 0 {
		return nil, nil // nobody was asked for, and there is nobody
	}
	return actorsOf(workers[0], ids), nil
}

func (f *tableFeed) lookup(ctx context.Context, _ []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error) {
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	get, err := f.x.value(f.t, e)
	if err != nil {
		return nil, err
	}
	out := make([]event.Value, len(refs))
	for i, ref := range refs {
		if ref != noRef {
			out[i] = get(&f.t.rows[ref.row()])
		}
	}
	return out, nil
}
