package exec

import (
	"math"
	"math/bits"

	"cairn/query/syntax"
)

// fastFunnel counts the users of the commonest funnels straight from the gathered rows: steps of single
// events joined by arrows without limits, counted by user, with a breakdown by the first step or none. One
// pass over a user's events tells how deep his deepest attempt gets: per step it keeps the latest start that
// has reached it, since that has the most time left. Only then the earliest start that gets as deep is
// looked for, with the events it takes.
type fastFunnel struct {
	f       *funnelWorker
	masks   []uint64 // by class: the steps that its events match
	known   uint32   // classes with a mask
	step    []int8   // by class: the step, where it is one at most
	single  bool     // it is for every class
	first   uint32   // the first user of the chunk
	states  []int64  // by user of the chunk and step: see deepen
	reached []uint8  // by user of the chunk: the steps of his deepest attempt
	starts  [64]int64
	cursor  [64]int32

	times   []int64 // of the user at hand
	classes []uint32
	joined  chunk // where they are put side by side
	rivals  rivals
	chain   [64]int32
	best    best
}

// newFastFunnel returns nil where the funnel needs more.
func newFastFunnel(f *funnelWorker) *fastFunnel {
	s, p := f.r.stage, f.r.p
	if !p.plain || len(p.steps) > 62 || p.within > 1<<61 || s.Count != syntax.CountUsers || s.Latest || s.Open || len(p.hold) > 0 || len(p.excepts) > 0 || f.r.bins != nil {
		return nil
	}
	if len(s.By) > 0 && (s.At != syntax.AtOne || s.AtStep > 1) {
		return nil
	}
	n := len(p.steps)
	return &fastFunnel{f: f, single: true, best: best{ok: true, a: attempt{at: make([]int32, n)}}}
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
		q.masks, q.step = append(q.masks, mask), append(q.step, int8(trailing(mask)&63))
		q.single = q.single && (q.known == 0 || bits.OnesCount64(mask) == 1)
	}
}

// noStart stands in starts for a step that no attempt has reached: it lies further from every instant than
// any window.
const noStart = math.MaxInt64

// begin begins with the users [from, to), if later events of a user who has converted are not needed.
func (q *fastFunnel) begin(from, to uint32) bool {
	if len(q.f.r.by) > 0 {
		return false
	}
	q.first = from
	n, steps := int(to-from), len(q.f.r.p.steps)
	q.reached = resizedBytes(q.reached, n)
	if cap(q.states) < n*(steps+1) {
		q.states = make([]int64, n*(steps+1))
	}
	q.states = q.states[:n*(steps+1)]
	for i := range q.states {
		q.states[i] = noStart
	}
	return true
}

func resizedBytes(s []uint8, n int) []uint8 {
	if cap(s) < n {
		return make([]uint8, n, 2*n)
	}
	s = s[:n]
	clear(s)
	return s
}

// disorder stands in reached for a user with simultaneous events.
const disorder = 255

// advance goes on with the pieces of the next segment, and marks the users who have converted.
func (q *fastFunnel) advance(c *chunk, pieces []piece, done []bool) {
	if q.known < q.f.m.classes.count.Load() {
		q.learn()
	}
	width := len(q.f.r.p.steps) + 1
	for _, p := range pieces {
		n := int(p.user - q.first)
		if q.reached[n] == disorder {
			continue
		}
		times, classes := c.times[p.from:p.to], c.class[p.from:p.to]
		if !ascending(times) {
			q.reached[n] = disorder
			done[n] = false
			continue
		}
		deepest := q.deepen(times, classes, q.states[n*width:(n+1)*width], int(q.reached[n]))
		q.reached[n] = uint8(deepest)
		done[n] = deepest == width-1
	}
}

// user counts the user of some pieces; done is false where there is more to him: simultaneous events, or
// segments that overlap in time.
func (q *fastFunnel) user(c *chunk, pieces []piece) (done bool) {
	for n, p := range pieces[1:] {
		if c.times[p.from] <= c.times[pieces[n].to-1] {
			return false
		}
	}
	if len(q.f.r.by) > 0 {
		return q.userBy(c, pieces)
	}
	deepest := q.reached[pieces[0].user-q.first]
	switch deepest {
	case disorder:
		return false
	case 0:
		return true
	}
	q.join(c, pieces)
	q.find(int(deepest) - 1)
	q.count(c, pieces, -1)
	return true
}

// userBy is user with a breakdown by the first step.
func (q *fastFunnel) userBy(c *chunk, pieces []piece) (done bool) {
	r := q.f.r
	if q.known < q.f.m.classes.count.Load() {
		q.learn()
	}
	group := -1 // where the start that gives the group is
	several := false
	for _, p := range pieces {
		moments, classes := c.times[p.from:p.to], c.class[p.from:p.to]
		if !ascending(moments) {
			return false
		}
		if several {
			continue
		}
		for i, class := range classes {
			if q.masks[class]&1 == 0 || !r.rng.Contains(moments[i]) {
				continue
			}
			if place := int(p.from) + i; group < 0 {
				group = place
			} else if several = !q.sameGroup(c, group, place); several {
				break
			}
		}
	}
	switch {
	case group < 0:
		return true
	case several && r.top != nil:
		return false // groups may be one
	case several:
		q.join(c, pieces)
		q.groups(c, pieces)
		return true
	}
	states := q.starts[:len(r.p.steps)+1]
	for k := range states {
		states[k] = noStart
	}
	deepest := 0
	for _, p := range pieces {
		deepest = q.deepen(c.times[p.from:p.to], c.class[p.from:p.to], states, deepest)
	}
	q.join(c, pieces)
	q.find(deepest - 1)
	q.count(c, pieces, group)
	return true
}

// ascending reports whether no two events are simultaneous; they are in order within a segment.
func ascending(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] <= times[i-1] {
			return false
		}
	}
	return true
}

// deepen goes on through events and returns how many steps have been reached. starts[k] is the latest start
// of those that have reached k steps; that of none is any event itself.
func (q *fastFunnel) deepen(times []int64, classes []uint32, starts []int64, deepest int) int {
	rng := q.f.r.rng
	if !q.single || times[0] < rng.From || times[len(times)-1] >= rng.To && rng.To != noLimit {
		return q.deepenPart(times, classes, starts, deepest)
	}
	within := uint64(q.f.r.p.within)
	classes, step := classes[:len(times)], q.step
	for i, now := range times {
		k := int(step[classes[i]])
		starts[0] = now
		start, next := starts[k], starts[k+1]
		reached := k + 1
		if uint64(now-start) <= within {
			next = start
		} else {
			reached = 0
		}
		starts[k+1] = next
		deepest = max(deepest, reached)
	}
	return deepest
}

// deepenPart is deepen for events that match several steps or lie outside of the range.
func (q *fastFunnel) deepenPart(times []int64, classes []uint32, starts []int64, deepest int) int {
	within := uint64(q.f.r.p.within)
	for i, now := range times {
		for rest := q.masks[classes[i]]; rest != 0; {
			k := leading(rest)
			rest &^= 1 << k
			if k == 0 && !q.f.r.rng.Contains(now) {
				continue
			}
			starts[0] = now
			if start := starts[k]; uint64(now-start) <= within {
				starts[k+1] = start
				deepest = max(deepest, k+1)
			}
		}
	}
	return deepest
}

// join puts the events of the pieces side by side.
func (q *fastFunnel) join(c *chunk, pieces []piece) {
	if len(pieces) == 1 {
		p := pieces[0]
		q.times, q.classes = c.times[p.from:p.to], c.class[p.from:p.to]
		return
	}
	times, classes := q.joined.times[:0], q.joined.class[:0]
	for _, p := range pieces {
		times = append(times, c.times[p.from:p.to]...)
		classes = append(classes, c.class[p.from:p.to]...)
	}
	q.joined.times, q.joined.class = times, classes
	q.times, q.classes = times, classes
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
	masks := q.masks
	for start, class := range q.classes {
		if masks[class]&1 == 0 || !rng.Contains(q.times[start]) {
			continue
		}
		deadline := q.f.r.p.deadline(q.times[start])
		at := int32(start)
		a.at[0] = at
		k := 1
		for ; k <= deepest; k++ {
			bit := uint64(1) << k
			at = max(at+1, q.cursor[k])
			for int(at) < len(q.classes) && masks[q.classes[at]]&bit == 0 {
				at++
			}
			q.cursor[k] = at
			if int(at) == len(q.classes) || q.times[at] > deadline {
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

// rivals are the best attempts of the groups of the user at hand.
type rivals struct {
	places   []int32 // by group: the place of its first start in the chunk
	furthest []int32
	at       []int32  // by group and step
	epoch    uint32   // of the user
	seen     []uint64 // one key: by the number of its value, epoch << 32 | group
}

// groups counts a user whose attempts start in several groups: of each start, in order, the chain is found,
// and the earliest of the deepest in each group counts.
func (q *fastFunnel) groups(c *chunk, pieces []piece) {
	rng := q.f.r.rng
	steps := len(q.f.r.p.steps)
	clear(q.cursor[:steps])
	r := &q.rivals
	r.places, r.furthest, r.at = r.places[:0], r.furthest[:0], r.at[:0]
	r.epoch++
	start := 0
	for _, p := range pieces {
		for place := p.from; place < p.to; place++ {
			if q.masks[c.class[place]]&1 != 0 && rng.Contains(c.times[place]) {
				if n := q.rival(c, int32(place), steps); int(r.furthest[n]) < steps-1 {
					q.challenge(n, start, steps)
				}
			}
			start++
		}
	}
	a := &q.best.a
	for n, furthest := range r.furthest {
		a.furthest = int(furthest)
		for k := range a.at {
			a.at[k] = -1
		}
		copy(a.at, r.at[n*steps:n*steps+a.furthest+1])
		a.deadline = q.f.r.p.deadline(q.times[a.at[0]])
		q.count(c, pieces, int(r.places[n]))
	}
}

// rival returns the number of the group of a start among those of the user.
func (q *fastFunnel) rival(c *chunk, place int32, steps int) int {
	r, by := &q.rivals, q.f.r.by
	gid := -1
	if len(by) == 1 {
		gid = int(c.keys[by[0]][place])
		for gid >= len(r.seen) {
			r.seen = append(r.seen, make([]uint64, max(64, len(r.seen)))...)
		}
		if have := r.seen[gid]; uint32(have>>32) == r.epoch {
			return int(uint32(have))
		}
	} else {
		for n, other := range r.places {
			if q.sameGroup(c, int(other), int(place)) {
				return n
			}
		}
	}
	n := len(r.places)
	r.places, r.furthest = append(r.places, place), append(r.furthest, -1)
	for range steps {
		r.at = append(r.at, -1)
	}
	if gid >= 0 {
		r.seen[gid] = uint64(r.epoch)<<32 | uint64(n)
	}
	return n
}

// challenge finds the chain of a start, and lets it stand for its group if it gets further.
func (q *fastFunnel) challenge(group, start, steps int) {
	times, masks, classes := q.times, q.masks, q.classes
	deadline := q.f.r.p.deadline(times[start])
	chain := q.chain[:steps]
	at := int32(start)
	chain[0] = at
	k := 1
	for ; k < steps; k++ {
		bit := uint64(1) << k
		at = max(at+1, q.cursor[k])
		for int(at) < len(classes) && masks[classes[at]]&bit == 0 {
			at++
		}
		q.cursor[k] = at
		if int(at) == len(classes) || times[at] > deadline {
			break
		}
		chain[k] = at
	}
	if r := &q.rivals; int32(k-1) > r.furthest[group] {
		r.furthest[group] = int32(k - 1)
		copy(r.at[group*steps:], chain[:k])
	}
}

// count counts the attempt found. group is the place of a start of its group in the chunk.
func (q *fastFunnel) count(c *chunk, pieces []piece, group int) {
	f, a := q.f, &q.best.a
	f.part = userRows{user: pieces[0].user, times: c.times, class: c.class, keys: c.keys}
	f.m.r = &f.part
	q.best.key.group = 0
	if len(f.r.by) > 0 {
		q.best.key.group = f.startGroup(group)
	} else if len(f.groups) == 0 {
		f.groups = append(f.groups, f.r.newGroup())
	}
	if f.r.view == nil && len(f.r.sums) == 0 {
		q.countSteps(f.groups[q.best.key.group])
		return
	}
	// All else looks at the events: their numbers are turned into places in the chunk.
	a.events, a.steps = a.events[:0], a.steps[:0]
	for k, at := range a.at[:a.furthest+1] {
		a.at[k] = place(pieces, at)
		a.events, a.steps = append(a.events, a.at[k]), append(a.steps, int32(k))
	}
	a.start = a.at[0]
	q.best.furthest, q.best.taken = a.furthest, a.furthest+1
	f.count(&q.best)
	f.list(pieces[0].user)
}

// countSteps counts the attempt found in the rows of the funnel itself.
func (q *fastFunnel) countSteps(g *funnelGroup) {
	a := &q.best.a
	g.any = true
	before := q.times[a.at[0]]
	g.counts[0]++
	for k := 1; k <= a.furthest; k++ {
		g.counts[k]++
		now := q.times[a.at[k]]
		g.spans[k] = append(g.spans[k], now-before)
		before = now
	}
	if a.furthest < q.f.r.p.goal {
		g.dropped[a.furthest]++
		if q.f.open(a) {
			g.pending[a.furthest]++
		}
	}
}
