package exec

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
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

func (x *Execution) events(ctx context.Context, p *plan.Pipeline, op *plan.Events, filter *condition) (*table, error) {
	pass := &eventsPass{x: x, limit: op.Limit}
	pass.threshold.Store(math.MinInt64)
	t := &table{events: true, open: !p.Row.Closed(), made: p.Row.MakesUser(), gone: map[string]bool{}, rng: x.Range}
	var exprs []syntax.Expr
	for _, c := range p.Row.Made() {
		t.names = append(t.names, c.Name)
		exprs = append(exprs, c.Expr)
	}
	for _, name := range p.Row.HiddenNames() {
		t.gone[name] = true
	}
	var list []found
	if op.Limit != 0 {
		var err error
		if list, err = pass.run(ctx, filter); err != nil {
			return nil, err
		}
	}
	base := &table{events: true, open: true}
	made, err := x.exprs(base, exprs)
	if err != nil {
		return nil, err
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
		r := &t.rows[i]
		r.values = make([]event.Value, len(made))
		for j, f := range made {
			r.values[j] = f(r)
		}
	}
	return t, nil
}

// run returns the rows that are as new as the limit-th newest, and perhaps others.
func (p *eventsPass) run(ctx context.Context, filter *condition) ([]found, error) {
	s, err := p.x.newScan(ctx, p.x.Range, filter)
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
	read := func(worker int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(views) || errs[worker] != nil {
				return
			}
			parts[worker], errs[worker] = x.readWhole(ctx, parts[worker], views[i], byView[views[i]])
		}
	}
	var wait sync.WaitGroup
	for worker := 1; worker < workers; worker++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			read(worker)
		}()
	}
	read(0)
	wait.Wait()
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
