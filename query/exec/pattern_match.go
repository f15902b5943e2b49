package exec

import (
	"slices"
)

// match looks for the whole pattern, being in a step with so many events taken: as many repeats as
// possible, then on.
func (s *search) match(step, count int, members uint64) bool {
	p := s.place(step, count, members)
	if _, ok := s.failed[p]; ok {
		return false
	}
	if s.matchFrom(step, count, members) {
		return true
	}
	s.failed[p] = struct{}{}
	return false
}

func (s *search) matchFrom(step, count int, members uint64) bool {
	st := &s.m.p.steps[step]
	need := st.needed()
	if count == need {
		undo := s.reached(step)
		if s.matchOn(step, count, members) {
			return true
		}
		undo()
		return false
	}
	return s.matchOn(step, count, members)
}

func (s *search) matchOn(step, count int, members uint64) bool {
	st := &s.m.p.steps[step]
	if st.group && count < len(st.selectors) {
		return s.more(step, count, members, s.match)
	}
	if !st.group && (st.max < 0 || count < st.max) {
		if !st.sensitive && !s.m.ties && len(s.m.p.hold) == 0 && s.m.require == nil && s.m.used == nil {
			return s.matchRepeats(step, count)
		}
		if s.more(step, count, members, s.match) {
			return true
		}
	}
	return count >= st.needed() && s.matchNext(step)
}

// matchNext goes on to the steps behind one that is complete; optional ones are taken where they can be.
func (s *search) matchNext(step int) bool {
	for next := step + 1; next < len(s.m.p.steps); next++ {
		if s.enter(next, s.match) {
			return true
		}
		if !s.m.p.steps[next].optional() {
			return false
		}
	}
	return true
}

// matchRepeats takes all the repeats there are, and gives them back one by one until the rest matches: what
// the search does anyway, without a call for each.
func (s *search) matchRepeats(step, count int) bool {
	m, st := s.m, &s.m.p.steps[step]
	list := m.lists[st.selectors[0]]
	i, _ := slices.BinarySearch(list, int32(s.last()+1))
	before, end := count, s.until()
	var undo func()
	for ; i < len(list) && m.r.times[list[i]] <= end && (st.max < 0 || count < st.max); i++ {
		s.take(int(list[i]), step)
		if count++; count == st.needed() {
			undo = s.reached(step)
			end = s.until()
		}
	}
	for ; ; count-- {
		if count >= st.needed() && s.matchNext(step) {
			return true
		}
		if count == st.needed() && undo != nil {
			undo()
			undo = nil
		}
		if count == before {
			return false
		}
		s.back()
	}
}
