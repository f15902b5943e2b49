package reference

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// group is a set of rows with the same keys.
type group struct {
	keys []event.Value
	rows []*row // of the range
}

// grouping is the keys of a stats and where time is among them.
type grouping struct {
	names []string
	fs    []func(*row) event.Value
	time  int // the number of the key that bins time, or -1
	bin   *syntax.Bin
	bins  *scalar.Bins
}

func (r *run) grouping(keys []syntax.Named) (*grouping, error) {
	g := &grouping{time: syntax.TimeKey(keys)}
	var exprs []syntax.Expr
	for _, k := range keys {
		g.names = append(g.names, k.Name)
		exprs = append(exprs, k.Expr)
	}
	if g.time >= 0 {
		g.bin = keys[g.time].Expr.(*syntax.Bin)
		g.bins = r.calendar.Bins(g.bin.Span, r.rng.From)
	}
	var err error
	g.fs, err = r.values(exprs)
	return g, err
}

func (g *grouping) keysOf(r *row) []event.Value {
	var keys []event.Value
	for _, f := range g.fs {
		keys = append(keys, key(f(r)))
	}
	return keys
}

// rest is the keys without that of time.
func (g *grouping) rest(keys []event.Value) []event.Value {
	if g.time < 0 {
		return keys
	}
	return slices.Delete(slices.Clone(keys), g.time, g.time+1)
}

// bucketing is what fill has to know.
func (g *grouping) bucketing() *bucketing {
	if g.time < 0 {
		return nil
	}
	return &bucketing{
		bins: g.bins, bin: g.bin, time: g.names[g.time],
		keys: slices.Delete(slices.Clone(g.names), g.time, g.time+1),
	}
}

// collect groups rows by their keys.
func (g *grouping) collect(list []*row) *groups {
	var out groups
	for _, r := range list {
		x := out.find(g.keysOf(r))
		x.rows = append(x.rows, r)
	}
	return &out
}

// groups are groups with different keys.
type groups struct {
	list   []*group
	byName map[string]*group
}

// find returns the group with these keys, adding it when there is none.
func (g *groups) find(keys []event.Value) *group {
	name := nameOf(keys)
	if g.byName[name] == nil {
		if g.byName == nil {
			g.byName = map[string]*group{}
		}
		g.byName[name] = &group{keys: keys}
		g.list = append(g.list, g.byName[name])
	}
	return g.byName[name]
}

func sortGroups(groups []*group) {
	slices.SortFunc(groups, func(a, b *group) int { return compareKeys(a.keys, b.keys) })
}

func compareKeys(a, b []event.Value) int {
	for i := range a {
		if c := compareValues(a[i], b[i], false); c != 0 {
			return c
		}
	}
	return 0
}

func (r *run) stats(in *rows, s *syntax.Stats, next syntax.Stage) (*rows, error) {
	g, err := r.grouping(s.Keys)
	if err != nil {
		return nil, err
	}
	groups := g.collect(in.list)
	if len(s.Keys) == 0 {
		groups.find(nil)
	}
	window := g.window(in, s.Aggs)
	_, fillBehind := next.(*syntax.Fill)
	if g.time >= 0 && !fillBehind && countTimeKeys(s.Keys) == 1 {
		for _, row := range window {
			groups.find(g.withTime(g.keysOf(row), event.Null)) // its other keys have rows too
		}
		if err := g.fill(groups, in.rng); err != nil {
			return nil, err
		}
		groups.list = slices.DeleteFunc(groups.list, func(x *group) bool { return !x.keys[g.time].Exists() && x.rows == nil })
	}
	sortGroups(groups.list)
	out := &rows{names: slices.Clone(g.names), rng: in.rng, bucket: g.bucketing()}
	for _, a := range s.Aggs {
		out.names = append(out.names, a.Name)
	}
	for _, x := range groups.list {
		made, err := r.aggregates(g, x, s.Aggs, slices.Concat(in.list, window))
		if err != nil {
			return nil, err
		}
		for i, name := range g.names {
			made.columns[name] = x.keys[i]
		}
		out.list = append(out.list, made)
	}
	return out, nil
}

func countTimeKeys(keys []syntax.Named) int {
	n := 0
	for _, k := range keys {
		if syntax.TimeKey([]syntax.Named{k}) >= 0 {
			n++
		}
	}
	return n
}

// withTime returns the keys with another time.
func (g *grouping) withTime(keys []event.Value, at event.Value) []event.Value {
	keys = slices.Clone(keys)
	keys[g.time] = at
	return keys
}

// fill adds the groups of missing buckets.
func (g *grouping) fill(groups *groups, rng event.TimeRange) error {
	var times []event.Value
	for _, x := range groups.list {
		times = append(times, x.keys[g.time])
	}
	starts, err := fillTimes(g.bins, g.bin, times, rng)
	if err != nil {
		return err
	}
	combinations := slices.Clone(groups.list)
	if len(g.names) == 1 {
		combinations = []*group{{keys: []event.Value{event.Null}}}
	}
	for _, x := range combinations {
		for _, at := range starts {
			groups.find(g.withTime(x.keys, event.Time(at)))
		}
	}
	return nil
}

// fillTimes returns the starts of all buckets of the range, or from the first to the last that occurs
// where the range has no bounds.
func fillTimes(bins *scalar.Bins, bin *syntax.Bin, times []event.Value, rng event.TimeRange) ([]int64, error) {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, t := range times {
		if t.Kind() == event.KindTime {
			first, last = min(first, t.AsInt()), max(last, t.AsInt()+1)
		}
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

// window returns the rows before the range that lie in the window of the first bucket.
func (g *grouping) window(in *rows, aggs []syntax.Named) []*row {
	longest := int64(0)
	for _, a := range aggs {
		scalar.Leaves(a.Expr, func(e syntax.Expr) { longest = max(longest, e.(*syntax.Agg).Over) })
	}
	var list []*row
	for _, row := range in.window {
		if g.time >= 0 && row.event.Time >= g.bins.End(in.rng.From)-longest {
			list = append(list, row)
		}
	}
	return list
}

// aggregates evaluates the aggregates of one group. all is every row of the range and the windows.
func (r *run) aggregates(g *grouping, x *group, aggs []syntax.Named, all []*row) (*row, error) {
	made := &row{columns: map[string]event.Value{}}
	for _, named := range aggs {
		var values scalar.Values
		f, err := scalar.Compile(named.Expr, &scalar.Env{Calendar: r.calendar, Range: r.rng, Bind: func(e syntax.Expr) (int, error) {
			agg := e.(*syntax.Agg)
			list, err := g.overRows(agg, x, all)
			if err != nil {
				return 0, err
			}
			v, err := r.aggregate(agg, list)
			values = append(values, v)
			return len(values) - 1, err
		}})
		if err != nil {
			return nil, err
		}
		made.columns[named.Name] = f(values)
	}
	return made, nil
}

// overRows returns the rows that an aggregate of a group takes.
func (g *grouping) overRows(agg *syntax.Agg, x *group, all []*row) ([]*row, error) {
	if agg.Over == 0 {
		return x.rows, nil
	}
	if g.time < 0 {
		return nil, syntax.Errorf(agg.Pos, "over needs a time bucket, as in by bin(1d)")
	}
	bucket := x.keys[g.time]
	if !bucket.Exists() {
		return nil, nil
	}
	end := g.bins.End(bucket.AsInt())
	var list []*row
	for _, r := range all {
		at := r.columns[syntax.ColumnTime]
		if at.Kind() != event.KindTime || at.AsInt() < end-agg.Over || at.AsInt() >= end {
			continue
		}
		if slices.Equal(g.rest(g.keysOf(r)), g.rest(x.keys)) {
			list = append(list, r)
		}
	}
	return list, nil
}

func (r *run) top(in *rows, s *syntax.Top) (*rows, error) {
	g, err := r.grouping(s.Keys)
	if err != nil {
		return nil, err
	}
	groups := g.collect(in.list)
	sortGroups(groups.list)
	out := &rows{names: append(slices.Clone(g.names), s.By.Name), rng: in.rng, bucket: g.bucketing()}
	for _, x := range groups.list {
		made, err := r.aggregates(g, x, []syntax.Named{s.By}, in.list)
		if err != nil {
			return nil, err
		}
		for i, name := range g.names {
			made.columns[name] = x.keys[i]
		}
		out.list = append(out.list, made)
	}
	slices.SortStableFunc(out.list, func(a, b *row) int {
		return compareValues(a.columns[s.By.Name], b.columns[s.By.Name], true)
	})
	out.list = out.list[:min(s.N, len(out.list))]
	return out, nil
}

// fill adds rows for missing buckets to rows that are no longer what stats made.
func (in *rows) fill(s *syntax.Fill) (*rows, error) {
	b := in.bucket
	if s.With == syntax.FillNone {
		return in, nil
	}
	if b == nil || !slices.Contains(in.names, b.time) {
		return nil, syntax.Errorf(s.Pos, "fill needs the column of the time buckets")
	}
	var others []string // the other keys that are left
	for _, name := range b.keys {
		if slices.Contains(in.names, name) {
			others = append(others, name)
		}
	}
	var times []event.Value
	var combinations groups
	for _, r := range in.list {
		times = append(times, r.columns[b.time])
		x := combinations.find(columnsOf(r, others))
		x.rows = append(x.rows, r)
	}
	starts, err := fillTimes(b.bins, b.bin, times, in.rng)
	if err != nil {
		return nil, err
	}
	if len(others) == 0 {
		combinations.find(nil)
	}
	list := slices.Clone(in.list)
	for _, x := range combinations.list {
		for _, at := range starts {
			if !slices.ContainsFunc(x.rows, func(r *row) bool { return r.columns[b.time] == event.Time(at) }) {
				list = append(list, in.filler(s, x, others, at))
			}
		}
	}
	order := slices.DeleteFunc(slices.Clone(in.names), func(name string) bool {
		return name != b.time && !slices.Contains(others, name)
	})
	slices.SortStableFunc(list, func(a, c *row) int {
		return compareKeys(columnsOf(a, order), columnsOf(c, order))
	})
	out := in.with(list)
	if s.With == syntax.FillPrevious {
		out.carry(in, b.time, others)
	}
	return out, nil
}

func columnsOf(r *row, names []string) []event.Value {
	values := make([]event.Value, 0, len(names))
	for _, name := range names {
		values = append(values, key(r.columns[name]))
	}
	return values
}

// filler makes a row for a missing bucket.
func (in *rows) filler(s *syntax.Fill, x *group, others []string, at int64) *row {
	r := &row{columns: map[string]event.Value{}}
	for _, name := range in.names {
		r.columns[name] = event.Null
		if s.With == syntax.FillZero {
			r.columns[name] = in.zero(name)
		}
	}
	for i, name := range others {
		r.columns[name] = x.keys[i]
	}
	r.columns[in.bucket.time] = event.Time(at)
	return r
}

// zero is what fill 0 writes into a column.
func (in *rows) zero(name string) event.Value {
	var numbers, durations, others bool
	for _, r := range in.list {
		switch v := r.columns[name]; {
		case !v.Exists():
		case v.IsNumber():
			numbers = true
		case v.Kind() == event.KindDuration:
			durations = true
		default:
			others = true
		}
	}
	switch {
	case others || numbers && durations:
		return event.Null
	case durations:
		return event.Duration(0)
	}
	return event.Int(0)
}

// carry writes into every row that was added the values of the row before it of the same keys.
func (out *rows) carry(in *rows, time string, others []string) {
	var before groups
	for _, r := range out.list {
		x := before.find(columnsOf(r, others))
		if !slices.Contains(in.list, r) && len(x.rows) > 0 {
			last := x.rows[len(x.rows)-1]
			for name, v := range last.columns {
				if name != time {
					r.columns[name] = v
				}
			}
		}
		x.rows = append(x.rows, r)
	}
}
