package syntax

// Pattern is what funnel and match look for in the events of a user: steps joined by arrows.
type Pattern struct {
	Pos   Pos
	Steps []*Step // at least one; the first of a funnel is not optional
}

// Step is one step of a pattern, with the arrow that leads to it: one selector, perhaps several times,
// or a group of several selectors that are all to match, each another event, in any order.
type Step struct {
	Pos       Pos
	Arrow     Arrow       // from the step before; zero for the first step
	First     First       // `first`, `first ever`; never of a group
	Selectors []*Selector // one, or the members of a group
	Min, Max  int         // how often, 1 and 1 where nothing is written; Max is Unbounded for {n,} and +
	Name      string      // behind `as`; "" for none; never of a group
}

// Unbounded stands for no upper bound of a quantifier.
const Unbounded = -1

// Optional reports whether a chain may pass over the step.
func (s *Step) Optional() bool { return s.Min == 0 }

// Once reports whether the step has no quantifier and is no group.
func (s *Step) Once() bool { return s.Min == 1 && s.Max == 1 && len(s.Selectors) == 1 }

// First says which of a user's matching events a step takes.
type First uint8

// The kinds of First; see FirstSelector.
const (
	FirstNone  First = iota // any event
	FirstMatch              // `first e{x}`: the user's first event in history that matches all of it
	FirstEver               // `first ever e{x}`: the user's first e in history, if it also matches
)

// Arrow leads from one step to the next.
type Arrow struct {
	Strict bool // `=>`: the very next event of the stream; `->`: later or simultaneous
	// Least and Most bound the time since the step before, in nanoseconds, inclusive unless Open; Most
	// is 0 where there is no upper bound, Least where there is no lower one.
	Least, Most         int64
	LeastOpen, MostOpen bool
}

// Unlimited reports whether the arrow has no limit on time.
func (a Arrow) Unlimited() bool { return a.Least == 0 && !a.LeastOpen && a.Most == 0 }

// Allows reports whether the arrow may lead over so many nanoseconds.
func (a Arrow) Allows(nanos int64) bool {
	switch {
	case nanos < a.Least || a.LeastOpen && nanos == a.Least:
		return false
	case a.Most > 0 && (nanos > a.Most || a.MostOpen && nanos == a.Most):
		return false
	}
	return true
}

// Goal returns the number, from 0, of the last step that is not optional: a chain that has reached it
// has converted.
func (p *Pattern) Goal() int {
	for i := len(p.Steps) - 1; i > 0; i-- {
		if !p.Steps[i].Optional() {
			return i
		}
	}
	return 0
}

// FirstSelector returns the selector whose first match in history is what a step with First takes: the
// selector itself for `first`, without its conditions for `first ever`.
func FirstSelector(first First, s *Selector) *Selector {
	if first != FirstEver {
		return s
	}
	bare := &Selector{Pos: s.Pos}
	for _, t := range s.Terms {
		bare.Terms = append(bare.Terms, &Term{Pos: t.Pos, Any: t.Any, Name: t.Name})
	}
	return bare
}
