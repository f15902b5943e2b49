package exec

import (
	"context"
	"errors"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// errFar says that the events of a range without bounds are too far apart to be cut into periods at once.
var errFar = errors.New("exec: too many periods")

// countsUsersOnly reports whether a retention asks of users no more than whether they have a RETURN in a
// period.
func countsUsersOnly(s *syntax.Retention) bool {
	return s.Min == 1 && s.Value == 0 && !s.Rolling && len(s.By) == 0
}

// retentionBits are the users of a retention by period.
type retentionBits struct {
	*retentionRun
	cohorts []userBits // by cohort
	backs   []userBits // who has a RETURN, by period; those of a cohort's own are not known
	group   *retentionGroup
}

// fromBitmaps answers from the directories of segments, where that can be; done says that it could.
func (r *retentionRun) fromBitmaps(ctx context.Context) (groups []*retentionGroup, done bool, err error) {
	if !countsUsersOnly(r.stage) {
		return nil, false, nil
	}
	f, conditions, err := r.x.byNames(ctx, r.feed, r.stage.Start, r.stage.Return)
	if f == nil || err != nil {
		return nil, false, err
	}
	if r.stage.First {
		if covers, err := f.coversNames(ctx, conditions[0]); !covers || err != nil {
			return nil, false, err
		}
	}
	if err := r.cut(ctx, func() ([]int64, error) { return nil, errFar }); err != nil {
		if errors.Is(err, errFar) {
			err = nil
		}
		return nil, false, err
	}
	if r.periods.n == 0 {
		return nil, true, nil
	}
	b := &retentionBits{retentionRun: r, group: r.newGroup()}
	if ok, err := b.read(ctx, f, conditions[0], conditions[1]); !ok || err != nil {
		return nil, false, err
	}
	for cohort := range b.cohorts {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		b.count(cohort)
	}
	return []*retentionGroup{b.group}, true, r.x.Budget.Err()
}

// read finds the users.
func (b *retentionBits) read(ctx context.Context, f *storedFeed, start, back *condition) (ok bool, err error) {
	p := b.periods
	edges := p.edges[1:] // of the periods behind the first
	if b.stage.When == syntax.OnOrAfter {
		edges = append(slices.Clone(edges), noLimit)
	}
	t, ok := b.x.newTurnouts(p.n + len(edges))
	if !ok {
		return false, nil
	}
	starts := t.add(f.passing(start), p.clipped(b.rng))
	backs := t.add(f.passing(back), edges)
	var before *turnout
	if b.stage.First && b.rng.From != noPast {
		before = t.add(start, []int64{noPast, b.rng.From})
	}
	if err := t.read(ctx); err != nil {
		return false, err
	}
	b.cohorts = starts.users
	b.backs = append([]userBits{nil}, backs.users...)
	if b.stage.First {
		seen, err := t.expired(ctx, b.stage.Start)
		if err != nil {
			return false, err
		}
		if before != nil {
			seen = seen.union(before.users[0])
		}
		firstOf(b.cohorts, seen)
	}
	if b.stage.When == syntax.OnOrAfter {
		for i := len(b.backs) - 2; i > 0; i-- {
			b.backs[i] = b.backs[i].union(b.backs[i+1])
		}
	}
	return true, nil
}

// clipped returns the edges of the periods with rows, as far as they lie in a range.
func (p *periods) clipped(rng event.TimeRange) []int64 {
	edges := slices.Clone(p.edges[:p.n+1])
	edges[0], edges[p.n] = max(edges[0], rng.From), min(edges[p.n], rng.To)
	return edges
}

// firstOf leaves every user in the first set that he is in, unless he was seen before.
func firstOf(sets []userBits, seen userBits) {
	seen = append(userBits(nil), seen...)
	for i, s := range sets {
		if s == nil {
			continue
		}
		if seen == nil {
			seen = append(seen, s...)
			continue
		}
		for j, w := range s {
			sets[i][j] = w &^ seen[j]
			seen[j] |= w
		}
	}
}

// count counts the users of a cohort.
func (b *retentionBits) count(cohort int) {
	from, to := b.cohorts[cohort].span()
	users := b.cohorts[cohort].part(from, to)
	if len(users) == 0 {
		return
	}
	b.group.sizes[cohort] = users.count()
	for i := range b.columns[:b.over[cohort]] {
		if b.columns[i].k == 0 {
			b.countIn(cohort, i, users, users, from)
		}
	}
	switch b.stage.When {
	case syntax.On, syntax.OnOrAfter:
		b.countOn(cohort, users, from, to)
	default:
		b.countUpTo(cohort, users, from, to)
	}
}

// countOn counts the users of a cohort in columns that look at some periods, without those before. users
// are the words [from, to) of the cohort.
func (b *retentionBits) countOn(cohort int, users userBits, from, to int) {
	var several userBits
	for i, c := range b.columns[:b.over[cohort]] {
		if c.k == 0 {
			continue
		}
		backs := b.backs[cohort+c.k].part(from, to)
		if c.last > c.k && b.stage.When == syntax.On {
			several = append(several[:0], make(userBits, to-from)...)
			for k := c.k; k <= c.last; k++ {
				several.or(b.backs[cohort+k].part(from, to))
			}
			backs = several
		}
		b.countIn(cohort, i, users, backs, from)
	}
}

// countUpTo counts the users of a cohort in columns that look at all periods from 1 on.
func (b *retentionBits) countUpTo(cohort int, users userBits, from, to int) {
	backs := make(userBits, to-from)
	if b.stage.When == syntax.Streak {
		copy(backs, users)
	}
	k := 0
	for i, c := range b.columns[:b.over[cohort]] {
		if c.k == 0 {
			continue
		}
		for k < c.k {
			k++
			next := b.backs[cohort+k].part(from, to)
			if b.stage.When == syntax.Streak {
				backs.and(next)
			} else {
				backs.or(next)
			}
		}
		b.countIn(cohort, i, users, backs, from)
	}
}

// countIn counts the users of a cohort who are in a set; the sets begin with the word first of all sets.
func (b *retentionBits) countIn(cohort, column int, users, set userBits, first int) {
	b.group.counts[b.cell(cohort, column)] = users.countBoth(set)
	if !b.listing {
		return
	}
	n := len(b.group.members)
	users.eachBoth(set, func(id uint32) {
		b.group.members = append(b.group.members, retentionMember{id + uint32(64*first), int32(cohort), int32(column)})
	})
	b.x.Budget.Add("cohorts", 16*(len(b.group.members)-n))
}
