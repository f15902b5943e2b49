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
	hold       []int // columns of the stream whose values all steps share, and have
	parts      []int // those and others whose values all steps share, be there one or not
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

// deadline returns the last instant of the window of an attempt that starts at a time.
func (p *pattern) deadline(at int64) int64 {
	if p.within > noLimit-max(0, at) {
		return noLimit
	}
	return at + p.within
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
