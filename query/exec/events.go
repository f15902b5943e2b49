package exec

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// eventsPass finds the newest events that pass a filter. Only their times are read before it is
// known which they are.
type eventsPass struct {
	x     *Execution
	rng   event.TimeRange
	limit int64 // -1: all
	// threshold is a time such that at least limit events are not older.
	threshold atomic.Int64
}

// found is a row that may be among the newest.
type found struct {
	time int64
	view *view
	row  uint32
}

// eventsWorker is an eventsPass's consumer.
type eventsWorker struct {
	pass    *eventsPass
	found   []found
	times   []int64
	account account
}

// eventsTable makes the table of events behind the stages on single rows, without rows, and what gives the
// values of their columns.
func (x *Execution) eventsTable(p *plan.Pipeline) (*table, []func(r *row) event.Value, error) {
	t := &table{events: true, open: !p.Row.Closed(), made: p.Row.MakesUser(), gone: map[string]bool{}, rng: x.Range}
	var exprs []syntax.Expr
	for _, c := range p.Row.Made() {
		t.names = append(t.names, c.Name)
		exprs = append(exprs, c.Expr)
	}
	for _, name := range p.Row.HiddenNames() {
		t.gone[name] = true
	}
	made, err := x.exprs(&table{events: true, open: true}, exprs)
	return t, made, err
}

// valuesOf returns the values of the columns of a row.
func valuesOf(made []func(r *row) event.Value, r *row) []event.Value {
	values := make([]event.Value, len(made))
	for i, f := range made {
		values[i] = f(r)
	}
	return values
}

func (x *Execution) events(ctx context.Context, p *plan.Pipeline, op *plan.Events, filter *condition) (*table, error) {
	pass := &eventsPass{x: x, limit: op.Limit, rng: x.Range}
	if op.Wide {
		pass.rng = event.AllTime
	}
	pass.threshold.Store(math.MinInt64)
	t, made, err := x.eventsTable(p)
	if err != nil {
		return nil, err
	}
	t.wide = op.Wide
	var list []found
	if op.Limit != 0 {
		if list, err = pass.run(ctx, filter); err != nil {
			return nil, err
		}
	}
	if t.rows, err = x.materialise(ctx, list); err != nil {
		return nil, err
	}
	if err := sortRows(ctx, t.rows, func(a, b *row) int { return compareEvents(a.event, b.event) }); err != nil {
		return nil, err
	}
	if op.Limit >= 0 {
		t.rows = t.rows[:min(op.Limit, int64(len(t.rows)))]
	}
	for i := range t.rows {
		if err := interrupted(ctx, i); err != nil {
			return nil, err
		}
		t.rows[i].values = valuesOf(made, &t.rows[i])
	}
	return t, nil
}

// run returns the rows that are as new as the limit-th newest, and perhaps others.
func (p *eventsPass) run(ctx context.Context, filter *condition) ([]found, error) {
	s, err := p.x.newScan(ctx, p.rng, filter)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.views, func(a, b *scanView) int { return compareInts(b.info.TimeMax, a.info.TimeMax) })
	workers, err := s.run(ctx, func() (consumer, error) {
		return &eventsWorker{pass: p, account: account{budget: p.x.Budget, purpose: "events"}}, nil
	})
	if err != nil {
		return nil, err
	}
	var list []found
	for _, w := range workers {
		list = append(list, w.(*eventsWorker).found...)
	}
	if p.limit >= 0 {
		list = newest(list, p.limit)
	}
	return list, nil
}

func (w *eventsWorker) whole(v *view, _ *bound) (bool, error) { return w.skip(v), nil }
func (w *eventsWorker) open(*view) error                      { return nil }

// skip implements skipper.
func (w *eventsWorker) skip(v *view) bool { return v.info.TimeMax < w.pass.threshold.Load() }

// take implements consumer.
func (w *eventsWorker) take(b *batch) error {
	vector, err := b.view.reader.Time().Block(b.block)
	if err != nil {
		return err
	}
	w.times = vector.Ints(w.times[:0], b.sel)
	first, _ := b.view.reader.BlockRange(b.block)
	threshold := w.pass.threshold.Load()
	before := cap(w.found)
	for i, at := range w.times {
		if at >= threshold {
			w.found = append(w.found, found{at, b.view, uint32(first + b.row(i))})
		}
	}
	w.account.add(24 * (cap(w.found) - before))
	if limit := w.pass.limit; limit >= 0 && int64(len(w.found)) > 2*limit+1024 {
		w.found = newest(w.found, limit)
		oldest := int64(math.MaxInt64)
		for _, f := range w.found {
			oldest = min(oldest, f.time)
		}
		for have := w.pass.threshold.Load(); have < oldest; have = w.pass.threshold.Load() {
			if w.pass.threshold.CompareAndSwap(have, oldest) {
				break
			}
		}
	}
	return nil
}

// newest keeps the rows that are not older than the limit-th newest.
func newest(list []found, limit int64) []found {
	if limit == 0 || int64(len(list)) <= limit {
		return list[:min(limit, int64(len(list)))]
	}
	slices.SortFunc(list, func(a, b found) int { return compareInts(b.time, a.time) })
	oldest := list[limit-1].time
	for limit < int64(len(list)) && list[limit].time == oldest {
		limit++
	}
	return list[:limit]
}

// materialiseStep is how many rows are read whole between two looks at the budget.
const materialiseStep = 4096

// materialise reads rows whole, segments side by side.
func (x *Execution) materialise(ctx context.Context, list []found) ([]row, error) {
	byView := map[*view][]uint32{}
	var views []*view
	for _, f := range list {
		if byView[f.view] == nil {
			views = append(views, f.view)
		}
		byView[f.view] = append(byView[f.view], f.row)
	}
	workers := min(x.Workers, len(views), len(list)/256+1)
	parts := make([][]row, max(1, workers))
	errs := make([]error, len(parts))
	var next atomic.Int64
	parallel(len(parts), func(worker int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(views) || errs[worker] != nil {
				return
			}
			parts[worker], errs[worker] = x.readWhole(ctx, parts[worker], views[i], byView[views[i]])
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(parts...), nil
}

// readWhole appends the given rows of a segment.
func (x *Execution) readWhole(ctx context.Context, out []row, v *view, rows []uint32) ([]row, error) {
	slices.Sort(rows)
	for len(rows) > 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		n := min(materialiseStep, len(rows))
		stored, err := v.reader.Rows(rows[:n])
		if err != nil {
			return nil, err
		}
		if out, err = x.appendRows(out, stored); err != nil {
			return nil, err
		}
		rows = rows[n:]
	}
	return out, nil
}

// wholeRows reads the events of refs whole, in their order, segments side by side.
func (x *Execution) wholeRows(ctx context.Context, views []*streamSource, refs []eventRef) ([]row, error) {
	order := make([]int, len(refs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(refs[a], refs[b]) })
	out := make([]row, len(refs))
	parts := slices.Collect(chunkBy(order, func(a, b int) bool { return refs[a].view() == refs[b].view() }))
	errs := make([]error, min(x.Workers, len(parts)))
	var next atomic.Int64
	parallel(len(errs), func(worker int) {
		for errs[worker] == nil {
			i := int(next.Add(1)) - 1
			if i >= len(parts) {
				return
			}
			errs[worker] = x.placeRows(ctx, out, views[refs[parts[i][0]].view()].view, refs, parts[i])
		}
	})
	return out, errors.Join(errs...)
}

// placeRows reads the events of some refs, which are of one segment and ascend, into the places of out.
func (x *Execution) placeRows(ctx context.Context, out []row, v *view, refs []eventRef, order []int) error {
	rows := make([]uint32, len(order))
	for i, at := range order {
		rows[i] = uint32(refs[at].row())
	}
	got, err := x.readWhole(ctx, nil, v, rows)
	if err != nil {
		return err
	}
	for i, at := range order {
		out[at] = got[i]
	}
	return nil
}

// chunkBy cuts a list into pieces of neighbours that belong together.
func chunkBy(list []int, together func(a, b int) bool) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for from := 0; from < len(list); {
			to := from + 1
			for to < len(list) && together(list[from], list[to]) {
				to++
			}
			if !yield(list[from:to]) {
				return
			}
			from = to
		}
	}
}

func (x *Execution) appendRows(out []row, stored []segment.Row) ([]row, error) {
	users := make([]uint32, 0, len(stored))
	for _, s := range stored {
		users = append(users, s.User)
	}
	if err := x.names.fetch(x, users); err != nil {
		return nil, err
	}
	size := 0
	for _, s := range stored {
		e := &storedEvent{Event: s.Event}
		e.User = x.names.value(s.User).AsString()
		e.Fields = visible(e.Fields)
		size += 200 + 56*len(e.Fields)
		out = append(out, row{event: e})
	}
	x.Budget.Add("events", size)
	return out, nil
}

// visible returns fields, which are by name, without the hidden ones, which come first.
func visible(fields []event.Field) []event.Field {
	for len(fields) > 0 && strings.HasPrefix(fields[0].Name, "\x00") {
		fields = fields[1:]
	}
	return fields
}
