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
	masks   []uint64   // by class: the steps that its events match
	known   uint32     // classes with a mask
	step    []int8     // by class: the step, where it is one at most
	single  bool       // it is for every class
	first   uint32     // the first user of the chunk
	states  []int64    // by user of the chunk and step: see deepen
	reached []progress // by user of the chunk
	starts  [64]int64
	cursor  [64]int32

	times   []int64 // of the user at hand
	classes []uint32
	begins  []begin
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
	if cap(q.reached) < n {
		q.reached = make([]progress, n)
	}
	q.reached = q.reached[:n]
	clear(q.reached)
	if cap(q.states) < n*(steps+1) {
		q.states = make([]int64, n*(steps+1))
	}
	q.states = q.states[:n*(steps+1)]
	for i := range q.states {
		q.states[i] = noStart
	}
	return true
}

// advance goes on with the pieces of the next segment, and marks the users who have converted.
func (q *fastFunnel) advance(c *chunk, pieces []piece, done []bool) {
	if q.known < q.f.m.classes.count.Load() {
		q.learn()
	}
	width := len(q.f.r.p.steps) + 1
	for _, p := range pieces {
		n := int(p.user - q.first)
		r := &q.reached[n]
		if r.disorder {
			continue
		}
		q.deepen(c.times[p.from:p.to], c.class[p.from:p.to], q.states[n*width:(n+1)*width], r)
		done[n] = int(r.steps) == width-1 && !r.disorder
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
	r := &q.reached[pieces[0].user-q.first]
	if r.disorder {
		return false
	}
	if r.steps > 0 {
		q.find(c, pieces, r)
		q.count(c, -1)
	}
	return true
}

// userBy is user with a breakdown by the first step.
func (q *fastFunnel) userBy(c *chunk, pieces []piece) (done bool) {
	r := q.f.r
	if q.known < q.f.m.classes.count.Load() {
		q.learn()
	}
	group, several := q.groupOf(c, pieces)
	switch {
	case several && r.top != nil:
		return false // groups may be one
	case several:
		return q.groups(c, pieces)
	}
	states := q.starts[:len(r.p.steps)+1]
	for k := range states {
		states[k] = noStart
	}
	var to progress
	for _, p := range pieces {
		if q.deepen(c.times[p.from:p.to], c.class[p.from:p.to], states, &to); to.disorder {
			return false
		}
	}
	if to.steps > 0 {
		q.find(c, pieces, &to)
		q.count(c, group)
	}
	return true
}

// groupOf returns the place of a start in the chunk, and whether others are in other groups.
func (q *fastFunnel) groupOf(c *chunk, pieces []piece) (group int, several bool) {
	group = -1
	for _, p := range pieces {
		times := c.times[p.from:p.to]
		for i, class := range c.class[p.from:p.to] {
			if q.masks[class]&1 == 0 || !q.f.r.rng.Contains(times[i]) {
				continue
			}
			if place := int(p.from) + i; group < 0 {
				group = place
			} else if !q.sameGroup(c, group, place) {
				return group, true
			}
		}
	}
	return group, false
}

// progress is how far the attempts of a user have got.
type progress struct {
	at       int64 // when the deepest first got so deep
	steps    int32 // of the deepest
	disorder bool  // there are simultaneous events
}

// deepen goes on through events of a user. starts[k] is the latest start of those that have reached k steps;
// that of none is any event itself.
func (q *fastFunnel) deepen(times []int64, classes []uint32, starts []int64, to *progress) {
	rng := q.f.r.rng
	if !q.single || times[0] < rng.From || times[len(times)-1] >= rng.To && rng.To != noLimit {
		q.deepenPart(times, classes, starts, to)
		return
	}
	within := uint64(q.f.r.p.within)
	classes, step := classes[:len(times)], q.step
	deepest := int(to.steps)
	before := times[0] - 1
	for i, now := range times {
		if now <= before {
			to.disorder = true
			return
		}
		before = now
		k := int(step[classes[i]])
		starts[0] = now
		if start := starts[k]; uint64(now-start) <= within {
			starts[k+1] = start
			if k >= deepest {
				deepest = k + 1
				to.at = now
			}
		}
	}
	to.steps = int32(deepest)
}

// deepenPart is deepen for events that match several steps or lie outside of the range.
func (q *fastFunnel) deepenPart(times []int64, classes []uint32, starts []int64, to *progress) {
	within := uint64(q.f.r.p.within)
	for i, now := range times {
		if i > 0 && now <= times[i-1] {
			to.disorder = true
			return
		}
		for rest := q.masks[classes[i]]; rest != 0; {
			k := leading(rest)
			rest &^= 1 << k
			if k == 0 && !q.f.r.rng.Contains(now) {
				continue
			}
			starts[0] = now
			if start := starts[k]; uint64(now-start) <= within {
				starts[k+1] = start
				if k >= int(to.steps) {
					to.steps, to.at = int32(k)+1, now
				}
			}
		}
	}
}

// find puts the earliest of the deepest attempts into best, by places in the chunk. It is the one with the
// earliest start in the window that ends when that depth was first reached: attempts that start sooner are
// over by then, and one that starts before another in the window can go on as that does.
func (q *fastFunnel) find(c *chunk, pieces []piece, to *progress) {
	rng, within := q.f.r.rng, q.f.r.p.within
	a := &q.best.a
	masks := q.masks
	k := 0
	least := rng.From
	if to.at-within > least && to.at-within < to.at {
		least = to.at - within
	}
	for _, p := range pieces {
		if c.times[p.to-1] < least {
			continue
		}
		for i := p.from; i < p.to; i++ {
			if masks[c.class[i]]&(1<<k) == 0 || k == 0 && c.times[i] < least {
				continue
			}
			a.at[k] = int32(i)
			if k++; k < int(to.steps) {
				continue
			}
			a.start, a.furthest = a.at[0], k-1
			a.deadline = q.f.r.p.deadline(c.times[a.start])
			for ; k < len(a.at); k++ {
				a.at[k] = -1
			}
			return
		}
	}
}

// join puts the events of the pieces side by side, and lists those that can start an attempt; ordered is false
// if some are simultaneous.
func (q *fastFunnel) join(c *chunk, pieces []piece) (ordered bool) {
	n := 0
	for _, p := range pieces {
		n += int(p.to - p.from)
	}
	if cap(q.times) < n {
		q.times, q.classes, q.begins = make([]int64, 2*n), make([]uint32, 2*n), make([]begin, 2*n)
	}
	times, classes, begins := q.times[:n], q.classes[:n], q.begins[:n]
	rng, masks := q.f.r.rng, q.masks
	at, count, before := 0, 0, c.times[pieces[0].from]-1
	for _, p := range pieces {
		from := at
		for i, now := range c.times[p.from:p.to] {
			if now <= before {
				return false
			}
			class := c.class[int(p.from)+i]
			times[at], classes[at] = now, class
			begins[count] = begin{int32(at), int32(int(p.from) + at - from)}
			if masks[class]&1 != 0 && now >= rng.From && (now < rng.To || rng.To == noLimit) {
				count++
			}
			before = now
			at++
		}
	}
	q.times, q.classes, q.begins = times, classes, begins[:count]
	return true
}

// begin is an event that can start an attempt: its number among those of the user, and its place in the chunk.
type begin struct{ at, place int32 }

// sameGroup reports whether two starts are in one group.
func (q *fastFunnel) sameGroup(c *chunk, i, j int) bool {
	for _, k := range q.f.r.by {
		if c.keys[k][i] != c.keys[k][j] {
			return false
		}
	}
	return true
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
// and the earliest of the deepest in each group counts. done is false if he has simultaneous events.
func (q *fastFunnel) groups(c *chunk, pieces []piece) (done bool) {
	if !q.join(c, pieces) {
		return false
	}
	steps := len(q.f.r.p.steps)
	clear(q.cursor[:steps])
	r := &q.rivals
	r.places, r.furthest, r.at = r.places[:0], r.furthest[:0], r.at[:0]
	r.epoch++
	for _, b := range q.begins {
		if n := q.rival(c, b.place, steps); int(r.furthest[n]) < steps-1 {
			q.challenge(n, int(b.at), steps)
		}
	}
	a := &q.best.a
	simple := q.f.r.view == nil && len(q.f.r.sums) == 0
	for n, furthest := range r.furthest {
		a.furthest = int(furthest)
		copy(a.at, r.at[n*steps:(n+1)*steps])
		a.deadline = q.f.r.p.deadline(q.times[a.at[0]])
		if simple {
			q.countSteps(q.times, q.group(c, int(r.places[n])))
			continue
		}
		for k, at := range a.at[:a.furthest+1] {
			a.at[k] = place(pieces, at)
		}
		a.start = a.at[0]
		q.count(c, int(r.places[n]))
	}
	return true
}

// group returns the group of a start by its place in the chunk.
func (q *fastFunnel) group(c *chunk, place int) *funnelGroup {
	f := q.f
	for i, k := range f.r.by {
		f.gids[i] = c.keys[k][place]
	}
	return f.groups[f.group(f.gids)]
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
func (q *fastFunnel) count(c *chunk, group int) {
	f, a := q.f, &q.best.a
	q.best.key.group = 0
	if len(f.r.by) > 0 {
		f.part = userRows{times: c.times, class: c.class, keys: c.keys}
		f.m.r = &f.part
		q.best.key.group = f.startGroup(group)
	} else if len(f.groups) == 0 {
		f.groups = append(f.groups, f.r.newGroup())
	}
	if f.r.view == nil && len(f.r.sums) == 0 {
		q.countSteps(c.times, f.groups[q.best.key.group])
		return
	}
	f.part = userRows{times: c.times, class: c.class, keys: c.keys}
	f.m.r = &f.part
	a.events, a.steps = a.events[:0], a.steps[:0]
	for k, at := range a.at[:a.furthest+1] {
		a.events, a.steps = append(a.events, at), append(a.steps, int32(k))
	}
	q.best.furthest, q.best.taken = a.furthest, a.furthest+1
	f.count(&q.best)
}

// countSteps counts the attempt found in the rows of the funnel itself; times are those of its events.
func (q *fastFunnel) countSteps(times []int64, g *funnelGroup) {
	a := &q.best.a
	g.any = true
	before := times[a.at[0]]
	g.counts[0]++
	for k := 1; k <= a.furthest; k++ {
		g.counts[k]++
		now := times[a.at[k]]
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
