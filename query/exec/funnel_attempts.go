package exec

import (
	"cmp"
	"slices"

	"cairn/query/syntax"
)

// bestKey tells apart what attempts of a unit compete for.
type bestKey struct {
	group  uint32
	bucket int64
}

// best is the attempt that a unit counts with among those seen.
type best struct {
	key      bestKey
	ok       bool // there is one
	a        attempt
	startAt  int64
	furthest int // of all attempts, spoilt ones too
	taken    int
	cover    []attempt // open: by step, the attempt that covers it best
	covers   []bool
}

// attempts makes the attempts of the unit for a group, or for the group that groupOf says of each start, each
// for itself.
func (f *funnelWorker) attempts(group uint32, groupOf func(start int) uint32) {
	r := f.m.r
	for start := range r.len() {
		if !f.r.rng.Contains(r.times[start]) || f.m.stopped != nil {
			continue
		}
		if f.r.stage.Open {
			for step := range f.r.p.steps {
				if f.m.startsAt(start, step) && f.m.find(start, step, &f.try) {
					f.compete(group, r.times[start])
				}
			}
			continue
		}
		if !f.m.startsAt(start, 0) {
			continue
		}
		g := group
		if groupOf != nil {
			g = groupOf(start)
		}
		b := f.best(g, r.times[start])
		if b != nil && f.hopeless(b, start) {
			continue
		}
		if f.findFrom(start) {
			f.compete(g, r.times[start])
		}
	}
}

// findFrom finds the best chain of a start at the first step.
func (f *funnelWorker) findFrom(start int) bool {
	if f.plain != nil && f.m.require == nil && f.plain.can() {
		return f.plain.find(start, &f.try)
	}
	return f.m.find(start, 0, &f.try)
}

// bucket is the trend's bucket of a start.
func (f *funnelWorker) bucket(at int64) int64 {
	if f.r.bins == nil || f.r.stage.Count == syntax.CountSessions {
		return 0 // a session counts in one bucket alone
	}
	return f.r.bins.Start(at)
}

// best returns what attempts of a group have come to so far, nil if there was none.
func (f *funnelWorker) best(group uint32, at int64) *best {
	key := bestKey{group, f.bucket(at)}
	for i := range f.bests {
		if i == 8 {
			break
		}
		if f.bests[i].key == key {
			return &f.bests[i]
		}
	}
	if len(f.bests) > 8 {
		if i, ok := f.byGroup[key]; ok {
			return &f.bests[i]
		}
	}
	return nil
}

// hopeless reports whether an attempt cannot replace the best.
func (f *funnelWorker) hopeless(b *best, start int) bool {
	if !b.ok || f.r.stage.Latest {
		return false
	}
	all := b.taken == b.furthest+1 // no attempt that gets as far takes more steps
	if b.furthest == len(f.r.p.steps)-1 && all {
		return true
	}
	if f.plain != nil && f.plain.can() {
		return false
	}
	f.m.build()
	deadline := min(f.r.p.deadline(f.m.r.times[start]), f.m.end)
	bound := f.m.bound(start, 0, deadline)
	return bound < b.furthest || bound == b.furthest && all
}

// compete lets the attempt at hand compete for its group and bucket.
func (f *funnelWorker) compete(group uint32, at int64) {
	b := f.best(group, at)
	if b == nil {
		n := len(f.bests)
		f.bests = slices.Grow(f.bests, 1)[:n+1]
		b = &f.bests[n]
		b.key = bestKey{group, f.bucket(at)}
		b.ok, b.furthest, b.taken = false, -1, 0
		if n >= 8 {
			f.byGroup[b.key] = n
		}
		if f.r.stage.Open {
			b.cover, b.covers = make([]attempt, len(f.r.p.steps)), make([]bool, len(f.r.p.steps))
		}
	}
	a := &f.try
	taken := 0
	for _, e := range a.at {
		if e >= 0 {
			taken++
		}
	}
	spoilt := f.m.spoilt(a)
	if f.r.stage.Open && !spoilt {
		for k := range b.cover {
			if a.at[k] >= 0 && (!b.covers[k] || f.better(a, &b.cover[k])) {
				b.covers[k] = true
				b.cover[k].copyFrom(a)
			}
		}
	}
	if a.furthest > b.furthest || a.furthest == b.furthest && taken > b.taken {
		b.furthest, b.taken, b.ok = a.furthest, taken, false
	}
	if a.furthest != b.furthest || taken != b.taken || spoilt {
		return
	}
	if b.ok && !f.better(a, &b.a) {
		return
	}
	b.ok, b.startAt = true, at
	b.a.copyFrom(a)
}

// better reports whether the later found of two attempts counts rather than the other.
func (f *funnelWorker) better(a, than *attempt) bool {
	times := f.m.r.times
	taken := func(a *attempt) (n int) {
		for _, e := range a.at {
			if e >= 0 {
				n++
			}
		}
		return n
	}
	switch {
	case a.furthest != than.furthest:
		return a.furthest > than.furthest
	case taken(a) != taken(than):
		return taken(a) > taken(than)
	case times[a.start] != times[than.start]:
		return (times[a.start] > times[than.start]) == f.r.stage.Latest
	case a.start != than.start:
		return a.start < than.start
	}
	var at, other []int64
	for k := range a.at {
		if a.at[k] >= 0 {
			at = append(at, times[a.at[k]])
		}
		if than.at[k] >= 0 {
			other = append(other, times[than.at[k]])
		}
	}
	return cmp.Or(
		slices.Compare(at, other), cmp.Compare(len(a.events), len(than.events)),
		slices.Compare(a.events, than.events), slices.Compare(a.steps, than.steps),
	) < 0
}

// settle counts what the attempts of the unit have come to.
func (f *funnelWorker) settle() {
	for i := range f.bests {
		b := &f.bests[i]
		if !b.ok {
			continue
		}
		if f.r.bins != nil {
			f.trend(b.key.group, f.r.bins.Start(b.startAt), &b.a)
			continue
		}
		f.count(b)
	}
	f.bests = f.bests[:0]
	if len(f.byGroup) > 0 {
		clear(f.byGroup)
	}
}

// totals makes the attempts of the unit for a group, or for that of their start, one after the other. starts are the events that may begin
// one, nil for all. With values held, each combination of them has attempts of its own.
func (f *funnelWorker) totals(group uint32, groupOf func(start int) uint32, starts []int32) {
	m, r := f.m, f.m.r
	m.build()
	if len(f.used) < r.len() {
		f.used, f.turn = make([]uint32, 2*r.len()), 0
	}
	f.turn++
	m.used, m.turn = f.used, f.turn
	f.free = resizedFree(f.free, max(1, len(m.partIDs.keys)))
	n := len(starts)
	if starts == nil {
		n = r.len()
	}
	for i := range n {
		start := i
		if starts != nil {
			start = int(starts[i])
		}
		at := r.times[start]
		if !f.r.rng.Contains(at) || m.taken(start) || m.stopped != nil {
			continue
		}
		free := &f.free[0]
		if len(f.r.p.parts) > 0 {
			if m.partOf[start] < 0 {
				continue
			}
			free = &f.free[m.partOf[start]]
		}
		if free.ended && at < free.at || !f.startTotal(start) {
			continue
		}
		for _, e := range f.try.events {
			m.used[e] = m.turn
		}
		free.at, free.ended = f.end(), true
		if m.spoilt(&f.try) {
			continue
		}
		if groupOf != nil {
			group = groupOf(start)
		}
		f.countTotal(group, at)
	}
	m.used = nil
}

// freeFrom is from when on the next attempt may start.
type freeFrom struct {
	at    int64
	ended bool // there was one before
}

func resizedFree(s []freeFrom, n int) []freeFrom {
	if cap(s) < n {
		return make([]freeFrom, n, 2*n)
	}
	s = s[:n]
	clear(s)
	return s
}

// countTotal counts the attempt at hand, which starts at some time.
func (f *funnelWorker) countTotal(group uint32, at int64) {
	if f.r.bins != nil {
		f.trend(group, f.bucket(at), &f.try)
		return
	}
	b := best{key: bestKey{group: group}, ok: true, furthest: f.try.furthest}
	b.a = f.try
	for _, e := range f.try.at {
		if e >= 0 {
			b.taken++
		}
	}
	f.count(&b)
}

// startTotal finds the best attempt that starts at an event.
func (f *funnelWorker) startTotal(start int) bool {
	if !f.r.stage.Open {
		return f.m.startsAt(start, 0) && f.m.find(start, 0, &f.try)
	}
	found := false
	var kept attempt
	for step := range f.r.p.steps {
		if f.m.startsAt(start, step) && f.m.find(start, step, &f.try) && (!found || f.better(&f.try, &kept)) {
			found = true
			kept.copyFrom(&f.try)
		}
	}
	if found {
		f.try.copyFrom(&kept)
	}
	return found
}

func resizedBools(s []bool, n int) []bool {
	if cap(s) < n {
		return make([]bool, n, 2*n)
	}
	s = s[:n]
	clear(s)
	return s
}

// end returns the first instant at which the next attempt may start.
func (f *funnelWorker) end() int64 {
	a, m := &f.try, f.m
	if a.furthest >= f.r.p.goal {
		return m.r.times[a.events[len(a.events)-1]]
	}
	end := a.deadline
	if end < noLimit {
		end++
	}
	for i := range f.r.p.excepts {
		e := &f.r.p.excepts[i]
		if e.remove || a.furthest >= e.to {
			continue
		}
		if from := a.firstTaken(e.from); from >= 0 {
			if at := m.excludedAfter(e, int(a.start), m.r.times[from]); at != noLimit && at <= a.deadline {
				end = min(end, at)
			}
		}
	}
	return end
}
