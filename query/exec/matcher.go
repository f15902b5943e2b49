package exec

import (
	"math"
)

// matcher finds chains of a pattern in the events of one unit: a user, a session of his, or whatever else
// stands for him. It is used by one goroutine.
type matcher struct {
	p       *pattern
	classes *classTable
	r       *userRows
	end     int64                      // chains have no event after this instant, whatever the window
	require func(step, event int) bool // nil: any
	used    []uint32                   // by event: the turn in which it was taken; nil: none was
	turn    uint32                     // those of other turns are free
	precise bool                       // it matters which of simultaneous events a chain has

	sets  [][]uint64 // by class
	lists [][]int32  // by selector: its events
	built bool

	// firstOf and sizes describe instants, where there are simultaneous events or strict arrows.
	ties    bool
	firstOf []int32 // by event: the first event of its instant
	nextOf  []int32 // by event: the first event of the next instant

	// Where values are to be the same in all steps, events are in parts that share them; lists of the part are
	// then what steps are looked up in.
	partOf    []int32 // by event; -1 where it lacks a value that is held
	partLists [][]int32
	partIDs   groupSet

	// only, if not nil, are the events that serve step onlyStep.
	only     []int32
	onlyStep int

	interrupt func() error // why the query is to end
	stopped   error        // it is: nothing more is found
	work      int
	remembers int // places that search has room for
	account   *account

	search search
}

// workStep is how many events a search tries between two looks at whether the query is to end.
const workStep = 1 << 12

// stop reports whether the query is to end. It is asked for every event that a search tries.
func (m *matcher) stop() bool {
	if m.work++; m.work%workStep == 0 && m.stopped == nil && m.interrupt != nil {
		if n := len(m.search.failed); n > m.remembers && m.account != nil {
			m.account.add(searchPlaceBytes * (n - m.remembers))
			m.remembers = n
		}
		m.stopped = m.interrupt()
	}
	return m.stopped != nil
}

// list returns the events that match a selector and may be in a chain with a first one.
func (m *matcher) list(first, selector int) []int32 {
	if len(m.p.parts) == 0 {
		return m.lists[selector]
	}
	return m.partLists[int(m.partOf[first])*len(m.lists)+selector]
}

// divide puts the events into parts.
func (m *matcher) divide() {
	n := m.r.len()
	m.partOf = resized(m.partOf, n)
	m.partIDs.reset()
	gids := make([]uint32, len(m.p.parts))
	for i := range n {
		if !m.holds(i) {
			m.partOf[i] = -1
			continue
		}
		for k, c := range m.p.parts {
			gids[k] = m.r.keys[c][i]
		}
		part, _ := m.partIDs.group(gids)
		m.partOf[i] = int32(part)
	}
	want := len(m.partIDs.keys) * len(m.lists)
	for len(m.partLists) < want {
		m.partLists = append(m.partLists, nil)
	}
	for i := range m.partLists[:want] {
		m.partLists[i] = m.partLists[i][:0]
	}
	for selector, list := range m.lists {
		for _, e := range list {
			if part := m.partOf[e]; part >= 0 {
				at := int(part)*len(m.lists) + selector
				m.partLists[at] = append(m.partLists[at], e)
			}
		}
	}
}

// newMatcher makes the matcher of a worker of a stream with so many selectors.
func newMatcher(p *pattern, w *streamWorker, selectors int) *matcher {
	return &matcher{
		p: p, classes: &w.stream.classes, end: math.MaxInt64, lists: make([][]int32, selectors),
		interrupt: w.interrupt, account: &account{budget: w.x.Budget, purpose: "chains"},
	}
}

// reset turns to another unit.
func (m *matcher) reset(r *userRows) {
	m.r, m.built, m.end = r, false, math.MaxInt64
}

// build prepares what chains are looked up in.
func (m *matcher) build() {
	if m.built {
		return
	}
	m.built = true
	for i := range m.lists {
		m.lists[i] = m.lists[i][:0]
	}
	for i, class := range m.r.class {
		if class == 0 {
			continue
		}
		for w, word := range m.set(class) {
			for ; word != 0; word &= word - 1 {
				s := w<<6 + trailing(word)
				m.lists[s] = append(m.lists[s], int32(i))
			}
		}
	}
	if len(m.p.parts) > 0 {
		m.divide()
	}
	times := m.r.times
	m.ties = false
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] {
			m.ties = true
			break
		}
	}
	if !m.ties {
		return
	}
	m.firstOf, m.nextOf = resized(m.firstOf, len(times)), resized(m.nextOf, len(times))
	for from := 0; from < len(times); {
		to := from + 1
		for to < len(times) && times[to] == times[from] {
			to++
		}
		for i := from; i < to; i++ {
			m.firstOf[i], m.nextOf[i] = int32(from), int32(to)
		}
		from = to
	}
}

func resized(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n, 2*n)
	}
	return s[:n]
}

func (m *matcher) set(class uint32) []uint64 {
	for int(class) >= len(m.sets) {
		m.sets = append(m.sets, nil)
	}
	if m.sets[class] == nil {
		m.sets[class] = m.classes.set(class)
	}
	return m.sets[class]
}

// matches reports whether an event passes a selector.
func (m *matcher) matches(event int, selector int) bool {
	return m.set(m.r.class[event])[selector>>6]&(1<<(selector&63)) != 0
}

// instant returns the events [from, to) that are simultaneous with one.
func (m *matcher) instant(event int) (from, to int) {
	if !m.ties {
		return event, event + 1
	}
	return int(m.firstOf[event]), int(m.nextOf[event])
}

// startsAt reports whether an attempt may start at an event with a step.
func (m *matcher) startsAt(event, step int) bool {
	for _, s := range m.p.steps[step].selectors {
		if m.matches(event, s) && m.holds(event) && m.free(step, event) {
			return true
		}
	}
	return false
}

// free reports whether an event may serve a step as far as nothing but the two is looked at.
func (m *matcher) free(step, event int) bool {
	return !m.taken(event) && (m.require == nil || m.require(step, event))
}

// taken reports whether an event is no longer to be had.
func (m *matcher) taken(event int) bool { return m.used != nil && m.used[event] == m.turn }

// holds reports whether an event has all values that are to be held.
func (m *matcher) holds(event int) bool {
	for _, k := range m.p.hold {
		if m.r.keys[k][event] == 0 {
			return false
		}
	}
	return true
}

// together reports whether two events may be in one chain as far as values are to be the same.
func (m *matcher) together(first, event int) bool {
	return len(m.p.parts) == 0 || m.partOf[first] == m.partOf[event]
}

// excludedAfter returns the time of the first event after an instant that matches an exclusion, noLimit if
// there is none.
func (m *matcher) excludedAfter(e *patternExcept, first int, at int64) int64 {
	list := m.lists[e.selector]
	lo, hi := 0, len(list)
	for lo < hi {
		mid := (lo + hi) / 2
		if m.r.times[list[mid]] > at {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	for ; lo < len(list); lo++ {
		if m.counts(first, int(list[lo])) {
			return m.r.times[list[lo]]
		}
	}
	return noLimit
}

// counts reports whether an excluded event counts against an attempt: not if it carries another value of
// what is held.
func (m *matcher) counts(first, event int) bool {
	for _, k := range m.p.hold {
		if v := m.r.keys[k][event]; v != 0 && v != m.r.keys[k][first] {
			return false
		}
	}
	return true
}

// spoilt reports whether an attempt holds an event that removes the user.
func (m *matcher) spoilt(a *attempt) bool {
	for i := range m.p.excepts {
		e := &m.p.excepts[i]
		if !e.remove {
			continue
		}
		m.build()
		from := a.firstTaken(e.from)
		if from < 0 {
			continue
		}
		excluded := m.excludedAfter(e, int(a.start), m.r.times[from])
		if to := a.firstTaken(e.to); to >= 0 {
			if excluded < m.r.times[to] {
				return true
			}
		} else if excluded != noLimit && excluded <= a.deadline {
			return true
		}
	}
	return false
}
