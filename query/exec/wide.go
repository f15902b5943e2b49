package exec

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// wideRun hands a stage the streams of its users over the range of the query and somewhat more, for what
// begins before it or goes on behind it. Users for whom that was too little are left by the consumers,
// and come again in another pass over more, until none is left.
type wideRun struct {
	x    *Execution
	feed feed
	spec *streamSpec
	// before and after tell on which sides of the range events matter, and pause how far surely.
	before, after bool
	pause         int64

	read   event.TimeRange // of the pass under way
	passes [][]*streamWorker
}

// wideConsumer is the consumer of a wideRun.
type wideConsumer interface {
	streamConsumer
	// left returns the users whose events did not suffice. Nothing of them has been counted.
	left() []uint32
}

// wideMargin is how far beyond a pause the first pass reads, and widerFactor by how much more each pass
// after it.
const (
	wideMargin  = 4 * 3600 * int64(1e9)
	widerFactor = 4
)

// run makes the passes.
func (r *wideRun) run(ctx context.Context, newConsumer func(w *streamWorker) (streamConsumer, error)) error {
	margin := wideMargin
	for {
		if err := r.setRange(ctx, margin); err != nil {
			return err
		}
		workers, err := r.feed.run(ctx, r.spec, newConsumer)
		if err != nil {
			return err
		}
		var left []uint32
		for _, w := range workers {
			left = append(left, w.consumer.(wideConsumer).left()...)
		}
		if len(left) == 0 {
			r.passes = append(r.passes, workers)
			return nil
		}
		if workers[0].actors == nil { // dense ids are the same in the next pass
			r.passes = append(r.passes, workers)
			r.spec.only = &idSet{}
			for _, id := range left {
				r.spec.only.add(id, int(r.x.Source.UserCount())+1)
			}
			r.spec.only.toWords(int(r.x.Source.UserCount()) + 1)
		}
		if margin < math.MaxInt64/widerFactor {
			margin *= widerFactor
		}
	}
}

// setRange makes a pass read so far around the range; a side on which nothing more is stored has no end.
func (r *wideRun) setRange(ctx context.Context, margin int64) error {
	r.read = r.feed.bounds()
	if _, ok := r.feed.(*tableFeed); ok {
		r.read = event.AllTime // what there is has been let through
	}
	from, to := bounded(r.read)
	from, to = from && r.before, to && r.after
	if from {
		r.read = earlier(earlier(r.read, r.pause), margin)
	}
	if to {
		r.read = longer(longer(r.read, r.pause), margin)
	}
	if from || to {
		first, last, err := r.x.extent(ctx)
		if err != nil {
			return err
		}
		if from && r.read.From <= first {
			r.read.From = math.MinInt64
		}
		if to && r.read.To > last {
			r.read.To = noLimit
		}
	}
	r.spec.rng = r.read
	return nil
}

// endsOpen reports whether events that the pass has not read may follow upon one at an instant within
// the pause.
func (r *wideRun) endsOpen(at int64) bool {
	return r.after && r.read.To != noLimit && r.read.To-at <= r.pause
}

// beginsOpen is endsOpen for the time before an instant.
func (r *wideRun) beginsOpen(at int64) bool {
	return r.before && r.read.From != math.MinInt64 && at-r.read.From < r.pause
}

// extent returns the times of the first and of the last stored event, or instants around them.
func (x *Execution) extent(ctx context.Context) (first, last int64, err error) {
	readers, err := x.Source.Segments(ctx, event.AllTime)
	if err != nil {
		return 0, 0, err
	}
	first, last = math.MaxInt64, math.MinInt64
	for _, r := range readers {
		if info := r.Info(); info.Rows > 0 {
			first, last = min(first, info.TimeMin), max(last, info.TimeMax)
		}
	}
	return first, last, nil
}

// eventName is the column of a stream that holds the event's own name, whatever stages have made of the
// column event.
var eventName syntax.Expr = &syntax.Column{Name: syntax.ColumnEvent}
