package exec

import "math"

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
		if s.straight(st) {
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
	st := &s.m.p.steps[step]
	need, before := st.needed(), count
	most := math.MaxInt
	if st.max >= 0 {
		most = st.max
	}
	var undo func()
	if count < need {
		if count += s.takeStraight(step, need-count); count == need {
			undo = s.reached(step)
		}
	}
	if count >= need {
		count += s.takeStraight(step, most-count)
	}
	for ; ; count-- {
		if count >= need && s.matchNext(step) {
			return true
		}
		if count == need && undo != nil {
			undo()
			undo = nil
		}
		if count == before || s.m.stopped != nil {
			break
		}
		s.giveBack(1)
	}
	s.giveBack(count - before)
	return false
}
