package exec

import (
	"context"
	"sort"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// periods are the periods of a stage that counts by them: period i is [edges[i], edges[i+1]). The first n
// share an instant with the range; those behind them are looked at only.
type periods struct {
	bins  *scalar.Bins
	edges []int64 // ascending; n+1 or more, unless n is 0
	n     int
	// open says at which ends the range has no bound: there the rows begin and end with periods that count.
	openFrom, openTo bool
}

// start returns the first instant of a period.
func (p *periods) start(i int) int64 { return p.edges[i] }

// last is the number that find gives to what lies behind the last edge.
func (p *periods) last() int { return len(p.edges) - 1 }

// find returns the period of an instant, -1 before the first one.
func (p *periods) find(at int64) int {
	return sort.Search(len(p.edges), func(i int) bool { return p.edges[i] > at }) - 1
}

// holds reports whether an instant of the range that does not lie before one of its periods lies in it.
func (p *periods) holds(i int, at int64) bool { return i == p.n-1 || at < p.edges[i+1] }

// findFrom is find for an instant that does not lie before period i.
func (p *periods) findFrom(i int, at int64) int {
	step := 1
	for i+step < len(p.edges) && p.edges[i+step] <= at {
		i += step
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if i+step < len(p.edges) && p.edges[i+step] <= at {
			i += step
		}
	}
	return i
}

// extend adds edges until period to has its end, or one ends after now.
func (p *periods) extend(to int, now int64) {
	for n := len(p.edges); n > 0 && n < to+2; n++ {
		end := p.edges[n-1]
		if end > now || end == noLimit {
			return
		}
		p.edges = append(p.edges, p.bins.End(end))
	}
}

// before returns the first instant of the period before the first one.
func (p *periods) before() int64 {
	if p.n == 0 || p.edges[0] == noPast {
		return noPast
	}
	return p.bins.Start(p.edges[0] - 1)
}

// rows returns which periods have a row, [from, to): all of the range or, where that has no bounds, those
// from the first to the last that counts. If none counts, last lies before first.
func (p *periods) rows(first, last int) (from, to int) {
	from, to = 0, p.n
	if p.openFrom {
		from = min(first, p.n)
	}
	if p.openTo {
		to = last + 1
	}
	return from, max(from, to)
}

// noPast is the time before which there is nothing.
const noPast = -noLimit - 1

// inRange reports whether an instant lies in a range; the last of all instants does if the range has no
// end.
func inRange(r event.TimeRange, at int64) bool { return at >= r.From && (at < r.To || r.To == noLimit) }

// coarsePeriods is up to how many periods a range without bounds may have by the times of all stored
// events. If it has more, those that the stage counts are read for it beforehand.
const coarsePeriods = 1 << 12

// newPeriods cuts the range of a feed. Where it has no bounds, exact finds the first and the last time that
// counts; it is asked only if the times of all events are too far apart.
func (x *Execution) newPeriods(ctx context.Context, f feed, pos syntax.Pos, every syntax.Span, exact func() ([]int64, error)) (*periods, error) {
	rng := f.bounds()
	bounds, err := f.extent(ctx)
	if err != nil {
		return nil, err
	}
	from, to := bounded(rng)
	if !from || !to {
		if p := x.cut(rng, bounds, every, coarsePeriods); p != nil {
			return p, nil
		}
		if bounds, err = exact(); err != nil {
			return nil, err
		}
	}
	if p := x.cut(rng, bounds, every, scalar.BucketsMax); p != nil {
		return p, nil
	}
	return nil, scalar.TooManyBuckets(&syntax.Bin{Pos: pos, Span: every})
}

// cut cuts a range into periods; where it has no bounds, from the least to the greatest of times. It returns
// nil if they are more than most.
func (x *Execution) cut(rng event.TimeRange, times []int64, every syntax.Span, most int) *periods {
	from, to := bounded(rng)
	p := &periods{bins: x.Calendar.Bins(every, rng.From), openFrom: !from, openTo: !to}
	first, last := int64(noLimit), int64(noPast)
	for _, at := range times {
		first, last = min(first, at), max(last, at)
	}
	if last < noLimit && len(times) > 0 {
		last++
	}
	if from {
		first = rng.From
	}
	if to {
		last = rng.To
	}
	starts, ok := p.bins.Starts(first, last, most)
	if !ok {
		return nil
	}
	p.edges, p.n = starts, len(starts)
	if p.n > 0 {
		p.edges = append(p.edges, p.bins.End(starts[p.n-1]))
	}
	return p
}

// extent implements feed.
func (f *storedFeed) extent(ctx context.Context) ([]int64, error) {
	rng := f.bounds()
	if from, to := bounded(rng); from && to || rng.Empty() {
		return nil, nil
	}
	readers, err := f.x.Source.Segments(ctx, rng)
	if err != nil {
		return nil, err
	}
	var times []int64
	for _, r := range readers {
		if v := newView(r); v.info.Rows > 0 && !v.outside(rng) {
			times = append(times, max(v.info.TimeMin, rng.From))
			if v.info.TimeMax < rng.To {
				times = append(times, v.info.TimeMax)
			} else {
				times = append(times, rng.To-1)
			}
		}
	}
	return times, nil
}

// extent implements feed.
func (f *tableFeed) extent(context.Context) ([]int64, error) {
	if from, to := bounded(f.t.rng); from && to {
		return nil, nil
	}
	var times []int64
	for i := range f.t.rows {
		if at := f.t.rows[i].event.Time; inRange(f.t.rng, at) {
			times = append(times, at)
		}
	}
	return times, nil
}

// matchExtent finds the first and the last time in the range at which a user has an event that counts.
func (x *Execution) matchExtent(ctx context.Context, f feed, spec *streamSpec, newCounts func(w *streamWorker) func(r *userRows, i int) bool) ([]int64, error) {
	workers, err := f.run(ctx, spec, func(w *streamWorker) (streamConsumer, error) {
		return &extentWorker{rng: f.bounds(), counts: newCounts(w)}, nil
	})
	var times []int64
	for _, w := range workers {
		if e := w.consumer.(*extentWorker); e.any {
			times = append(times, e.first, e.last)
		}
	}
	return times, err
}

// extentWorker is matchExtent's consumer.
type extentWorker struct {
	rng         event.TimeRange
	counts      func(r *userRows, i int) bool
	any         bool
	first, last int64
}

// user implements streamConsumer.
func (e *extentWorker) user(r *userRows) error {
	for i, at := range r.times {
		if e.any && at >= e.first && at <= e.last || !inRange(e.rng, at) || !e.counts(r, i) {
			continue
		}
		if !e.any {
			e.any, e.first, e.last = true, at, at
		}
		e.first, e.last = min(e.first, at), max(e.last, at)
	}
	return nil
}
