package exec

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// lifecycleState is what a user is in a period.
type lifecycleState int8

// The states, in the order of the columns.
const (
	stateNew lifecycleState = iota
	stateReturning
	stateResurrected
	stateDormant
	lifecycleStates
)

// String names the state as its column.
func (s lifecycleState) String() string { return syntax.LifecycleColumns[1+s] }

// lifecycleRun is one run of a lifecycle.
type lifecycleRun struct {
	activity
	listing bool
	counts  [][lifecycleStates]int64 // by period
	members []userPeriod             // if they are wanted
}

// lifecycle runs a lifecycle.
func (x *Execution) lifecycle(ctx context.Context, f feed, s *syntax.Lifecycle, view syntax.Stage) (*table, error) {
	r := &lifecycleRun{activity: activity{x: x, feed: f, rng: f.bounds(), selector: s.Selector, least: 1}}
	_, r.listing = view.(*syntax.Users)
	done, err := r.fromBitmaps(ctx, s)
	if err == nil && !done {
		err = r.fromStream(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if r.listing {
		_, to := r.rows()
		r.members = slices.DeleteFunc(r.members, func(p userPeriod) bool { return int(p.place) >= to })
		return r.userPeriodTable(ctx, r.members, []string{syntax.ColumnTime, "state"}, func(p userPeriod) []event.Value {
			return []event.Value{event.Time(r.periods.start(int(p.place))), event.String(lifecycleState(p.state).String())}
		})
	}
	return r.table(), nil
}

// fromStream reads the events of every user.
func (r *lifecycleRun) fromStream(ctx context.Context, s *syntax.Lifecycle) error {
	if err := r.cut(ctx, s.Pos, s.Every); err != nil || r.periods.n == 0 {
		return err
	}
	r.earlier = r.periods.before()
	first, err := r.x.history(ctx, s.Selector)
	if err != nil {
		return err
	}
	var parts []*lifecycleRun
	err = r.read(ctx, func(w *streamWorker) func(user uint32, periods []int32) {
		part := &lifecycleRun{activity: r.activity, listing: r.listing, counts: make([][lifecycleStates]int64, r.periods.n)}
		parts = append(parts, part)
		account := account{budget: r.x.Budget, purpose: "users by period"}
		return func(user uint32, active []int32) {
			began := int32(-1)
			if v := w.known(first, user); v.Exists() {
				began = int32(r.periods.find(v.AsInt()))
			}
			n := len(part.members)
			part.user(user, active, began)
			account.add(12 * (len(part.members) - n))
		}
	})
	r.counts = make([][lifecycleStates]int64, r.periods.n)
	for _, part := range parts {
		for period := range part.counts {
			for state, n := range part.counts[period] {
				r.counts[period][state] += n
			}
		}
		r.members = append(r.members, part.members...)
	}
	return err
}

// rows returns which periods have rows, [from, to).
func (r *lifecycleRun) rows() (from, to int) { return r.periods.rows(r.first, r.last) }

// user counts a user who has matches in some periods, ascending, and had his first one ever in period began.
func (r *lifecycleRun) user(user uint32, active []int32, began int32) {
	before := int32(-2)
	for _, period := range active {
		if before >= -1 && before+1 < period {
			r.count(user, before+1, stateDormant)
		}
		switch {
		case period < 0:
		case period == began:
			r.count(user, period, stateNew)
		case period == before+1:
			r.count(user, period, stateReturning)
		default:
			r.count(user, period, stateResurrected)
		}
		before = period
	}
	if before+1 < int32(r.periods.n) {
		r.count(user, before+1, stateDormant)
	}
}

func (r *lifecycleRun) count(user uint32, period int32, state lifecycleState) {
	r.counts[period][state]++
	if r.listing {
		r.members = append(r.members, userPeriod{user, period, int8(state)})
	}
}

// table makes the rows.
func (r *lifecycleRun) table() *table {
	t := &table{rng: r.rng, names: syntax.LifecycleColumns[:]}
	from, to := r.rows()
	for i := from; i < to; i++ {
		values := []event.Value{event.Time(r.periods.start(i))}
		for _, n := range r.counts[i] {
			values = append(values, event.Int(n))
		}
		t.rows = append(t.rows, row{values: values})
	}
	return t
}
