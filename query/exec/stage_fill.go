package exec

import (
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// fillStage adds rows for missing time buckets.
func (x *Execution) fillStage(t *table, s *syntax.Fill) (*table, error) {
	b := t.bucket
	if s.With == syntax.FillNone {
		return t, nil
	}
	if b == nil || t.index(b.time) < 0 {
		return nil, syntax.Errorf(s.Pos, "fill needs the column of the time buckets")
	}
	f := &filling{x: x, t: t, time: t.index(b.time), rest: x.newTuples(0)}
	for _, name := range b.keys {
		if i := t.index(name); i >= 0 {
			f.others = append(f.others, i)
		}
	}
	f.rest = x.newTuples(len(f.others))
	return f.rows(s.With)
}

// filling is one fill at work.
type filling struct {
	x      *Execution
	t      *table
	time   int     // column of the buckets
	others []int   // columns of the other keys that are left
	rest   *tuples // combinations of those
}

func (f *filling) combination(r *row) uint32 {
	keys := make([]event.Value, len(f.others))
	for i, c := range f.others {
		keys[i] = r.values[c]
	}
	return f.rest.number(keys)
}

func (f *filling) rows(with syntax.FillWith) (*table, error) {
	t := f.t
	have := map[uint64]bool{} // combination and bucket
	var times []int64
	at := map[int64]uint32{}
	number := func(start int64) uint32 {
		n, ok := at[start]
		if !ok {
			n = uint32(len(at))
			at[start] = n
		}
		return n
	}
	for i := range t.rows {
		c := f.combination(&t.rows[i])
		if v := t.rows[i].values[f.time]; v.Kind() == event.KindTime {
			times = append(times, v.AsInt())
			have[uint64(c)<<32|uint64(number(v.AsInt()))] = true
		}
	}
	slices.Sort(times)
	starts, err := fillTimes(t.bucket.bins, t.bucket.bin, times, t.rng)
	if err != nil {
		return nil, err
	}
	type filled struct {
		row   row
		added bool
	}
	list := make([]filled, 0, len(t.rows))
	for _, r := range t.rows {
		list = append(list, filled{row: r})
	}
	for c := range f.rest.len() {
		f.x.Budget.Add("rows", len(starts)*(24+40*len(t.names)))
		if err := f.x.Budget.Err(); err != nil {
			return nil, err
		}
		for _, start := range starts {
			if !have[uint64(c)<<32|uint64(number(start))] {
				list = append(list, filled{f.filler(with, uint32(c), start), true})
			}
		}
	}
	order := f.order()
	slices.SortStableFunc(list, func(a, b filled) int {
		for _, c := range order {
			if d := compareValues(a.row.values[c], b.row.values[c], false); d != 0 {
				return d
			}
		}
		return 0
	})
	out := t.with(make([]row, len(list)))
	before := map[uint32][]event.Value{}
	for i, r := range list {
		c := f.combination(&r.row)
		if last := before[c]; r.added && with == syntax.FillPrevious && last != nil {
			start := r.row.values[f.time]
			r.row.values = slices.Clone(last)
			r.row.values[f.time] = start
		}
		before[c] = r.row.values
		out.rows[i] = r.row
	}
	return out, nil
}

// order is the order of stats: the keys as they stand among the columns.
func (f *filling) order() []int {
	var order []int
	for c := range f.t.names {
		if c == f.time || slices.Contains(f.others, c) {
			order = append(order, c)
		}
	}
	return order
}

// filler makes the row of a missing bucket.
func (f *filling) filler(with syntax.FillWith, combination uint32, start int64) row {
	values := make([]event.Value, len(f.t.names))
	for c := range values {
		values[c] = event.Null
		if with == syntax.FillZero {
			values[c] = f.zero(c)
		}
	}
	keys := f.rest.values(combination, nil)
	for i, c := range f.others {
		values[c] = keys[i]
	}
	values[f.time] = event.Time(start)
	return row{values: values}
}

// zero is what fill 0 writes into a column: 0 among numbers, 0 s among durations, else null.
func (f *filling) zero(column int) event.Value {
	zero := event.Int(0)
	for i := range f.t.rows {
		v := f.t.rows[i].values[column]
		switch {
		case !v.Exists():
		case v.Kind() == event.KindDuration:
			zero = event.Duration(0)
		case !v.IsNumber():
			return event.Null
		}
	}
	return zero
}
