package exec

import (
	"context"
	"errors"
	"math/bits"

	"cairn/query/syntax"
)

// byBitmaps prepares to answer from the directories of segments: it makes the periods, and returns the feed
// and the selector's condition; a nil feed: it cannot be.
func (a *activity) byBitmaps(ctx context.Context, pos syntax.Pos, every syntax.Span) (*storedFeed, *condition, error) {
	f, conditions, err := a.x.byNames(ctx, a.feed, a.selector)
	if f == nil || err != nil {
		return nil, nil, err
	}
	if err := a.cutCoarsely(ctx, pos, every); err != nil {
		if errors.Is(err, errFar) {
			err = nil
		}
		return nil, nil, err
	}
	return f, conditions[0], nil
}

// noteMatched notes which periods have a match.
func (a *activity) noteMatched(active []userBits) {
	for i, users := range active {
		if from, to := users.span(); from < to {
			a.first, a.last = min(a.first, i), max(a.last, i)
		}
	}
}

func (r *lifecycleRun) fromBitmaps(ctx context.Context, s *syntax.Lifecycle) (done bool, err error) {
	f, c, err := r.byBitmaps(ctx, s.Pos, s.Every)
	if f == nil || err != nil {
		return false, err
	}
	p := r.periods
	if p.n == 0 {
		return true, nil
	}
	t, ok := r.x.newTurnouts(2*p.n + 2)
	if !ok {
		return false, nil
	}
	active := t.add(f.passing(c), p.clipped(r.rng))
	before := t.add(f.passing(c), []int64{p.before(), p.edges[0]})
	past := t.add(c, []int64{noPast, p.edges[0]})
	all := active // of the periods but the last, whatever the filter and the range let through
	if f.filter != nil || r.rng.From > p.edges[0] {
		all = t.add(c, p.edges[:p.n+1])
	}
	if err := t.read(ctx); err != nil {
		return false, err
	}
	r.noteMatched(active.users)
	seen, err := t.expired(ctx, s.Selector)
	if err != nil {
		return false, err
	}
	l := lifecycleBits{lifecycleRun: r, seen: make(userBits, t.words), empty: make(userBits, t.words)}
	l.seen.or(seen)
	l.seen.or(past.users[0])
	r.counts = make([][lifecycleStates]int64, p.n)
	last := before.users[0]
	for i, users := range active.users {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		l.count(int32(i), users, last)
		l.seen.or(all.users[i])
		last = users
	}
	r.x.Budget.Add("users by period", 12*len(r.members))
	return true, r.x.Budget.Err()
}

// lifecycleBits counts users by period.
type lifecycleBits struct {
	*lifecycleRun
	seen  userBits // who had a match before the period
	empty userBits
}

// count counts the users of a period, with those of the period before.
func (l *lifecycleBits) count(period int32, users, before userBits) {
	if users == nil {
		users = l.empty
	}
	if before == nil {
		before = l.empty
	}
	counts := &l.counts[period]
	before, seen := before[:len(users)], l.seen[:len(users)]
	for i, w := range users {
		b := before[i]
		if w|b == 0 {
			continue
		}
		states := [lifecycleStates]uint64{
			stateNew: w &^ seen[i], stateReturning: w & seen[i] & b, stateResurrected: w & seen[i] &^ b, stateDormant: b &^ w,
		}
		for state, set := range states {
			counts[state] += int64(bits.OnesCount64(set))
			for ; l.listing && set != 0; set &= set - 1 {
				l.members = append(l.members, userPeriod{uint32(i<<6 + bits.TrailingZeros64(set)), period, int8(state)})
			}
		}
	}
}

func (r *stickinessRun) fromBitmaps(ctx context.Context, s *syntax.Stickiness) (done bool, err error) {
	if s.Min != 1 {
		return false, nil
	}
	f, c, err := r.byBitmaps(ctx, s.Pos, s.Every)
	if f == nil || err != nil {
		return false, err
	}
	p := r.periods
	if p.n == 0 {
		return true, nil
	}
	t, ok := r.x.newTurnouts(p.n + bits.Len(uint(p.n)))
	if !ok {
		return false, nil
	}
	active := t.add(f.passing(c), p.clipped(r.rng))
	if err := t.read(ctx); err != nil {
		return false, err
	}
	r.noteMatched(active.users)
	r.users = make([]int64, p.n+1)
	tally := newUserTally(p.n, t.words)
	for _, users := range active.users {
		tally.add(users)
	}
	tally.each(func(first uint32, set uint64, n int) {
		r.users[n] += int64(bits.OnesCount64(set))
		for ; r.listing && set != 0; set &= set - 1 {
			r.members = append(r.members, userPeriod{user: first + uint32(bits.TrailingZeros64(set)), place: int32(n)})
		}
	})
	r.x.Budget.Add("users by period", 12*len(r.members))
	return true, r.x.Budget.Err()
}

// userTally counts for every user in how many sets he is. The counts are kept as planes of binary digits, so
// that adding a set works on 64 users at a time.
type userTally struct{ planes []userBits }

// newUserTally makes a tally of up to most sets.
func newUserTally(most, words int) *userTally {
	t := &userTally{}
	for range bits.Len(uint(most)) {
		t.planes = append(t.planes, make(userBits, words))
	}
	return t
}

func (t *userTally) add(users userBits) {
	for i, carry := range users {
		for k := 0; carry != 0; k++ {
			plane := t.planes[k]
			carry, plane[i] = carry&plane[i], carry^plane[i]
		}
	}
}

// each calls f with all users of each count but 0, in sets of up to 64: as bits, with the id that the lowest
// stands for.
func (t *userTally) each(f func(first uint32, set uint64, n int)) {
	digits := make([]uint64, len(t.planes)) // of 64 users
	var split func(set uint64, k, n, i int)
	split = func(set uint64, k, n, i int) {
		switch {
		case set == 0:
		case k < 0:
			if n > 0 {
				f(uint32(i)<<6, set, n)
			}
		default:
			split(set&digits[k], k-1, n|1<<k, i)
			split(set&^digits[k], k-1, n, i)
		}
	}
	for i := range t.planes[0] {
		any := uint64(0)
		for k, plane := range t.planes {
			digits[k] = plane[i]
			any |= plane[i]
		}
		split(any, len(digits)-1, 0, i)
	}
}
