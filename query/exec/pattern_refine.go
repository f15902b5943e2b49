package exec

// tighter is what a search is held to beside the pattern, to find a chain that is better than another.
type tighter struct {
	until  []int64 // by order of the steps taken: the last instant at which each may be reached
	events int     // so many events at most; 0: any number
	prefix []int32 // events with which the chain begins
	below  int32   // with a prefix: the event behind it comes before this one
}

// holds reports whether the search is held to anything.
func (t *tighter) holds() bool { return len(t.until) > 0 || t.events > 0 || len(t.prefix) > 0 }

// allows reports whether an event may be the next.
func (t *tighter) allows(taken, event int) bool {
	switch n := len(t.prefix); {
	case t.events > 0 && taken >= t.events:
		return false
	case taken < n:
		return int32(event) == t.prefix[taken]
	case taken == n && n > 0:
		return int32(event) < t.below
	}
	return true
}

// refine makes the chain that was found the best that gets as far. A search tries events in their order, which
// finds the best unless there are simultaneous events: of those another than the first may be the one that
// lets a later step come sooner. So for each step in turn it looks whether that can be reached sooner
// without any before it being later, then, where that shows, for fewer events and for those that come first.
func (m *matcher) refine(start, step int, a *attempt) {
	s := &m.search
	if !m.p.mixed && !m.tied(a) && !(m.precise && m.repeats(a)) {
		return
	}
	t := &s.tighter
	defer func() { *t = tighter{until: t.until[:0]} }()
	again := func() bool {
		if !m.begin(start, step, s.funnel) {
			return false
		}
		s.record(a)
		return true
	}
	t.until = t.until[:0]
	for k := step; k <= a.furthest; k++ {
		if a.at[k] >= 0 {
			t.until = append(t.until, noLimit)
		}
	}
	for i := range t.until {
		for {
			at, before := m.reachedAt(a, i)
			t.until[i] = at
			if at == before {
				break
			}
			t.until[i]--
			if !again() {
				t.until[i] = at
				break
			}
		}
	}
	if !m.precise {
		return
	}
	for t.events = len(a.events) - 1; t.events > 0; t.events-- {
		if !again() {
			break
		}
	}
	t.events = len(a.events)
	for n := 1; n < len(a.events); n++ {
		for {
			t.prefix, t.below = append(t.prefix[:0], a.events[:n]...), a.events[n]
			if !again() {
				break
			}
		}
	}
}

// repeats reports whether an attempt has more events than its steps need: perhaps fewer would do.
func (m *matcher) repeats(a *attempt) bool {
	n := 0
	for k, e := range a.at {
		if e >= 0 {
			n += m.p.steps[k].needed()
		}
	}
	return len(a.events) > n
}

// reachedAt returns when the i-th of the steps taken was reached, and when the one before it.
func (m *matcher) reachedAt(a *attempt, i int) (at, before int64) {
	before = m.r.times[a.start]
	for _, e := range a.at {
		if e < 0 {
			continue
		}
		if at = m.r.times[e]; i == 0 {
			break
		}
		before = at
		i--
	}
	return at, before
}

// tied reports whether an attempt has an event that is simultaneous with others.
func (m *matcher) tied(a *attempt) bool {
	if !m.ties {
		return false
	}
	for _, e := range a.events {
		if m.nextOf[e]-m.firstOf[e] > 1 {
			return true
		}
	}
	return false
}
