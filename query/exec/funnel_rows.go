package exec

import (
	"context"
	"math/big"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// table makes the rows of the funnel, or of its view.
func (r *funnelRun) table(ctx context.Context, groups []*funnelGroup) (*table, error) {
	t := &table{rng: r.rng, names: names(r.stage.By)}
	switch v := r.view.(type) {
	case *syntax.Trend:
		return t, r.trendRows(t, groups, v)
	case *syntax.Times:
		r.timesRows(t, groups, v)
		return t, nil
	case *syntax.Converted, *syntax.Dropped, *syntax.Pending, *syntax.Users:
		return r.userRows(ctx, t, groups)
	}
	t.names = append(append(t.names, syntax.FunnelColumns[:]...), names(r.stage.Sums)...)
	for _, g := range groups {
		if err := r.stepRows(t, g); err != nil {
			return nil, err
		}
	}
	return t, r.x.Budget.Err()
}

func (r *funnelRun) stepRows(t *table, g *funnelGroup) error {
	required := g.counts[0]
	for k := range r.p.steps {
		spans := g.spans[k]
		values := append(slices.Clone(g.keys),
			event.Int(int64(k+1)), event.String(stepLabel(r.stage.Pattern.Steps[k])), event.Int(g.counts[k]),
			share(g.counts[k], g.counts[0]), share(g.counts[k], required),
			event.Int(g.dropped[k]), event.Int(g.pending[k]), meanSpan(spans), quantileSpan(spans, 0.5),
		)
		for i := range r.sums {
			v, err := g.sums[k].finish(uint32(i), &syntax.Agg{Func: syntax.AggSum})
			if err != nil {
				return err
			}
			values = append(values, v)
		}
		t.rows = append(t.rows, row{values: values})
		if !r.p.steps[k].optional() {
			required = g.counts[k]
		}
	}
	return nil
}

// stepLabel is what the column event says of a step.
func stepLabel(s *syntax.Step) string {
	if s.Name != "" {
		return s.Name
	}
	if name, ok := s.Selectors[0].EventName(); ok && len(s.Selectors) == 1 {
		return name
	}
	var members []string
	for _, selector := range s.Selectors {
		members = append(members, selector.String())
		if len(s.Selectors) > 1 && len(selector.Terms) > 1 {
			members[len(members)-1] = "(" + selector.String() + ")"
		}
	}
	return strings.Join(members, " & ")
}

// share is n ÷ of, null where there is nothing to compare with.
func share(n, of int64) event.Value {
	if of == 0 {
		return event.Null
	}
	return event.Float(float64(n) / float64(of))
}

// meanSpan is the mean of durations, null of none.
func meanSpan(spans []int64) event.Value {
	if len(spans) == 0 {
		return event.Null
	}
	var sum exactSum
	for _, nanos := range spans {
		sum.addInt(nanos)
	}
	return durationOf(sum.rat().Quo(sum.rat(), big.NewRat(int64(len(spans)), 1)))
}

// quantileSpan is a quantile of durations, null of none. It reorders them.
func quantileSpan(spans []int64, q float64) event.Value {
	n := len(spans)
	if n == 0 {
		return event.Null
	}
	return scalar.Interpolate(n, q, func(i int) event.Value {
		selectInt(spans, i)
		return event.Duration(spans[i])
	})
}

// selectInt reorders values so that the one of rank k stands where a sort would put it, the smaller before
// it.
func selectInt(values []int64, k int) {
	for len(values) > 32 {
		// The pivot is the median of nine.
		var sample [9]int64
		step := len(values) / 9
		for i := range sample {
			sample[i] = values[i*step+step/2]
		}
		slices.Sort(sample[:])
		pivot := sample[4]
		i, j, end := 0, 0, len(values)
		for j < end {
			switch v := values[j]; {
			case v < pivot:
				values[i], values[j] = v, values[i]
				i++
				j++
			case v > pivot:
				end--
				values[j], values[end] = values[end], v
			default:
				j++
			}
		}
		switch {
		case k < i:
			values = values[:i]
		case k >= end:
			values, k = values[end:], k-end
		default:
			return
		}
	}
	slices.Sort(values)
}

func (r *funnelRun) trendRows(t *table, groups []*funnelGroup, v *syntax.Trend) error {
	t.names = append(t.names, syntax.TrendColumns[:]...)
	var times []int64
	for _, g := range groups {
		for at := range g.trend {
			times = append(times, at)
		}
	}
	starts, err := periodStarts(r.bins, &syntax.Bin{Pos: v.Pos, Span: v.Every}, times, r.rng)
	if err != nil {
		return err
	}
	for _, g := range groups {
		for _, at := range starts {
			n := g.trend[at]
			if n == nil {
				n = &[2]int64{}
			}
			t.rows = append(t.rows, row{values: append(slices.Clone(g.keys), event.Time(at), event.Int(n[0]), event.Int(n[1]), share(n[1], n[0]))})
		}
		r.x.Budget.Add("rows", 200*len(starts))
		if err := r.x.Budget.Err(); err != nil {
			return err
		}
	}
	return nil
}

// periodStarts returns the starts of all buckets of a range, or from the first to the last of the times
// where the range has no bounds.
func periodStarts(bins *scalar.Bins, bin *syntax.Bin, times []int64, rng event.TimeRange) ([]int64, error) {
	first, last := int64(noLimit), int64(-noLimit-1)
	for _, at := range times {
		first, last = min(first, at), max(last, at+1)
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

func (r *funnelRun) timesRows(t *table, groups []*funnelGroup, v *syntax.Times) {
	t.names = append(t.names, syntax.TimesColumns[:]...)
	if v.Edges != nil {
		t.names = append(t.names, "hist")
	}
	for _, g := range groups {
		spans := g.spans[0]
		least, greatest := event.Null, event.Null
		if len(spans) > 0 {
			least, greatest = event.Duration(slices.Min(spans)), event.Duration(slices.Max(spans))
		}
		values := append(slices.Clone(g.keys),
			event.Int(int64(len(spans))), meanSpan(spans), quantileSpan(spans, 0.5), quantileSpan(spans, 0.9), quantileSpan(spans, 0.99),
			least, greatest,
		)
		if v.Edges != nil {
			list := make([]event.Value, len(spans))
			for i, nanos := range spans {
				list[i] = event.Duration(nanos)
			}
			values = append(values, scalar.HistEdges(v.Edges, list))
		}
		t.rows = append(t.rows, row{values: values})
	}
}

// userRows lists users: behind the groups with the time of a step, or, for `users`, before them with the
// step too.
func (r *funnelRun) userRows(ctx context.Context, t *table, groups []*funnelGroup) (*table, error) {
	_, users := r.view.(*syntax.Users)
	keys := t.names
	if users {
		t.names = append([]string{syntax.ColumnUser, syntax.ColumnTime, "step"}, keys...)
	} else {
		t.names = append(keys, syntax.ColumnUser, syntax.ColumnTime)
	}
	for _, g := range groups {
		who, err := r.feed.users(r.workers, usersOf(g.users))
		if err != nil {
			return nil, err
		}
		r.x.Budget.Add("rows", len(who)*(24+40*len(t.names)))
		for i, u := range g.users {
			if err := interrupted(ctx, i); err != nil {
				return nil, err
			}
			var values []event.Value
			if users {
				values = append([]event.Value{who[i], event.Time(u.at), event.Int(int64(u.step) + 1)}, g.keys...)
			} else {
				values = append(slices.Clone(g.keys), who[i], event.Time(u.at))
			}
			t.rows = append(t.rows, row{values: values})
		}
	}
	return t, sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values, b.values) })
}

func usersOf(list []funnelUser) []uint32 {
	ids := make([]uint32, len(list))
	for i, u := range list {
		ids[i] = u.user
	}
	return ids
}
