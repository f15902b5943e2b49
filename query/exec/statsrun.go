package exec

import (
	"context"
	"slices"
	"sort"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// statsRun makes the rows of a stats or top, on events or on a table: groups and their aggregates, rows
// for missing buckets, trailing windows.
type statsRun struct {
	x       *Execution
	keys    []syntax.Named
	aggs    []syntax.Named
	time    int         // the key that bins time, or -1
	bin     *syntax.Bin // of that key
	fill    bool        // missing buckets get rows
	events  bool        // the rows are stored events of the range
	before  bool        // and windows see those before it
	rng     event.TimeRange
	collect collector

	bins   *scalar.Bins
	finish *finisher
	final  *tuples
	base   *grouped
	baseOf map[uint32]uint32 // row to group of base
}

// collector groups rows and aggregates them. With cuts, the key of time is the stretch between two
// of these instants, and rows from the first of them count, also before the range.
type collector func(ctx context.Context, aggs []*syntax.Agg, cuts []int64) (*grouped, error)

// grouped is what a collector has found.
type grouped struct {
	spec   *statsSpec
	groups int
	values func(group uint32, dst []event.Value) []event.Value // keys
	states []aggregate
	fresh  func() ([]aggregate, error) // makes other states of the same kinds
}

func (g *grouped) resize(n int) {
	for _, s := range g.states {
		s.resize(n)
	}
}

func (r *statsRun) rows(ctx context.Context) (*table, error) {
	x := r.x
	var err error
	if r.finish, err = x.newFinisher(r.aggs); err != nil {
		return nil, err
	}
	if r.time >= 0 {
		r.bins = x.Calendar.Bins(r.bin.Span, x.Range.From)
	}
	var plain []*syntax.Agg
	overs := map[int64][]*syntax.Agg{}
	for _, a := range r.finish.aggs {
		switch {
		case a.Over == 0:
			plain = append(plain, a)
		case r.time < 0:
			return nil, syntax.Errorf(a.Pos, "over needs a time bucket, as in by bin(1d)")
		default:
			overs[a.Over] = append(overs[a.Over], a)
		}
	}
	if r.base, err = r.collect(ctx, plain, nil); err != nil {
		return nil, err
	}
	r.final = x.newTuples(len(r.keys))
	r.baseOf = map[uint32]uint32{}
	var keys []event.Value
	for g := range r.base.groups {
		if err := interrupted(ctx, g); err != nil {
			return nil, err
		}
		keys = r.base.values(uint32(g), keys[:0])
		r.baseOf[r.final.number(keys)] = uint32(g)
	}
	windows, err := r.windows(ctx, overs)
	if err != nil {
		return nil, err
	}
	if r.fill {
		if err := r.fillRows(windows); err != nil {
			return nil, err
		}
	}
	for _, w := range windows {
		if err := w.spread(r); err != nil {
			return nil, err
		}
	}
	return r.table(ctx, windows)
}

// occurring returns the buckets that have rows. Those of rows that are no events may lie outside the range.
func (r *statsRun) occurring() []int64 {
	var times []int64
	var keys []event.Value
	for g := range r.base.groups {
		keys = r.base.values(uint32(g), keys[:0])
		if at := keys[r.time]; at.Kind() == event.KindTime {
			times = append(times, at.AsInt())
		}
	}
	slices.Sort(times)
	return slices.Compact(times)
}

// starts returns the buckets that every combination of the other keys has rows for.
func (r *statsRun) starts() ([]int64, error) {
	times := r.occurring()
	if !r.fill {
		return times, nil
	}
	return fillTimes(r.bins, r.bin, times, r.rng)
}

// fillTimes returns the starts of all buckets of the range, or from the first to the last that occurs
// where the range has no bounds. times ascend.
func fillTimes(bins *scalar.Bins, bin *syntax.Bin, times []int64, rng event.TimeRange) ([]int64, error) {
	first, last := int64(noTime), int64(-noTime)
	if len(times) > 0 {
		first, last = times[0], times[len(times)-1]+1
	}
	from, to := bounded(rng)
	if from {
		first = rng.From
	}
	if to {
		last = rng.To
	}
	starts, ok := bins.Starts(first, last, scalar.BucketsMax)
	if !ok {
		return nil, scalar.TooManyBuckets(bin)
	}
	return starts, nil
}

// fillRows adds rows for every bucket and every combination of the other keys.
func (r *statsRun) fillRows(windows []*window) error {
	starts, err := r.starts()
	if err != nil {
		return err
	}
	rest := r.x.newTuples(len(r.keys))
	var keys []event.Value
	for g := range r.base.groups {
		keys = r.base.values(uint32(g), keys[:0])
		keys[r.time] = event.Null
		rest.number(keys)
	}
	for _, w := range windows {
		for g := range w.cells.groups {
			keys = w.cells.values(uint32(g), keys[:0])
			keys[r.time] = event.Null
			rest.number(keys)
		}
	}
	if len(r.keys) == 1 {
		rest.number([]event.Value{event.Null})
	}
	for i := range rest.len() {
		if err := r.x.Budget.Err(); err != nil {
			return err
		}
		keys = rest.values(uint32(i), keys[:0])
		for _, at := range starts {
			keys[r.time] = event.Time(at)
			r.final.number(keys)
		}
	}
	return nil
}

// window is the aggregates with one `over`.
type window struct {
	over  int64
	cells *grouped    // by stretch of time between cuts
	rows  []aggregate // by number of the final row
}

func (r *statsRun) windows(ctx context.Context, overs map[int64][]*syntax.Agg) ([]*window, error) {
	if len(overs) == 0 {
		return nil, nil
	}
	starts, err := r.starts()
	if err != nil {
		return nil, err
	}
	longest := int64(0)
	for over := range overs {
		longest = max(longest, over)
	}
	var list []*window
	for over, aggs := range overs {
		var cuts []int64
		for _, at := range append(r.occurring(), starts...) {
			end := r.bins.End(at)
			cuts = append(cuts, end, end-over)
		}
		first := int64(-noTime)
		if from, _ := bounded(r.rng); from && r.events {
			first = r.rng.From
			if r.before {
				first = min(first, r.bins.End(r.rng.From)-longest)
			}
		}
		cuts = append(cuts, first)
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		cuts = cuts[sort.Search(len(cuts), func(i int) bool { return cuts[i] >= first }):]
		cells, err := r.collect(ctx, aggs, cuts)
		if err != nil {
			return nil, err
		}
		list = append(list, &window{over: over, cells: cells})
	}
	slices.SortFunc(list, func(a, b *window) int { return compareInts(a.over, b.over) })
	return list, nil
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// spread merges every cell into the rows whose windows contain it.
func (w *window) spread(r *statsRun) (err error) {
	if w.rows, err = w.cells.fresh(); err != nil {
		return err
	}
	n := r.final.len()
	for _, s := range w.rows {
		s.resize(n + 1)
	}
	// Rows by their keys without time, in order of the ends of their buckets.
	type target struct {
		end int64
		row uint32
	}
	rest := r.x.newTuples(len(r.keys))
	var targets [][]target
	var keys []event.Value
	for i := range n {
		keys = r.final.values(uint32(i), keys[:0])
		at := keys[r.time]
		if at.Kind() != event.KindTime {
			continue
		}
		keys[r.time] = event.Null
		k := int(rest.number(keys))
		if k == len(targets) {
			targets = append(targets, nil)
		}
		targets[k] = append(targets[k], target{r.bins.End(at.AsInt()), uint32(i)})
	}
	for _, list := range targets {
		slices.SortFunc(list, func(a, b target) int { return compareInts(a.end, b.end) })
	}
	for g := range w.cells.groups {
		keys = w.cells.values(uint32(g), keys[:0])
		cut := keys[r.time].AsInt()
		keys[r.time] = event.Null
		k := int(rest.number(keys))
		if k >= len(targets) {
			continue
		}
		list := targets[k]
		for i := sort.Search(len(list), func(i int) bool { return list[i].end > cut }); i < len(list) && list[i].end-w.over <= cut; i++ {
			for s, state := range w.rows {
				state.merge(w.cells.states[s], uint32(g), list[i].row)
			}
		}
		if err := r.x.Budget.Err(); err != nil {
			return err
		}
	}
	return nil
}

// table finishes every row.
func (r *statsRun) table(ctx context.Context, windows []*window) (*table, error) {
	x := r.x
	n := r.final.len()
	none := uint32(r.base.groups) // a group without rows
	r.base.resize(r.base.groups + 1)
	t := &table{names: columnNames(r.keys, r.aggs), rng: r.rng}
	if r.time >= 0 {
		t.bucket = &bucketing{bins: r.bins, bin: r.bin, time: r.keys[r.time].Name}
		for i, k := range r.keys {
			if i != r.time {
				t.bucket.keys = append(t.bucket.keys, k.Name)
			}
		}
	}
	// Where each aggregate is found.
	type place struct {
		agg    *syntax.Agg
		states []aggregate
		state  int
		over   bool
	}
	var places []place
	for _, a := range r.finish.aggs {
		p := place{agg: a, states: r.base.states}
		spec := r.base.spec
		for _, w := range windows {
			if a.Over == w.over {
				p.states, p.over, spec = w.rows, true, w.cells.spec
			}
		}
		for _, s := range spec.aggs {
			if s.agg == a {
				p.state = s.state
			}
		}
		places = append(places, p)
	}
	slots := make(scalar.Values, len(places))
	for i := range n {
		if i%1024 == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err := x.Budget.Err(); err != nil {
				return nil, err
			}
		}
		group, ok := r.baseOf[uint32(i)]
		if !ok {
			group = none
		}
		for j, p := range places {
			g := group
			if p.over {
				g = uint32(i)
			}
			v, err := p.states[p.state].finish(g, p.agg)
			if err != nil {
				return nil, err
			}
			slots[j] = v
		}
		values := make([]event.Value, 0, len(t.names))
		values = r.final.values(uint32(i), values)
		for _, f := range r.finish.funcs {
			values = append(values, f(slots))
		}
		t.rows = append(t.rows, row{values: values})
	}
	x.Budget.Add("rows", n*(24+40*len(t.names)))
	if err := x.nameRows(ctx, t, len(r.keys)); err != nil {
		return nil, err
	}
	keys := len(r.keys)
	return t, sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values[:keys], b.values[:keys]) })
}

// nameRows turns dense ids among the first columns into the names of users.
func (x *Execution) nameRows(ctx context.Context, t *table, columns int) error {
	if x.made != nil {
		for i, row := range t.rows {
			if err := interrupted(ctx, i); err != nil {
				return err
			}
			if err := x.nameSessions(row.values[:columns]); err != nil {
				return err
			}
		}
	}
	var ids []uint32
	for c := range columns {
		for _, row := range t.rows {
			if row.values[c].Kind() == kindUnnamed {
				ids = append(ids, uint32(row.values[c].Bits()))
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	for part := range slices.Chunk(ids, checkEvery) {
		if err := interrupted(ctx, 0); err != nil {
			return err
		}
		if err := x.names.fetch(x, part); err != nil {
			return err
		}
	}
	for c := range columns {
		for _, row := range t.rows {
			if row.values[c].Kind() == kindUnnamed {
				row.values[c] = x.names.value(uint32(row.values[c].Bits()))
			}
		}
	}
	return nil
}

// tuples numbers distinct lists of values, all of one length.
type tuples struct{ groupTable }

func (x *Execution) newTuples(n int) *tuples {
	t := &tuples{groupTable{account: account{budget: x.Budget, purpose: "groups"}, single: n == 0}}
	for range n {
		t.keys = append(t.keys, &keyColumn{ids: newInterner(x.Budget, "group keys")})
	}
	if n > 1 {
		t.pairs = make([]pairTable, n-1)
	}
	return t
}

func (t *tuples) number(values []event.Value) uint32 { return t.group(values) }
