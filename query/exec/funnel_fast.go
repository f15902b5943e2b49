package exec

import (
	"math"

	"cairn/query/syntax"
)

// fastFunnel counts the users of the commonest funnels straight from the gathered rows: steps of single
// events joined by arrows without limits, counted by user, with a breakdown by the first step or none. One
// pass over a user's events tells how deep his deepest attempt gets: per step it keeps the latest start that
// has reached it, since that has the most time left. Only then the earliest start that gets as deep is
// looked for, with the events it takes.
type fastFunnel struct {
	f      *funnelWorker
	masks  []uint64 // by class: the steps that its events match
	known  uint32   // classes with a mask
	starts []int64  // by step: the latest start that has reached it
	cursor []int32

	times  []int64 // of the user at hand
	steps  []uint64
	places []uint32 // in the chunk
	best   best
}

// newFastFunnel returns nil where the funnel needs more.
func newFastFunnel(f *funnelWorker) *fastFunnel {
	s, p := f.r.stage, f.r.p
	if !p.plain || s.Count != syntax.CountUsers || s.Latest || s.Open || len(p.hold) > 0 || len(p.excepts) > 0 || f.r.bins != nil {
		return nil
	}
	if len(s.By) > 0 && (s.At != syntax.AtOne || s.AtStep > 1) {
		return nil
	}
	n := len(p.steps)
	return &fastFunnel{f: f, starts: make([]int64, n), cursor: make([]int32, n), best: best{ok: true, a: attempt{at: make([]int32, n)}}}
}

// learn makes the masks of the classes seen so far.
func (q *fastFunnel) learn() {
	m := q.f.m
	for ; ; q.known++ {
		set := m.classes.set(q.known)
		if set == nil {
			return
		}
		mask := uint64(0)
		for k := range m.p.steps {
			if s := m.p.steps[k].selectors[0]; set[s>>6]&(1<<(s&63)) != 0 {
				mask |= 1 << k
			}
		}
		q.masks = append(q.masks, mask)
	}
}

const noStart = math.MinInt64

// user counts the user of some pieces; done is false where there is more to him: simultaneous events,
// segments that overlap in time, or attempts in several groups.
func (q *fastFunnel) user(c *chunk, pieces []piece) (done bool) {
	f := q.f
	rng, within := f.r.rng, f.r.p.within
	starts := q.starts
	for k := range starts {
		starts[k] = noStart
	}
	last, deepest := len(starts)-1, -1
	group := -1 // where the start that gives the group is
	before := int64(math.MinInt64)
	times, steps, places := q.times[:0], q.steps[:0], q.places[:0]
pieces:
	for _, p := range pieces {
		for i := p.from; i < p.to; i++ {
			at, class := c.times[i], c.class[i]
			if at <= before && len(times) > 0 {
				return false
			}
			before = at
			if class >= q.known {
				q.learn()
			}
			mask := q.masks[class]
			times, steps, places = append(times, at), append(steps, mask), append(places, i)
			for rest := mask &^ 1; rest != 0; {
				k := leading(rest)
				rest &^= 1 << k
				if start := starts[k-1]; start != noStart && at-start <= within {
					starts[k] = start
					deepest = max(deepest, k)
				}
			}
			if mask&1 != 0 && rng.Contains(at) {
				starts[0] = at
				deepest = max(deepest, 0)
				if group < 0 {
					group = int(i)
				} else if !q.sameGroup(c, group, int(i)) {
					return false
				}
			}
			if deepest == last && len(f.r.by) == 0 {
				break pieces
			}
		}
	}
	q.times, q.steps, q.places = times, steps, places
	if deepest < 0 {
		return true
	}
	q.find(deepest)
	q.count(c, pieces[0].user)
	return true
}

// sameGroup reports whether two starts are in one group.
func (q *fastFunnel) sameGroup(c *chunk, i, j int) bool {
	for _, k := range q.f.r.by {
		if c.keys[k][i] != c.keys[k][j] {
			return false
		}
	}
	return true
}

// find puts the attempt of the earliest start that gets as deep as the deepest into best, by places in the
// chunk. As starts come in order, the event found for a step only ever moves on.
func (q *fastFunnel) find(deepest int) {
	rng := q.f.r.rng
	a := &q.best.a
	clear(q.cursor)
	for start, mask := range q.steps {
		if mask&1 == 0 || !rng.Contains(q.times[start]) {
			continue
		}
		deadline := q.f.r.p.deadline(q.times[start])
		at := int32(start)
		a.at[0] = at
		k := 1
		for ; k <= deepest; k++ {
			bit := uint64(1) << k
			at = max(at+1, q.cursor[k])
			for int(at) < len(q.steps) && q.steps[at]&bit == 0 {
				at++
			}
			q.cursor[k] = at
			if int(at) == len(q.steps) || q.times[at] > deadline {
				break
			}
			a.at[k] = at
		}
		if k <= deepest {
			continue
		}
		a.deadline, a.furthest = deadline, deepest
		a.events, a.steps = a.events[:0], a.steps[:0]
		for k := range a.at {
			if k > deepest {
				a.at[k] = -1
				continue
			}
			a.at[k] = int32(q.places[a.at[k]])
			a.events, a.steps = append(a.events, a.at[k]), append(a.steps, int32(k))
		}
		a.start = a.at[0]
		return
	}
}

// count counts the attempt found.
func (q *fastFunnel) count(c *chunk, user uint32) {
	f := q.f
	f.part = userRows{user: user, times: c.times, class: c.class, keys: c.keys}
	f.m.r = &f.part
	q.best.furthest, q.best.taken = q.best.a.furthest, q.best.a.furthest+1
	q.best.key.group = 0
	if len(f.r.by) > 0 {
		q.best.key.group = f.startGroup(int(q.best.a.start))
	} else if len(f.groups) == 0 {
		f.groups = append(f.groups, f.r.newGroup())
	}
	f.count(&q.best)
	f.list(user)
}
