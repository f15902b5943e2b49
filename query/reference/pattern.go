package reference

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// pattern is a pattern ready to be looked for.
type pattern struct {
	steps      []*step
	increasing bool // simultaneous events do not follow each other
}

// step is one step of a pattern.
type step struct {
	*syntax.Step
	members []func(*row) bool // which events serve it; in a group, each member of it
	need    int               // as many events make it reached
	most    int               // and so many it takes at most
	strict  bool              // its own events are each the very next after the one before
}

func (r *run) pattern(p *syntax.Pattern, increasing bool) (*pattern, error) {
	made := &pattern{increasing: increasing}
	for i, s := range p.Steps {
		st := &step{Step: s, need: max(s.Min, 1), most: s.Max, strict: s.Arrow.Strict}
		if s.Max == syntax.Unbounded {
			st.most = math.MaxInt
		}
		if n := len(s.Selectors); n > 1 {
			st.need, st.most = n, n
		}
		if i == 0 && len(p.Steps) > 1 {
			st.strict = p.Steps[1].Arrow.Strict
		}
		for _, selector := range s.Selectors {
			serves, err := r.serves(s.First, selector)
			if err != nil {
				return nil, err
			}
			st.members = append(st.members, serves)
		}
		made.steps = append(made.steps, st)
	}
	return made, nil
}

// serves compiles the selector of a step. Of several events at a user's first instant each is his first.
func (r *run) serves(first syntax.First, s *syntax.Selector) (func(*row) bool, error) {
	matches, err := r.selector(s)
	if first == syntax.FirstNone || err != nil {
		return matches, err
	}
	firstTime, err := r.firstTime(&syntax.FirstTime{Pos: s.Pos, Selector: syntax.FirstSelector(first, s)})
	return func(x *row) bool { return matches(x) && firstTime(x) == event.Time(x.event.Time) }, err
}

// servedBy reports whether an event can serve the step or a member of it.
func (s *step) servedBy(x *row) bool {
	return slices.ContainsFunc(s.members, func(serves func(*row) bool) bool { return serves(x) })
}

// link is an event that a chain takes: its number in the stream, and the step and the member of that step
// that it serves.
type link struct{ at, step, member int }

// chain is the events that serve a pattern, in an order in which each may follow the one before.
type chain []link

func (c chain) last() link { return c[len(c)-1] }

// of returns the links of a step.
func (c chain) of(step int) chain {
	var links chain
	for _, l := range c {
		if l.step == step {
			links = append(links, l)
		}
	}
	return links
}

// search looks in one stream for the chains that begin with one event.
type search struct {
	*pattern
	events   []*row       // the stream
	deadline int64        // no event of a chain is later
	may      demand       // what is asked of events beside the pattern
	used     map[int]bool // events by number that are no longer to be had
	excepts  []*exclusion
}

// demand says whether an event may serve a step, which is counted from 0.
type demand func(step int, x *row) bool

// exclusion is an `except` as one search meets it.
type exclusion struct {
	*syntax.Except
	times []int64 // of the events that it excludes
}

// between reports whether an excluded event lies strictly between two instants.
func (e *exclusion) between(from, to int64) bool {
	return slices.ContainsFunc(e.times, func(at int64) bool { return at > from && at < to })
}

func (s *search) time(l link) int64 { return s.events[l.at].event.Time }

// reached reports whether a chain has as many events for a step as that needs.
func (s *search) reached(c chain, step int) bool { return len(c.of(step)) >= s.steps[step].need }

// stepTime is the time of a step that a chain has reached.
func (s *search) stepTime(c chain, step int) int64 { return s.time(c.of(step)[s.steps[step].need-1]) }

// times are those of the steps that a chain has reached.
func (s *search) times(c chain) []int64 {
	var times []int64
	for k := range s.steps {
		if s.reached(c, k) {
			times = append(times, s.stepTime(c, k))
		}
	}
	return times
}

// begin returns the chains of one event that serves a step.
func (s *search) begin(at, step int) []chain {
	var list []chain
	for member, serves := range s.steps[step].members {
		if x := s.events[at]; !s.used[at] && serves(x) && s.may(step, x) {
			list = append(list, chain{{at, step, member}})
		}
	}
	return list
}

// next returns the chains with one more event than c: first another event for the last step, then, if that
// is reached, one for the next step or, passing over optional ones, for a later one; each in the order of
// events.
func (s *search) next(c chain) []chain {
	last := c.last().step
	var list []chain
	if len(c.of(last)) < s.steps[last].most {
		list = s.add(c, last)
	}
	if !s.reached(c, last) {
		return list
	}
	for k := last + 1; k < len(s.steps); k++ {
		list = append(list, s.add(c, k)...)
		if !s.steps[k].Optional() {
			break
		}
	}
	return list
}

// add returns the chains with one more event, which serves a step.
func (s *search) add(c chain, step int) []chain {
	var list []chain
	for at := range s.events {
		for _, one := range s.begin(at, step) {
			if longer := append(slices.Clip(c), one...); s.allows(longer) {
				list = append(list, longer)
			}
		}
	}
	return list
}

// allows reports whether the last event of a chain may follow those before, which are allowed.
func (s *search) allows(c chain) bool {
	before, last := c[len(c)-2], c.last()
	from, to := s.time(before), s.time(last)
	switch {
	case to > s.deadline, to < from, s.increasing && to == from:
		return false
	case last.step != before.step && !s.steps[last.step].Arrow.Allows(to-from):
		return false
	}
	group := len(s.steps[last.step].members) > 1
	for _, l := range c[:len(c)-1] {
		if l.at == last.at || group && l.step == last.step && l.member == last.member {
			return false // an event serves once, and so does a member of a group
		}
	}
	return s.inOrder(c) && !s.excluded(c)
}

// strictAt reports whether the i-th event of a chain has to be the very next after the one before.
func (s *search) strictAt(c chain, i int) bool {
	if c[i].step == c[i-1].step {
		return s.steps[c[i].step].strict
	}
	return s.steps[c[i].step].Arrow.Strict
}

// inOrder reports whether the stream can be ordered, simultaneous events in any way, so that every strict
// arrow of a chain leads to the very next event.
func (s *search) inOrder(c chain) bool {
	for i := 0; i < len(c); {
		end := s.instantEnd(c, i)
		others := s.count(func(at int64) bool { return at == s.time(c[i]) }) - (end - i)
		if others > 0 && end < len(c) && s.strictAt(c, end) && !s.room(c, i, end) {
			return false
		}
		if end < len(c) && s.strictAt(c, end) &&
			s.count(func(at int64) bool { return at > s.time(c[i]) && at < s.time(c[end]) }) > 0 {
			return false
		}
		i = end
	}
	return true
}

// instantEnd returns the end of the part of a chain, from i on, that is simultaneous.
func (s *search) instantEnd(c chain, i int) int {
	end := i
	for end < len(c) && s.time(c[end]) == s.time(c[i]) {
		end++
	}
	return end
}

// room reports whether other events of the same instant can stand before or between the events i to end
// of a chain. They can stand behind them unless a strict arrow leads on from there.
func (s *search) room(c chain, i, end int) bool {
	for ; i < end; i++ {
		if i == 0 || !s.strictAt(c, i) {
			return true
		}
	}
	return false
}

// count returns how many events of the stream have such a time.
func (s *search) count(is func(at int64) bool) int {
	n := 0
	for _, x := range s.events {
		if is(x.event.Time) {
			n++
		}
	}
	return n
}

// span returns where an exclusion looks for its events: from the first step reached that is not before the
// one it names to the first such step of its end, or, while ended is false, to the last step reached.
// begun is false while it does not look yet.
func (s *search) span(c chain, e *exclusion) (from, to int64, begun, ended bool) {
	for k := range s.steps {
		if !s.reached(c, k) {
			continue
		}
		at := s.stepTime(c, k)
		if !begun && k >= e.From-1 {
			from, begun = at, true
		}
		if !ended {
			to, ended = at, k >= e.To-1
		}
	}
	return from, to, begun, ended
}

// excluded reports whether a step is reached too late, behind an exclusion. Those with remove do not keep a
// step from being reached.
func (s *search) excluded(c chain) bool {
	for _, e := range s.excepts {
		if from, to, begun, _ := s.span(c, e); !e.Remove && begun && e.between(from, to) {
			return true
		}
	}
	return false
}

// state tells apart chains that can go on in different ways: where they stand, what they have taken of the
// last instant, and what the exclusions look at.
func (s *search) state(c chain) string {
	step, first := c.last().step, len(c)-1
	for first > 0 && s.time(c[first-1]) == s.time(c.last()) {
		first--
	}
	var members, taken []int
	for _, l := range c.of(step) {
		members = append(members, l.member)
	}
	for _, l := range c[first:] {
		taken = append(taken, l.at)
	}
	if need := s.steps[step].need; s.steps[step].most == math.MaxInt && len(members) > need {
		members = members[:need] // it may take as many more as one that has just reached the step
	}
	slices.Sort(members)
	slices.Sort(taken)
	text := fmt.Sprint(step, members, taken, s.room(c, first, len(c)))
	for _, e := range s.excepts {
		from, _, begun, ended := s.span(c, e)
		text += fmt.Sprint(" ", from, begun, ended)
	}
	return text
}

// compare orders the chains of one stream that begin with the same event, the best first.
func (s *search) compare(a, b chain) int { return compareChains(a, b, s.times(a), s.times(b)) }

// compareChains prefers the chain that gets furthest, then the one that takes most steps, then goes by the
// times of the steps taken, the number of events, the events in the order of the stream, and the steps that
// they serve.
func compareChains(a, b chain, timesA, timesB []int64) int {
	return cmp.Or(
		cmp.Compare(b.last().step, a.last().step),
		cmp.Compare(len(timesB), len(timesA)),
		slices.Compare(timesA, timesB),
		cmp.Compare(len(a), len(b)),
		slices.CompareFunc(a, b, func(x, y link) int { return cmp.Compare(x.at, y.at) }),
		slices.CompareFunc(a, b, func(x, y link) int { return cmp.Compare(x.step, y.step) }),
	)
}

// best returns the best of the chains that begin so and end with a step reached, or nil.
func (s *search) best(begin []chain) chain {
	var best chain
	seen := map[string]chain{}
	for chains := begin; len(chains) > 0; {
		var longer []chain
		for _, c := range chains {
			state := s.state(c)
			if old := seen[state]; old != nil && s.compare(old, c) <= 0 {
				continue // whatever follows here follows there
			}
			seen[state] = c
			if s.reached(c, c.last().step) && (best == nil || s.compare(c, best) < 0) {
				best = c
			}
			longer = append(longer, s.next(c)...)
		}
		chains = longer
	}
	return best
}

// firstMatch returns the first chain from c on that matches the whole pattern, or nil. It goes the ways of
// next in their order and ends where none leads to a match, so that steps take as much as they can.
func (s *search) firstMatch(c chain, dead map[string]bool) chain {
	state := s.state(c)
	if dead[state] {
		return nil
	}
	for _, longer := range s.next(c) {
		if found := s.firstMatch(longer, dead); found != nil {
			return found
		}
	}
	if s.matched(c) {
		return c
	}
	dead[state] = true
	return nil
}

// matched reports whether a chain has reached the last step but for optional ones.
func (s *search) matched(c chain) bool {
	last := c.last().step
	for k := last + 1; k < len(s.steps); k++ {
		if !s.steps[k].Optional() {
			return false
		}
	}
	return s.reached(c, last)
}

// later returns an instant some time after another, the last one there is at most.
func later(at, nanos int64) int64 {
	if at > math.MaxInt64-nanos {
		return math.MaxInt64
	}
	return at + nanos
}
