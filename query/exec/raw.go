package exec

import (
	"cmp"
	"context"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/result"
	"cairn/query/syntax"
)

const (
	// firstPage is how many events are looked for at first, so that the first row comes soon; every page
	// is pageGrowth times as large as the one before, up to pageRows. A page costs 24 bytes an event and
	// a pass over the times of the segments that it lies in.
	firstPage  = 1 << 10
	pageGrowth = 8
	pageRows   = 1 << 17
	// pieceRows is how many events are in memory as a whole, more only if they are simultaneous.
	pieceRows = 1 << 12
	// namesKept is how many names of users are remembered from one piece to the next.
	namesKept = 1 << 16
)

// RunRaw runs a plan that is raw (plan.Pipeline.Raw) and hands its rows to take, piece by piece: as tables
// with the rows that Run would give, in the same order. Columns of a piece are those of its rows. A table
// is take's during the call. When take says that it wants no more, RunRaw ends.
//
// Events are found page by page from the newest back, only by their times, and read a few thousand at a
// time, so that the memory it takes does not grow with the number of rows.
func (x *Execution) RunRaw(ctx context.Context, p *plan.Pipeline, take func(*result.Table) (more bool, err error)) error {
	filter, err := x.begin(ctx, p)
	if err != nil {
		return err
	}
	t, made, err := x.eventsTable(p)
	if err != nil {
		return err
	}
	r := &rawRows{x: x, table: t, made: made, left: math.MaxInt64, stages: make([]rawStage, len(p.Rest)), take: take}
	for i, s := range p.Rest {
		r.stages[i].stage = s
	}
	if limit := p.First.(*plan.Events).Limit; limit >= 0 {
		r.left = limit
	}
	held := x.Budget.held(rawPurposes)
	rng, size, largest, segments := x.Range, int64(firstPage), int64(pageRows), int64(0)
	if n := x.Knobs.PageRows; n > 0 {
		size, largest = int64(n), int64(n)
	}
	for first := true; r.left > 0 && !r.done() && !rng.Empty(); first = false {
		pass := &eventsPass{x: x, rng: rng, limit: min(size, r.left)}
		pass.threshold.Store(math.MinInt64)
		list, err := pass.run(ctx, filter)
		if err != nil {
			return err
		}
		if first {
			segments = x.Read.Segments.Load()
		}
		x.Read.Segments.Store(segments) // a later page goes through some of the same
		slices.SortFunc(list, func(a, b found) int { return compareInts(b.time, a.time) })
		if err := r.page(ctx, list); err != nil {
			return err
		}
		if int64(len(list)) < pass.limit {
			return nil
		}
		rng.To = list[len(list)-1].time // all events of that time are among them
		size = min(size*pageGrowth, largest)
		x.Budget.putBack(held)
	}
	return nil
}

// rawPurposes are what memory is used for that is free again behind a page.
var rawPurposes = []string{"events", "rows"}

// rawRows hands on the events of pages.
type rawRows struct {
	x      *Execution
	table  *table // without rows
	made   []func(r *row) event.Value
	left   int64 // events that the stages look at
	stages []rawStage
	ended  bool
	take   func(*result.Table) (bool, error)
}

// rawStage is a stage and how many rows have reached it, which limit and offset have to know.
type rawStage struct {
	stage syntax.Stage
	seen  int64
}

// done reports whether no further row can pass, or is wanted.
func (r *rawRows) done() bool {
	for i := range r.stages {
		if s, ok := r.stages[i].stage.(*syntax.Limit); ok && r.stages[i].seen >= s.N {
			return true
		}
	}
	return r.ended
}

// page hands on events, whose times descend.
func (r *rawRows) page(ctx context.Context, list []found) error {
	for len(list) > 0 && r.left > 0 && !r.done() {
		n := min(pieceRows, len(list))
		if r.x.Knobs.PageRows > 0 {
			n = (n + 1) / 2
		}
		for n < len(list) && list[n].time == list[n-1].time {
			n++
		}
		held := r.x.Budget.held(rawPurposes)
		if err := r.piece(ctx, list[:n]); err != nil {
			return err
		}
		r.x.Budget.putBack(held)
		r.x.names.forget(r.x, namesKept)
		list = list[n:]
	}
	return nil
}

// piece reads some events, of which none is simultaneous with one behind them, and hands on their rows.
func (r *rawRows) piece(ctx context.Context, list []found) error {
	rows, err := r.read(ctx, list)
	if err != nil {
		return err
	}
	if err := r.x.Budget.Err(); err != nil {
		return err
	}
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && list[to].time == list[from].time {
			to++
		}
		if to > from+1 {
			if err := sortRows(ctx, rows[from:to], func(a, b *row) int { return compareEvents(a.event, b.event) }); err != nil {
				return err
			}
		}
		from = to
	}
	rows = rows[:min(r.left, int64(len(rows)))]
	r.left -= int64(len(rows))
	for i := range rows {
		rows[i].values = valuesOf(r.made, &rows[i])
	}
	t := r.table.with(rows)
	for i := range r.stages {
		if t, err = r.pass(ctx, t, &r.stages[i]); err != nil {
			return err
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	out, err := t.result(ctx)
	if err != nil {
		return err
	}
	more, err := r.take(out)
	r.ended = !more
	return err
}

// read reads the events of a list whole, in its order.
func (r *rawRows) read(ctx context.Context, list []found) ([]row, error) {
	byView := map[*view][]int{} // places in the list
	for i := range list {
		byView[list[i].view] = append(byView[list[i].view], i)
	}
	out := make([]row, len(list))
	rows := make([]uint32, 0, len(list))
	var got []row
	for v, places := range byView {
		slices.SortFunc(places, func(a, b int) int { return cmp.Compare(list[a].row, list[b].row) })
		rows = rows[:0]
		for _, at := range places {
			rows = append(rows, list[at].row)
		}
		var err error
		if got, err = r.x.readWhole(ctx, got[:0], v, rows); err != nil {
			return nil, err
		}
		for i, at := range places {
			out[at] = got[i]
		}
	}
	return out, nil
}

func (r *rawRows) pass(ctx context.Context, t *table, s *rawStage) (*table, error) {
	before := s.seen
	s.seen += int64(len(t.rows))
	switch stage := s.stage.(type) {
	case *syntax.Events: // they are sorted so
		return t, nil
	case *syntax.Limit:
		return t.with(t.rows[:min(max(0, stage.N-before), int64(len(t.rows)))]), nil
	case *syntax.Offset:
		return t.with(t.rows[min(max(0, stage.N-before), int64(len(t.rows))):]), nil
	}
	return r.x.stage(ctx, t, s.stage, nil)
}
