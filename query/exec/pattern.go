package exec

import (
	"math"
	"math/bits"

	"cairn/query/syntax"
)

// pattern is a syntax.Pattern made ready for the events of a stream: its steps name the stream's
// selectors by number. It is immutable and shared by workers.
type pattern struct {
	steps      []patternStep
	within     int64 // nanoseconds from the first event, inclusive; noLimit for none
	hold       []int // columns of the stream whose values all steps share
	increasing bool
	greedy     bool // repeats as often as possible, see matcher.match; else as seldom
	excepts    []patternExcept
	goal       int
	optionals  int  // optional steps
	strict     bool // some arrow is
	plain      bool // see plainMatcher
	mixed      bool // some steps are optional, and some take several events
}

type patternStep struct {
	syntax.Arrow
	selectors []int // one, or the members of a group
	min, max  int   // max < 0: no bound
	group     bool
	repeats   bool // repeated events are joined strictly
	// sensitive says that what may follow depends on more than that it comes later: a later event of this
	// step may do where an earlier one does not.
	sensitive bool
}

func (s *patternStep) optional() bool { return s.min == 0 }

// needed is how many events the step takes to be reached.
func (s *patternStep) needed() int {
	if s.group {
		return len(s.selectors)
	}
	return max(1, s.min)
}

type patternExcept struct {
	selector int
	from, to int // steps from 0
	remove   bool
}

const noLimit = math.MaxInt64

// newPattern prepares a pattern; selector gives the number in the stream of a selector of a step.
func newPattern(p *syntax.Pattern, within int64, selector func(first syntax.First, s *syntax.Selector) int) *pattern {
	out := &pattern{within: within, goal: p.Goal()}
	for i, s := range p.Steps {
		step := patternStep{Arrow: s.Arrow, min: s.Min, max: s.Max, group: len(s.Selectors) > 1, repeats: s.Arrow.Strict}
		for _, sel := range s.Selectors {
			step.selectors = append(step.selectors, selector(s.First, sel))
		}
		if i == 0 && len(p.Steps) > 1 {
			step.repeats = p.Steps[1].Arrow.Strict
		}
		out.strict = out.strict || s.Arrow.Strict
		out.steps = append(out.steps, step)
	}
	return out
}

// finish works out what follows from the pattern as a whole.
func (p *pattern) finish() {
	p.plain = !p.strict && !p.greedy
	for i := range p.steps {
		s := &p.steps[i]
		s.sensitive = s.repeats
		if s.optional() {
			p.optionals++
		}
		// The arrow that leaves the step is that of the next step, or of one behind passed ones.
		for j := i + 1; j < len(p.steps); j++ {
			next := &p.steps[j]
			s.sensitive = s.sensitive || next.Strict || next.Most > 0
			if !next.optional() {
				break
			}
		}
		once := !s.group && s.min == 1 && s.max == 1
		p.plain = p.plain && once && (i == 0 || s.Arrow.Unlimited())
	}
	for _, e := range p.excepts {
		if !e.remove {
			for i := e.from; i < e.to; i++ {
				p.steps[i].sensitive = true
			}
		}
		p.plain = p.plain && (e.remove || e.from == 0 && e.to == len(p.steps)-1)
	}
	p.plain = p.plain && len(p.steps) <= 64
	for i := range p.steps {
		p.mixed = p.mixed || p.optionals > 0 && p.steps[i].needed() > 1
	}
}

// attempt is what became of one start: the events of its steps, by their numbers among those of the unit.
type attempt struct {
	start    int32
	deadline int64   // the last instant of the window
	furthest int     // the last step reached, from 0
	optional int     // optional steps taken
	at       []int32 // by step: the event with which it was reached, -1 where it was not
	events   []int32 // all events in the order of the chain
	steps    []int32 // by event: its step
}

func (a *attempt) copyFrom(b *attempt) {
	at, events, steps := a.at, a.events, a.steps
	*a = *b
	a.at = append(at[:0], b.at...)
	a.events = append(events[:0], b.events...)
	a.steps = append(steps[:0], b.steps...)
}

// matcher finds chains of a pattern in the events of one unit: a user, a session of his, or whatever else
// stands for him. It is used by one goroutine.
type matcher struct {
	p       *pattern
	classes *classTable
	r       *userRows
	end     int64                      // chains have no event after this instant, whatever the window
	require func(step, event int) bool // nil: any
	used    []bool                     // events that are no longer to be had; nil: none
	precise bool                       // it matters which of simultaneous events a chain has

	sets  [][]uint64 // by class
	lists [][]int32  // by selector: its events
	built bool

	// firstOf and sizes describe instants, where there are simultaneous events or strict arrows.
	ties    bool
	firstOf []int32 // by event: the first event of its instant
	nextOf  []int32 // by event: the first event of the next instant

	search search
}

// selectorsMax says how many selectors of the stream the pattern names.
func newMatcher(p *pattern, classes *classTable, selectors int) *matcher {
	return &matcher{p: p, classes: classes, end: math.MaxInt64, lists: make([][]int32, selectors)}
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
	return (m.used == nil || !m.used[event]) && (m.require == nil || m.require(step, event))
}

// holds reports whether an event has all values that are to be held.
func (m *matcher) holds(event int) bool {
	for _, k := range m.p.hold {
		if m.r.keys[k][event] == 0 {
			return false
		}
	}
	return true
}

// sameHeld reports whether an event carries what the first one does.
func (m *matcher) sameHeld(first, event int) bool {
	for _, k := range m.p.hold {
		if m.r.keys[k][event] != m.r.keys[k][first] {
			return false
		}
	}
	return true
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

// deadline returns the last instant of the window of an attempt that starts at a time.
func (p *pattern) deadline(at int64) int64 {
	if p.within > noLimit-max(0, at) {
		return noLimit
	}
	return at + p.within
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
		} else if excluded <= a.deadline {
			return true
		}
	}
	return false
}

// firstTaken returns the event of the first step from one on that was taken, -1 if none was.
func (a *attempt) firstTaken(step int) int {
	for _, at := range a.at[step:] {
		if at >= 0 {
			return int(at)
		}
	}
	return -1
}

func trailing(word uint64) int { return bits.TrailingZeros64(word) }

func leading(word uint64) int { return 63 - bits.LeadingZeros64(word) }
