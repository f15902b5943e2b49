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
	masks  []uint64  // by class: the steps that its events match
	known  uint32    // classes with a mask
	starts [64]int64 // by step: the latest start that has reached it
	cursor [64]int32

	times []int64 // of the user at hand
	steps []uint64
	best  best
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
	return &fastFunnel{f: f, best: best{ok: true, a: attempt{at: make([]int32, n)}}}
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

// noStart stands in starts for a step that no attempt has reached.
const noStart = math.MinInt64

// user counts the user of some pieces; done is false where there is more to him: simultaneous events,
// segments that overlap in time, or attempts in several groups.
func (q *fastFunnel) user(c *chunk, pieces []piece) (done bool) {
	for i := 1; i < len(pieces); i++ {
		if c.times[pieces[i-1].to-1] >= c.times[pieces[i].from] {
			return false
		}
	}
	f := q.f
	rng, within := f.r.rng, f.r.p.within
	starts := &q.starts
	last := len(f.r.p.steps) - 1
	for k := range starts[:last+1] {
		starts[k] = noStart
	}
	n := 0
	for _, p := range pieces {
		n += int(p.to - p.from)
	}
	if cap(q.times) < n {
		q.times, q.steps = make([]int64, 2*n), make([]uint64, 2*n)
	}
	times, steps := q.times[:n], q.steps[:n]
	deepest, at := -1, 0
	group := -1 // where the start that gives the group is
	before := int64(math.MinInt64)
	for _, p := range pieces {
		moments, classes := c.times[p.from:p.to], c.class[p.from:p.to]
		for i, now := range moments {
			class := classes[i]
			if now <= before && at > 0 {
				return false
			}
			before = now
			if class >= q.known {
				q.learn()
			}
			mask := q.masks[class]
			times[at], steps[at] = now, mask
			at++
			for rest := mask &^ 1; rest != 0; {
				k := leading(rest)
				rest &^= 1 << k
				if start := starts[(k-1)&63]; start != noStart && now-start <= within {
					starts[k&63] = start
					deepest = max(deepest, k)
				}
			}
			if mask&1 == 0 || now < rng.From || now >= rng.To && rng.To != noLimit {
				continue
			}
			starts[0] = now
			deepest = max(deepest, 0)
			if place := int(p.from) + i; group < 0 {
				group = place
			} else if !q.sameGroup(c, group, place) {
				return false
			}
		}
		if deepest == last && len(f.r.by) == 0 {
			break
		}
	}
	q.times, q.steps = times[:at], steps[:at]
	if deepest < 0 {
		return true
	}
	q.find(deepest)
	q.count(c, pieces)
	return true
}

// place returns where in the chunk the i-th event of some pieces is.
func place(pieces []piece, i int32) int32 {
	for _, p := range pieces {
		if n := int32(p.to - p.from); i >= n {
			i -= n
			continue
		}
		return int32(p.from) + i
	}
	return -1
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

// find puts the attempt of the earliest start that gets as deep as the deepest into best. As starts come in order, the event found for a step only ever moves on.
func (q *fastFunnel) find(deepest int) {
	rng := q.f.r.rng
	a := &q.best.a
	clear(q.cursor[:deepest+1])
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
		for k = deepest + 1; k < len(a.at); k++ {
			a.at[k] = -1
		}
		return
	}
}

// count counts the attempt found, whose events are turned into places in the chunk.
func (q *fastFunnel) count(c *chunk, pieces []piece) {
	f, a := q.f, &q.best.a
	f.part = userRows{user: pieces[0].user, times: c.times, class: c.class, keys: c.keys}
	f.m.r = &f.part
	a.events, a.steps = a.events[:0], a.steps[:0]
	for k, at := range a.at[:a.furthest+1] {
		a.at[k] = place(pieces, at)
		a.events, a.steps = append(a.events, a.at[k]), append(a.steps, int32(k))
	}
	a.start = a.at[0]
	q.best.furthest, q.best.taken = a.furthest, a.furthest+1
	q.best.key.group = 0
	if len(f.r.by) > 0 {
		q.best.key.group = f.startGroup(int(a.start))
	} else if len(f.groups) == 0 {
		f.groups = append(f.groups, f.r.newGroup())
	}
	f.count(&q.best)
	f.list(pieces[0].user)
}
