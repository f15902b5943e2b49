package exec

import (
	"context"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// retentionRun is one run of a retention.
type retentionRun struct {
	x     *Execution
	feed  feed
	stage *syntax.Retention
	rng   event.TimeRange
	spec  *streamSpec

	start, back int         // selectors
	first       *userValues // of START in history; nil: every START counts
	value       int         // the column of sum or avg, -1: users are counted
	by          []int
	listing     bool // who is counted in which cell is wanted

	periods  *periods
	columns  []retentionColumn
	plain    bool    // cells depend on nothing but in which periods a user has a RETURN
	columnOf []int32 // plain, on: the column that looks at the k-th period, -1: none
	over     []int   // by cohort: how many columns, from the first, need no period that is not over
	workers  []*streamWorker
}

// retentionColumn is a column p0, p1, …: the periods that it looks at and those before in which it needs
// the user.
type retentionColumn struct{ k, last int }

// retention runs a retention.
func (x *Execution) retention(ctx context.Context, f feed, s *syntax.Retention, view syntax.Stage) (*table, error) {
	r := &retentionRun{x: x, feed: f, stage: s, rng: f.bounds(), value: -1}
	_, r.listing = view.(*syntax.Users)
	for i, k := range s.Periods() {
		c := retentionColumn{k, s.Last(i)}
		if k == 0 {
			c.last = 0
		}
		r.columns = append(r.columns, c)
	}
	groups, done, err := r.fromBitmaps(ctx)
	if err != nil {
		return nil, err
	}
	if !done {
		if groups, err = r.fromStream(ctx); err != nil {
			return nil, err
		}
	}
	if r.listing {
		return r.memberTable(ctx, groups)
	}
	return r.table(groups)
}

// fromStream reads the events of every user.
func (r *retentionRun) fromStream(ctx context.Context) ([]*retentionGroup, error) {
	s := r.stage
	r.spec = &streamSpec{rng: r.rng}
	r.start = r.spec.selector(syntax.FirstNone, s.Start)
	if s.First {
		var err error
		if r.first, err = r.x.history(ctx, s.Start); err != nil {
			return nil, err
		}
	}
	if err := r.cut(ctx, func() ([]int64, error) { return r.startTimes(ctx) }); err != nil || r.periods.n == 0 {
		return nil, err
	}
	r.spec.rng = r.reading()
	r.back = r.spec.selector(syntax.FirstNone, s.Return)
	if s.Value != 0 {
		r.value = r.spec.exactColumn(s.X)
	}
	for _, n := range s.By {
		r.by = append(r.by, r.spec.column(n.Expr))
	}
	if r.plain = s.Min == 1 && s.Value == 0 && !s.Rolling; r.plain && s.When == syntax.On {
		r.findColumns()
	}
	workers, err := r.feed.run(ctx, r.spec, func(w *streamWorker) (streamConsumer, error) { return r.newWorker(w), nil })
	if err != nil {
		return nil, err
	}
	return r.merged(workers)
}

// startTimes finds the first and the last START that makes a cohort.
func (r *retentionRun) startTimes(ctx context.Context) ([]int64, error) {
	return r.x.matchExtent(ctx, r.feed, r.spec, func(w *streamWorker) func(u *userRows, i int) bool {
		if r.first == nil {
			return func(*userRows, int) bool { return true }
		}
		return func(u *userRows, i int) bool { return w.known(r.first, u.user) == event.Time(u.times[i]) }
	})
}

// cut makes the periods, and finds out which of them are over.
func (r *retentionRun) cut(ctx context.Context, exact func() ([]int64, error)) error {
	s := r.stage
	p, err := r.x.newPeriods(ctx, r.feed, s.Pos, s.Every, exact)
	if err != nil {
		return err
	}
	r.periods = p
	if !s.Rolling {
		p.extend(p.n+r.longest(), r.x.Now)
	}
	r.over = make([]int, p.n)
	for c := range r.over {
		for r.over[c] < len(r.columns) && r.isOver(c, r.columns[r.over[c]]) {
			r.over[c]++
		}
	}
	return nil
}

// findColumns makes columnOf, as far as there are periods.
func (r *retentionRun) findColumns() {
	r.columnOf = make([]int32, 1+min(r.longest(), r.periods.last()))
	for i := range r.columnOf {
		r.columnOf[i] = -1
	}
	for i, c := range r.columns {
		for k := max(c.k, 1); k <= c.last && k < len(r.columnOf); k++ {
			r.columnOf[k] = int32(i)
		}
	}
}

// longest is the number of the last period that a column looks at.
func (r *retentionRun) longest() int { return r.columns[len(r.columns)-1].last }

// isOver reports whether the periods that a column needs of a cohort are over.
func (r *retentionRun) isOver(cohort int, c retentionColumn) bool {
	switch {
	case c.k == 0 && r.stage.Value == 0:
		return true
	case r.stage.Rolling:
		return r.after(r.periods.edges[cohort+1], c.last+1) <= r.x.Now
	}
	end := cohort + c.last + 1
	return end < len(r.periods.edges) && r.periods.edges[end] <= r.x.Now
}

// after returns the instant n periods of exact length after another, at most the end of time.
func (r *retentionRun) after(at int64, n int) int64 {
	length := r.stage.Every.Elapsed()
	if int64(n) > math.MaxInt64/length {
		return noLimit
	}
	return longer(event.TimeRange{To: at}, int64(n)*length).To
}

// reading is the range of the events that matter.
func (r *retentionRun) reading() event.TimeRange {
	rng := r.rng
	switch {
	case r.stage.When == syntax.OnOrAfter || rng.To == noLimit:
		rng.To = noLimit
	case r.stage.Rolling:
		rng.To = max(rng.To, min(r.after(rng.To, r.longest()+1), r.x.Now))
	default:
		rng.To = max(rng.To, r.periods.edges[r.periods.last()])
	}
	return rng
}

// edge is where period k begins for a user of a cohort with a START at an instant. The period before has to
// be over for the cohort.
func (r *retentionRun) edge(cohort int, at int64, k int) int64 {
	if r.stage.Rolling {
		return r.after(at, k)
	}
	return r.periods.edges[cohort+k]
}

// retentionGroup is what a retention knows of one group.
type retentionGroup struct {
	keys   []event.Value
	sizes  []int64           // by cohort
	counts []int64           // by cell, see cell
	values *momentsAggregate // by cell; groups are the cells. nil: users are counted
	// members says who is counted where, if that is wanted, in any order.
	members []retentionMember
}

// retentionMember is a user who is counted in a cell.
type retentionMember struct {
	user           uint32
	cohort, column int32
}

// cell is the number of a cell in a group.
func (r *retentionRun) cell(cohort, column int) int { return cohort*len(r.columns) + column }

func (r *retentionRun) newGroup() *retentionGroup {
	cells := r.periods.n * len(r.columns)
	g := &retentionGroup{sizes: make([]int64, r.periods.n)}
	if r.stage.Value == 0 {
		g.counts = make([]int64, cells)
	} else {
		g.values = r.x.newMoments(nil, false)
		g.values.resize(cells)
	}
	return g
}

// sizeBytes is about what the group takes, beside its sums and members.
func (g *retentionGroup) sizeBytes() int { return 200 + 8*len(g.sizes) + 8*len(g.counts) }

func (g *retentionGroup) merge(o *retentionGroup) {
	for i, n := range o.sizes {
		g.sizes[i] += n
	}
	for i, n := range o.counts {
		g.counts[i] += n
	}
	if g.values != nil {
		for i := range uint32(len(g.values.numbersOf)) {
			g.values.merge(o.values, i, i)
		}
	}
	g.members = append(g.members, o.members...)
}

// merged joins the groups of workers and returns them by their keys.
func (r *retentionRun) merged(workers []*streamWorker) ([]*retentionGroup, error) {
	byName := map[string]*retentionGroup{}
	var list []*retentionGroup
	for _, w := range workers {
		m := w.consumer.(*retentionWorker)
		for n, g := range m.groups {
			for i, gid := range m.set.keys[n] {
				g.keys = append(g.keys, m.w.values(r.by[i])[gid])
			}
			name := tupleName(g.keys)
			if have := byName[name]; have != nil {
				have.merge(g)
				continue
			}
			byName[name] = g
			list = append(list, g)
		}
	}
	t := &table{}
	for _, g := range list {
		t.rows = append(t.rows, row{values: g.keys})
	}
	if err := r.x.nameRows(context.Background(), t, len(r.by)); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b *retentionGroup) int { return compareRows(a.keys, b.keys) })
	if len(list) == 0 && len(r.by) == 0 {
		list = append(list, r.newGroup())
	}
	r.workers = workers
	return list, r.x.Budget.Err()
}
