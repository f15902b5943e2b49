package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// storedFeed feeds stored events.
type storedFeed struct {
	x      *Execution
	plan   *plan.Pipeline
	filter *condition
}

func (f *storedFeed) bounds() event.TimeRange { return f.x.Range }

func (f *storedFeed) has(column string) bool {
	return slices.ContainsFunc(f.plan.Row.Made(), func(n syntax.Named) bool { return n.Name == column })
}

// condition compiles a selector of a step.
func (f *storedFeed) condition(ctx context.Context, s stepSelector) (*condition, error) {
	e := plan.StepSelector(s.selector, f.plan.Row)
	if s.first != syntax.FirstNone {
		first := &syntax.FirstTime{Pos: s.selector.Pos, Selector: syntax.FirstSelector(s.first, s.selector)}
		e = plan.And(e, &syntax.Binary{Pos: s.selector.Pos, Op: syntax.OpEq, X: &syntax.Column{Name: syntax.ColumnTime}, Y: first})
	}
	if e == nil {
		return nil, nil
	}
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	return f.x.compile(e)
}

func (f *storedFeed) run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	s := &stream{x: f.x, rng: spec.rng, filter: f.filter, whole: spec.whole, refs: spec.refs, exact: spec.exact, only: spec.only}
	for _, sel := range spec.selectors {
		c, err := f.condition(ctx, sel)
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = always
		}
		s.selectors = append(s.selectors, c)
	}
	for _, e := range spec.columns {
		if e != eventName {
			e = f.plan.Row.Resolve(e)
		}
		if err := f.x.learn(ctx, e); err != nil {
			return nil, err
		}
		s.columns = append(s.columns, e)
	}
	f.x.readRange = spec.rng
	f.x.columns = f.columns(s)
	if f.x.byID() && spec.by == nil {
		return s.run(ctx, newConsumer)
	}
	by := []syntax.Expr{f.x.actorColumn()}
	if spec.by != nil {
		by = nil
		for _, e := range spec.by {
			by = append(by, f.plan.Row.Resolve(e))
		}
	}
	return s.runSorted(ctx, by, newConsumer)
}

// columns are the stored columns that a stream reads.
func (f *storedFeed) columns(s *stream) []columnRef {
	list := []columnRef{{source: sourceEvent}, {source: sourceTime}}
	add := func(refs []columnRef) {
		for _, ref := range refs {
			if !slices.Contains(list, ref) {
				list = append(list, ref)
			}
		}
	}
	var conditions func(c *condition)
	conditions = func(c *condition) {
		if c == nil {
			return
		}
		add(c.refs)
		for _, kid := range c.kids {
			conditions(kid)
		}
	}
	conditions(s.filter)
	for _, c := range s.selectors {
		conditions(c)
	}
	for _, e := range s.columns {
		add(f.x.refs(e))
	}
	return list
}

func (f *storedFeed) users(workers []*streamWorker, ids []uint32) ([]event.Value, error) {
	if len(workers) > 0 && workers[0].actors != nil {
		return actorsOf(workers[0], ids), nil
	}
	if err := f.x.names.fetch(f.x, ids); err != nil {
		return nil, err
	}
	out := make([]event.Value, len(ids))
	for i, id := range ids {
		out[i] = f.x.names.value(id)
	}
	return out, nil
}

// lookup reads the value of an expression in stored events; where there is no event it is absent.
func (f *storedFeed) lookup(ctx context.Context, workers []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error) {
	e = f.plan.Row.Resolve(e)
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	in, err := f.x.newInput(e)
	if err != nil {
		return nil, err
	}
	out := make([]event.Value, len(refs))
	order := make([]int, 0, len(refs))
	for i, ref := range refs {
		if ref != noRef {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(refs[a], refs[b]) })
	var views []*streamSource
	if len(workers) > 0 {
		views = workers[0].stream.views
	}
	var sel []uint16
	opened := -1
	for len(order) > 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		ref := refs[order[0]]
		v := views[ref.view()].view
		if ref.view() != opened {
			opened = ref.view()
			if err := in.open(v); err != nil {
				return nil, err
			}
		}
		block := ref.row() / v.reader.BlockRows()
		from, to := v.reader.BlockRange(block)
		sel = sel[:0]
		n := 0
		for n < len(order) && refs[order[n]] < newRef(ref.view(), to) {
			if row := uint16(refs[order[n]].row() - from); len(sel) == 0 || sel[len(sel)-1] != row {
				sel = append(sel, row)
			}
			n++
		}
		values, err := in.each(&batch{view: v, block: block, n: len(sel), sel: sel})
		if err != nil {
			return nil, err
		}
		at := 0
		for _, i := range order[:n] {
			for sel[at] != uint16(refs[i].row()-from) {
				at++
			}
			out[i] = values[at]
		}
		order = order[n:]
	}
	return out, nil
}
