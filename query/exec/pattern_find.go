package exec

// bound returns the furthest step that an attempt can reach if nothing but the order of required steps and
// the window counts. It is never too low.
func (m *matcher) bound(start, step int, deadline int64) int {
	at := m.r.times[start]
	last := len(m.p.steps) - 1
	for k := step; k <= last; k++ {
		st := &m.p.steps[k]
		if st.optional() && k > step {
			continue
		}
		need := st.needed()
		if k == step {
			if need--; need == 0 {
				continue
			}
		}
		latest := at
		for _, selector := range st.selectors {
			if st.group && k == step {
				break
			}
			list := m.list(start, selector)
			if m.only != nil && k == m.onlyStep && !st.group {
				list = m.only
			}
			lo, hi := 0, len(list)
			for lo < hi {
				mid := (lo + hi) / 2
				if m.r.times[list[mid]] >= at {
					hi = mid
				} else {
					lo = mid + 1
				}
			}
			if !st.group {
				lo += need - 1
			}
			if lo >= len(list) || m.r.times[list[lo]] > deadline {
				return k - 1
			}
			latest = max(latest, m.r.times[list[lo]])
		}
		at = latest
	}
	return last
}

// find looks for the best chain of the attempt that starts at an event with a step, and reports whether
// the step is reached.
func (m *matcher) find(start, step int, a *attempt) bool {
	m.build()
	s := &m.search
	deadline := min(m.p.deadline(m.r.times[start]), m.end)
	for target := m.bound(start, step, deadline); target >= step && m.stopped == nil; target-- {
		most := 0
		for _, st := range m.p.steps[step : target+1] {
			if st.optional() {
				most++
			}
		}
		for optional := most; optional >= 0; optional-- {
			if m.p.steps[target].optional() && optional == 0 {
				break
			}
			s.target, s.optional = target, optional
			if m.begin(start, step, s.funnel) {
				s.record(a)
				m.refine(start, step, a)
				return true
			}
		}
	}
	return false
}

// match looks for the match that starts at an event.
func (m *matcher) match(start int, a *attempt) bool {
	m.build()
	s := &m.search
	deadline := min(m.p.deadline(m.r.times[start]), m.end)
	for step := range m.p.steps {
		if m.startsAt(start, step) && m.bound(start, step, deadline) == len(m.p.steps)-1 && m.begin(start, step, s.match) {
			s.record(a)
			return true
		}
		if !m.p.steps[step].optional() {
			return false
		}
	}
	return false
}

// begin takes the first event of a chain and searches on.
func (m *matcher) begin(start, step int, then func(step, count int, members uint64) bool) bool {
	s := &m.search
	st := &m.p.steps[step]
	s.start(m, start)
	first := func() bool {
		for i, selector := range st.selectors {
			if !m.matches(start, selector) {
				continue
			}
			members := uint64(0)
			if st.group {
				members = 1 << i
			}
			s.take(start, step)
			if then(step, 1, members) {
				return true
			}
			s.back()
		}
		return false
	}
	if st.group {
		return s.filling(step, start, first)
	}
	return first()
}

// record copies the chain that was found.
func (s *search) record(a *attempt) {
	a.start, a.deadline = int32(s.first), s.m.p.deadline(s.m.r.times[s.first])
	a.at = append(a.at[:0], s.at...)
	a.events = append(a.events[:0], s.events...)
	a.steps = append(a.steps[:0], s.steps...)
	a.furthest, a.optional = -1, 0
	for step, at := range s.at {
		if at < 0 {
			continue
		}
		a.furthest = step
		if s.m.p.steps[step].optional() {
			a.optional++
		}
	}
}
