package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// stickinessRun is one run of a stickiness.
type stickinessRun struct {
	activity
	listing bool
	users   []int64      // by number of periods
	members []userPeriod // if they are wanted
}

// stickiness runs a stickiness.
func (x *Execution) stickiness(ctx context.Context, f feed, s *syntax.Stickiness, view syntax.Stage) (*table, error) {
	r := &stickinessRun{activity: activity{x: x, feed: f, rng: f.bounds(), selector: s.Selector, least: s.Min, earlier: noLimit}}
	_, r.listing = view.(*syntax.Users)
	done, err := r.fromBitmaps(ctx, s)
	if err == nil && !done {
		err = r.fromStream(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if r.listing {
		return r.userPeriodTable(ctx, r.members, syntax.StickinessColumns[:1], func(p userPeriod) []event.Value {
			return []event.Value{event.Int(int64(p.place))}
		})
	}
	return r.table(s.AtLeast), nil
}

// fromStream reads the events of every user.
func (r *stickinessRun) fromStream(ctx context.Context, s *syntax.Stickiness) error {
	if err := r.cut(ctx, s.Pos, s.Every); err != nil || r.periods.n == 0 {
		return err
	}
	var parts []*stickinessRun
	err := r.read(ctx, func(*streamWorker) func(user uint32, periods []int32) {
		part := &stickinessRun{listing: r.listing, users: make([]int64, r.periods.n+1)}
		parts = append(parts, part)
		account := account{budget: r.x.Budget, purpose: "users by period"}
		return func(user uint32, periods []int32) {
			part.users[len(periods)]++
			if part.listing {
				part.members = append(part.members, userPeriod{user: user, place: int32(len(periods))})
				account.add(12)
			}
		}
	})
	r.users = make([]int64, r.periods.n+1)
	for _, part := range parts {
		for i, n := range part.users {
			r.users[i] += n
		}
		r.members = append(r.members, part.members...)
	}
	return err
}

// table makes the rows.
func (r *stickinessRun) table(atLeast bool) *table {
	t := &table{rng: r.rng, names: syntax.StickinessColumns[:]}
	from, to := r.periods.rows(r.first, r.last)
	rows := to - from
	more := int64(0) // users with more periods than the row at hand
	t.rows = make([]row, rows)
	for n := rows; n > 0; n-- {
		users := r.users[n]
		if atLeast {
			users += more
			more = users
		}
		t.rows[n-1].values = []event.Value{event.Int(int64(n)), event.Int(users)}
	}
	return t
}
