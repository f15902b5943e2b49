package exec

import (
	"cmp"
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// activity reads for lifecycle and stickiness in which periods each user has matches of a selector.
type activity struct {
	x        *Execution
	feed     feed
	rng      event.TimeRange
	selector *syntax.Selector
	periods  *periods
	least    int // matches that make a period count
	// earlier is the first instant of the period before the first one, if that is to be read too.
	earlier     int64
	first, last int // of the periods that have a match of anybody; none: last is before first
	workers     []*streamWorker
}

// cut makes the periods.
func (a *activity) cut(ctx context.Context, pos syntax.Pos, every syntax.Span) error {
	return a.cutWith(ctx, pos, every, func() ([]int64, error) {
		spec := &streamSpec{rng: a.rng}
		spec.selector(syntax.FirstNone, a.selector)
		return a.x.matchExtent(ctx, a.feed, spec, func(*streamWorker) func(r *userRows, i int) bool {
			return func(*userRows, int) bool { return true }
		})
	})
}

// cutCoarsely is cut that reads no events: where it would have to it returns errFar.
func (a *activity) cutCoarsely(ctx context.Context, pos syntax.Pos, every syntax.Span) error {
	return a.cutWith(ctx, pos, every, func() ([]int64, error) { return nil, errFar })
}

func (a *activity) cutWith(ctx context.Context, pos syntax.Pos, every syntax.Span, exact func() ([]int64, error)) error {
	p, err := a.x.newPeriods(ctx, a.feed, pos, every, exact)
	if err != nil {
		return err
	}
	a.periods, a.first, a.last = p, p.n, -1
	return nil
}

// read calls take for every user, with his periods in ascending order; -1 is the one before the first. It
// is called by several workers at once, each with a consumer's state of its own from newState.
func (a *activity) read(ctx context.Context, newTake func(w *streamWorker) func(user uint32, periods []int32)) error {
	spec := &streamSpec{rng: a.rng}
	spec.rng.From = min(spec.rng.From, a.earlier)
	spec.selector(syntax.FirstNone, a.selector)
	workers, err := a.feed.run(ctx, spec, func(w *streamWorker) (streamConsumer, error) {
		return &activityWorker{a: a, take: newTake(w), first: a.periods.n, last: -1}, nil
	})
	a.workers = workers
	for _, w := range workers {
		one := w.consumer.(*activityWorker)
		a.first, a.last = min(a.first, one.first), max(a.last, one.last)
	}
	return err
}

// activityWorker is an activity's consumer.
type activityWorker struct {
	a           *activity
	take        func(user uint32, periods []int32)
	periods     []int32
	first, last int
}

// user implements streamConsumer.
func (w *activityWorker) user(r *userRows) error {
	a, p := w.a, w.a.periods
	w.periods = w.periods[:0]
	i := 0
	for ; i < len(r.times) && r.times[i] < a.rng.From; i++ {
		if r.times[i] < p.edges[0] && len(w.periods) == 0 {
			w.periods = append(w.periods, -1)
		}
	}
	period := 0
	for i < len(r.times) && inRange(a.rng, r.times[i]) {
		period = min(p.findFrom(period, r.times[i]), p.n-1)
		n := i
		for i < len(r.times) && p.holds(period, r.times[i]) && inRange(a.rng, r.times[i]) {
			i++
		}
		w.first, w.last = min(w.first, period), max(w.last, period)
		if i-n >= a.least {
			w.periods = append(w.periods, int32(period))
		}
	}
	if len(w.periods) > 0 {
		w.take(r.user, w.periods)
	}
	return nil
}

// userPeriod is a user in one row of what a stage lists by user.
type userPeriod struct {
	user  uint32
	place int32 // a period, or a number of periods
	state int8
}

// userPeriodTable lists users, by name, then place and state; row gives the values behind the user.
func (a *activity) userPeriodTable(ctx context.Context, list []userPeriod, columns []string, values func(p userPeriod) []event.Value) (*table, error) {
	t := &table{rng: a.rng, names: append([]string{syntax.ColumnUser}, columns...)}
	a.x.Budget.Add("rows", len(list)*(24+40*len(t.names)))
	if err := a.x.Budget.Err(); err != nil {
		return nil, err
	}
	users, err := orderByUser(a.feed, a.workers, len(list), func(i int) uint32 { return list[i].user })
	if err != nil {
		return nil, err
	}
	t.rows = make([]row, 0, len(list))
	err = users.each(ctx, func(i, j int32) int {
		return cmp.Compare(list[i].place, list[j].place) // a user has one state in a period
	}, func(name event.Value, i int32) {
		t.rows = append(t.rows, row{values: append([]event.Value{name}, values(list[i])...)})
	})
	return t, err
}
