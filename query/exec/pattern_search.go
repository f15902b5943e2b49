package exec

import (
	"math/bits"
	"slices"
)

// search is a depth first search for the chain of one start. It tries events in their order, so that the
// first chain found is the earliest, and remembers places from where it found nothing, so that no place
// is looked at twice. Where what may follow does not depend on which of several events was taken, only the
// earliest is tried.
type search struct {
	m        *matcher
	first    int
	deadline int64
	target   int // funnel: the step to reach
	optional int // funnel: the optional steps to take on the way
	failed   map[searchPlace]struct{}

	events []int32
	steps  []int32
	// inChain says of every event whether events has it.
	inChain []bool
	tried   []int32 // by candidates under way: the events of the instant at hand that were tried
	level   int     // events that were taken without a choice
	fills   int     // groups that were filled
	at      []int32
	room    bool    // see strict
	alive   []int64 // by exclusion: the last instant at which steps before its end may lie
	taken   int     // optional steps so far
	// complete, if not 0, is the instant at which the group under way is to be complete, plus one: of the ways to
	// fill a group the one that ends first is tried first.
	complete int64
	reaches  int // steps reached so far
	tighter  tighter
}

// searchPlace is what a search can go on from.
type searchPlace struct {
	step, count int32
	members     uint64
	last        int32
	taken       int32
	room        bool
	used        uint64 // of the instant
	alive       uint64
	complete    int64
	events      int32 // if the search is held to some
}

// searchPlaceBytes is about what it costs to remember a place.
const searchPlaceBytes = 120

func (s *search) start(m *matcher, first int) {
	s.m, s.first = m, first
	s.deadline = min(m.p.deadline(m.r.times[first]), m.end)
	s.at = s.at[:0]
	for range m.p.steps {
		s.at = append(s.at, -1)
	}
	s.alive = s.alive[:0]
	for range m.p.excepts {
		s.alive = append(s.alive, noLimit)
	}
	s.level = 0
	for _, e := range s.events {
		if int(e) < len(s.inChain) {
			s.inChain[e] = false // of the chain found before
		}
	}
	for len(s.inChain) < m.r.len() {
		s.inChain = append(s.inChain, false)
	}
	s.events, s.steps, s.room, s.taken, s.complete = s.events[:0], s.steps[:0], true, 0, 0
	s.reaches = 0
	if s.failed == nil {
		s.failed = map[searchPlace]struct{}{}
	}
	clear(s.failed)
}

// take adds an event to the chain; the caller undoes it with back.
func (s *search) take(event, step int) {
	s.events, s.steps = append(s.events, int32(event)), append(s.steps, int32(step))
	s.inChain[event] = true
}

func (s *search) back() { s.backBy(1) }

// backBy undoes the last n takes.
func (s *search) backBy(n int) {
	n = len(s.events) - n
	for _, e := range s.events[n:] {
		s.inChain[e] = false
	}
	s.events, s.steps = s.events[:n], s.steps[:n]
}

func (s *search) last() int { return int(s.events[len(s.events)-1]) }

// uses reports whether the chain has an event already.
func (s *search) uses(event int) bool { return s.inChain[event] }

// used returns how many events of the last one's instant the chain has, and a hash of which.
func (s *search) used() (n int, hash uint64) {
	if !s.m.ties {
		return 1, 0
	}
	at := s.m.r.times[s.last()]
	for i := len(s.events) - 1; i >= 0 && s.m.r.times[s.events[i]] == at; i-- {
		n++
		hash += mixed(uint64(s.events[i]) + 1) // the order does not matter
	}
	return n, hash
}

// mixed spreads a number over 64 bits, so that sums of several tell sets of numbers apart (the finalizer of
// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). 0 stays 0.
func mixed(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// place names where the search is.
func (s *search) place(step, count int, members uint64) searchPlace {
	_, used := s.used()
	p := searchPlace{
		step: int32(step), count: int32(count), members: members, last: int32(s.last()), taken: int32(s.taken),
		room: s.room, used: used, complete: s.complete,
	}
	if s.tighter.events > 0 {
		p.events = int32(len(s.events))
	}
	for _, a := range s.alive {
		p.alive = bits.RotateLeft64(p.alive, 7)*0x9e3779b97f4a7c15 ^ uint64(a)
	}
	return p
}

// reached notes that a step has got the event that completes it.
func (s *search) reached(step int) (undo func()) {
	before, complete := slices.Clone(s.alive), s.complete
	if complete != 0 {
		s.fills++
	}
	s.complete = 0
	event := s.last()
	s.at[step] = int32(event)
	s.reaches++
	if s.m.p.steps[step].optional() {
		s.taken++
	}
	for i := range s.m.p.excepts {
		e := &s.m.p.excepts[i]
		if e.remove {
			continue
		}
		switch {
		case step >= e.to:
			s.alive[i] = noLimit
		case step >= e.from && s.alive[i] == noLimit:
			s.alive[i] = s.m.excludedAfter(e, s.first, s.m.r.times[event])
		}
	}
	return func() {
		s.alive, s.complete = append(s.alive[:0], before...), complete
		s.at[step] = -1
		s.reaches--
		if s.m.p.steps[step].optional() {
			s.taken--
		}
	}
}

// until returns the last instant at which the next event may lie.
func (s *search) until() int64 {
	end := s.deadline
	for _, a := range s.alive {
		end = min(end, a)
	}
	if s.reaches < len(s.tighter.until) {
		end = min(end, s.tighter.until[s.reaches])
	}
	return end
}

// link says how a next event is joined to the last.
type link struct {
	strict    bool
	limited   bool
	step      int // whose arrow it is
	sensitive bool
}

// candidates calls try for the events that match a selector and may follow the last one, in order, until try
// returns true or no other event can do where those tried could not.
func (s *search) candidates(selector, step int, by link, try func(event int) bool) bool {
	m := s.m
	last := s.last()
	from, to := m.instant(last)
	times := m.r.times
	end := s.until()
	if s.complete != 0 {
		end = min(end, s.complete-1)
	}
	if times[last] > end {
		return false
	}
	arrow := &m.p.steps[step].Arrow
	fits := func(e int) bool {
		return m.matches(e, selector) && s.tighter.allows(len(s.events), e) && m.together(s.first, e) && m.free(step, e) &&
			(!by.limited || arrow.Allows(times[e]-times[last]))
	}
	base := len(s.tried)
	defer func() { s.tried = s.tried[:base] }()
	if by.strict {
		if !m.p.increasing {
			for e := from; e < to; e++ {
				if !s.uses(e) && fits(e) && s.fresh(e, base) && s.attemptNext(e, s.room, try) {
					return true
				}
			}
		}
		if n, _ := s.used(); to >= len(times) || times[to] > end || !s.room && n < to-from {
			return false
		}
		s.tried = s.tried[:base]
		next, stop := m.instant(to)
		for e := next; e < stop; e++ {
			if fits(e) && s.fresh(e, base) && s.attemptNext(e, false, try) {
				return true
			}
		}
		return false
	}
	list := m.list(s.first, selector)
	i, _ := slices.BinarySearch(list, int32(from))
	instant := -1
	failed := -1 // the first event of the instant in which an event has failed
	for ; i < len(list); i++ {
		e := int(list[i])
		if times[e] > end || m.stop() {
			return false
		}
		same := e < to
		if same && (m.p.increasing || s.uses(e)) {
			continue
		}
		first, _ := m.instant(e)
		if failed >= 0 && first != failed && !by.sensitive {
			return false
		}
		if by.limited && arrow.Most > 0 && times[e]-times[last] > arrow.Most {
			return false
		}
		if first != instant {
			instant = first
			s.tried = s.tried[:base]
		}
		if !fits(e) || !s.fresh(e, base) {
			continue
		}
		room := true
		if s.attemptNext(e, room, try) {
			return true
		}
		failed = first
	}
	return false
}

// fresh reports whether no event like this one was tried, and notes it. Another that looks the same to the
// pattern need not be: what was tried came first, and values that no step asks for do not tell them apart.
func (s *search) fresh(e, base int) bool {
	if !s.m.ties {
		return true
	}
	for _, i := range s.tried[base:] {
		if s.m.alike(int(i), e) {
			return false
		}
	}
	s.tried = append(s.tried, int32(e))
	return true
}

// alike reports whether two simultaneous events can do the same in a chain.
func (m *matcher) alike(i, e int) bool {
	if m.r.class[i] != m.r.class[e] || len(m.p.parts) > 0 && m.partOf[i] != m.partOf[e] {
		return false
	}
	for _, k := range m.p.hold {
		if m.r.keys[k][i] != m.r.keys[k][e] {
			return false
		}
	}
	if m.require != nil {
		for step := range m.p.steps {
			if m.require(step, i) != m.require(step, e) {
				return false
			}
		}
	}
	return true
}

// chainMax bounds how deep a search may go, event by event: far more than patterns need, and less than what
// overflows the stack. Plain repeats do not count, see straight.
const chainMax = 1 << 18

func (s *search) attemptNext(e int, room bool, try func(event int) bool) bool {
	if len(s.events)-s.level > chainMax && s.m.stopped == nil {
		s.m.stopped = errChain
	}
	if s.m.stop() {
		return false
	}
	before := s.room
	s.room = room
	if try(e) {
		return true
	}
	s.room = before
	return false
}

// funnel looks for a chain to the target, being in a step with so many events taken.
func (s *search) funnel(step, count int, members uint64) bool {
	p := s.place(step, count, members)
	if _, ok := s.failed[p]; ok {
		return false
	}
	if s.funnelFrom(step, count, members) {
		return true
	}
	s.failed[p] = struct{}{}
	return false
}

func (s *search) funnelFrom(step, count int, members uint64) bool {
	st := &s.m.p.steps[step]
	if need := st.needed(); count < need && s.straight(st) {
		taken := s.takeStraight(step, need-count)
		if count += taken; count == need && s.funnelFrom(step, count, members) {
			return true
		}
		s.giveBack(taken)
		return false
	} else if count < need {
		return s.more(step, count, members, s.funnel)
	} else if count == need {
		undo := s.reached(step)
		if s.funnelOn(step, count) {
			return true
		}
		undo()
		return false
	}
	return s.funnelOn(step, count)
}

// funnelOn goes on from a step that was reached.
func (s *search) funnelOn(step, count int) bool {
	if step == s.target {
		return s.taken == s.optional
	}
	if s.nextSteps(step) {
		return true
	}
	// More events of this step only help to get closer to the next.
	st := &s.m.p.steps[step]
	if st.group || !st.sensitive || st.max >= 0 && count >= st.max {
		return false
	}
	if s.straight(st) {
		taken := 0
		for ; (st.max < 0 || count+taken < st.max) && s.takeStraight(step, 1) == 1; taken++ {
			if s.nextSteps(step) {
				return true
			}
		}
		s.giveBack(taken)
		return false
	}
	return s.more(step, count, 0, s.funnel)
}

// straight reports whether another event of a step can be taken without a choice: the earliest is as good as
// any, or it is the very next.
func (s *search) straight(st *patternStep) bool {
	return !st.group && !s.m.ties && (st.repeats || !st.sensitive) && !s.tighter.holds()
}

// takeStraight takes up to n more events of a step without a choice, and returns how many there were.
func (s *search) takeStraight(step, n int) int {
	m, st := s.m, &s.m.p.steps[step]
	selector, times, end := st.selectors[0], s.m.r.times, s.until()
	taken := 0
	fits := func(e int) bool { return m.together(s.first, e) && m.free(step, e) }
	if st.repeats {
		for e := s.last() + 1; taken < n && e < len(times) && times[e] <= end && m.matches(e, selector) && fits(e) && !m.stop(); e++ {
			s.take(e, step)
			taken++
		}
	} else {
		list := m.list(s.first, selector)
		i, _ := slices.BinarySearch(list, int32(s.last()+1))
		for ; taken < n && i < len(list) && times[list[i]] <= end && !m.stop(); i++ {
			if fits(int(list[i])) {
				s.take(int(list[i]), step)
				taken++
			}
		}
	}
	s.level += taken
	return taken
}

// giveBack takes back events that were taken without a choice.
func (s *search) giveBack(n int) {
	s.backBy(n)
	s.level -= n
}

// nextSteps tries the steps that may be next, those behind passed ones too: the earliest event first.
func (s *search) nextSteps(step int) bool {
	last := step + 1
	for last < s.target && s.m.p.steps[last].optional() {
		last++
	}
	if last == step+1 {
		return s.enter(last, s.funnel)
	}
	// A step that leaves too few optional ones to take behind it is none, nor one that is too many.
	if next, ok := s.onlyNext(step, last); ok {
		return s.enter(next, s.funnel)
	}
	type option struct{ event, step, selector int }
	var options []option
	for next := step + 1; next <= last; next++ {
		if !s.mayBeNext(next) {
			continue
		}
		for _, selector := range s.m.p.steps[next].selectors {
			s.candidates(selector, next, link{strict: s.m.p.steps[next].Strict, limited: true, step: next, sensitive: true}, func(e int) bool {
				options = append(options, option{e, next, selector})
				return false
			})
		}
	}
	slices.SortStableFunc(options, func(a, b option) int {
		if a.event != b.event {
			return a.event - b.event
		}
		return a.step - b.step
	})
	for _, o := range options {
		if s.enterAt(o.step, o.selector, o.event, s.funnel) {
			return true
		}
	}
	return false
}

// mayBeNext reports whether the number of optional steps wanted can be met with a step as the next.
func (s *search) mayBeNext(next int) bool {
	taken := s.taken
	if s.m.p.steps[next].optional() {
		taken++
	}
	most := taken
	for _, st := range s.m.p.steps[next+1 : s.target+1] {
		if st.optional() {
			most++
		}
	}
	if next < s.target && s.m.p.steps[s.target].optional() {
		taken++ // it is to be reached
	}
	return taken <= s.optional && s.optional <= most
}

// onlyNext returns the only step that may be the next, if there is just one.
func (s *search) onlyNext(step, last int) (next int, ok bool) {
	for k := step + 1; k <= last; k++ {
		if !s.mayBeNext(k) {
			continue
		}
		if ok {
			return 0, false
		}
		next, ok = k, true
	}
	return next, ok
}

// enter tries to take the first event of a step.
func (s *search) enter(step int, then func(step, count int, members uint64) bool) bool {
	st := &s.m.p.steps[step]
	by := link{strict: st.Strict, limited: true, step: step, sensitive: st.sensitive || st.group || st.needed() > 1}
	if !st.group {
		return s.candidates(st.selectors[0], step, by, func(e int) bool {
			s.take(e, step)
			if then(step, 1, 0) {
				return true
			}
			s.back()
			return false
		})
	}
	return s.filling(step, s.last(), func() bool { return s.member(step, 0, by, then) })
}

// filling calls try for every instant at which a group whose events follow an event can be complete, the
// earliest first, until it succeeds. A match takes members as they come instead.
func (s *search) filling(step, after int, try func() bool) bool {
	m := s.m
	if m.p.greedy || s.complete != 0 {
		return try()
	}
	from, _ := m.instant(after)
	end := s.until()
	var instants []int64
	least := int64(0)
	st := &m.p.steps[step]
	for i, selector := range st.selectors {
		list := m.list(s.first, selector)
		at, _ := slices.BinarySearch(list, int32(from))
		if at == len(list) {
			return false
		}
		if first := m.r.times[list[at]]; i == 0 || first > least {
			least = first
		}
		for ; at < len(list) && m.r.times[list[at]] <= end; at++ {
			instants = append(instants, m.r.times[list[at]])
		}
	}
	slices.Sort(instants)
	for _, at := range slices.Compact(instants) {
		if at < least {
			continue
		}
		s.complete = at + 1
		fills := s.fills
		if try() {
			return true
		}
		if s.fills > fills && !st.sensitive && !m.ties && !s.tighter.holds() {
			break // what did not go on from here does not from later
		}
	}
	s.complete = 0
	return false
}

// enterAt takes a given event as the first of a step.
func (s *search) enterAt(step, selector, event int, then func(step, count int, members uint64) bool) bool {
	st := &s.m.p.steps[step]
	room := !st.Strict
	if st.Strict && s.m.r.times[event] == s.m.r.times[s.last()] {
		room = s.room
	}
	try := func() bool {
		return s.attemptNext(event, room, func(e int) bool {
			s.take(e, step)
			members := uint64(0)
			if st.group {
				members = 1 << slices.Index(st.selectors, selector)
			}
			if then(step, 1, members) {
				return true
			}
			s.back()
			return false
		})
	}
	if st.group {
		return s.filling(step, event, try)
	}
	return try()
}

// more tries to take another event of a step that has some.
func (s *search) more(step, count int, members uint64, then func(step, count int, members uint64) bool) bool {
	st := &s.m.p.steps[step]
	if !st.group {
		by := link{strict: st.repeats, sensitive: st.sensitive}
		return s.candidates(st.selectors[0], step, by, func(e int) bool {
			s.take(e, step)
			if then(step, count+1, 0) {
				return true
			}
			s.back()
			return false
		})
	}
	return s.member(step, members, link{strict: st.repeats, sensitive: true}, then)
}

// member tries to take another member of a group: the earliest event first, whichever member it serves.
func (s *search) member(step int, members uint64, by link, then func(step, count int, members uint64) bool) bool {
	st := &s.m.p.steps[step]
	type option struct{ event, member int }
	var options []option
	for i, selector := range st.selectors {
		if members&(1<<i) != 0 {
			continue
		}
		all := by
		all.sensitive = true
		s.candidates(selector, step, all, func(e int) bool {
			options = append(options, option{e, i})
			return false
		})
	}
	slices.SortStableFunc(options, func(a, b option) int {
		if a.event != b.event {
			return a.event - b.event
		}
		return a.member - b.member
	})
	last := s.last()
	final := bits.OnesCount64(members)+1 == len(st.selectors)
	for _, o := range options {
		if at := s.m.r.times[o.event] + 1; s.complete != 0 && (at > s.complete || final && at < s.complete) {
			continue
		}
		room := true
		if by.strict {
			room = s.room && s.m.r.times[o.event] == s.m.r.times[last]
		}
		if s.attemptNext(o.event, room, func(e int) bool {
			s.take(e, step)
			if then(step, bits.OnesCount64(members)+1, members|1<<o.member) {
				return true
			}
			s.back()
			return false
		}) {
			return true
		}
	}
	return false
}
