package reference

import (
	"cmp"
	"slices"

	"cairn/engine/event"
)

// attempt is how far one start leads.
type attempt struct {
	search *search
	chain  chain
	times  []int64 // of the steps taken
	spoilt bool    // by an exclusion with remove
}

func (a *attempt) first() *row { return a.search.events[a.chain[0].at] }

func (a *attempt) start() int64 { return a.first().event.Time }

func (a *attempt) furthest() int { return a.chain.last().step }

func (a *attempt) took(step int) bool { return a.search.reached(a.chain, step) }

func (a *attempt) time(step int) int64 { return a.search.stepTime(a.chain, step) }

// compare orders attempts by their chains alone.
func (a *attempt) compare(b *attempt) int { return compareChains(a.chain, b.chain, a.times, b.times) }

// deeper orders attempts by how far they got, then by how many steps they took on the way.
func (a *attempt) deeper(b *attempt) int {
	return cmp.Or(cmp.Compare(b.furthest(), a.furthest()), cmp.Compare(len(b.times), len(a.times)))
}

// before returns the step taken before another one, or -1.
func (a *attempt) before(step int) int {
	for step--; step >= 0 && !a.took(step); {
		step--
	}
	return step
}

// attempts returns those that start with one event: one, or with `open` one for every step that it can
// start.
func (f *funnel) attempts(events []*row, at int, may demand, used map[int]bool) []*attempt {
	if !f.in.inRange(events[at].event.Time) || slices.Contains(keysOf(events[at], f.hold), event.Null) {
		return nil
	}
	s := f.search(events, at, may, used)
	var list []*attempt
	for step := range f.steps {
		if c := s.best(s.begin(at, step)); c != nil {
			list = append(list, &attempt{s, c, s.times(c), s.spoilt(c)})
		}
		if !f.Open {
			break
		}
	}
	return list
}

// search prepares to look for the chains that begin with one event.
func (f *funnel) search(events []*row, at int, may demand, used map[int]bool) *search {
	held := keysOf(events[at], f.hold)
	s := &search{
		pattern: f.pattern, events: events, deadline: later(events[at].event.Time, f.Within), used: used,
		may: func(step int, x *row) bool { return may(step, x) && slices.Equal(keysOf(x, f.hold), held) },
	}
	for i, matches := range f.excepts {
		e := &exclusion{Except: f.Except[i]}
		for _, x := range events {
			if matches(x) && f.couldHold(x, held) {
				e.times = append(e.times, x.event.Time)
			}
		}
		s.excepts = append(s.excepts, e)
	}
	return s
}

// couldHold reports whether an event has no other value than those held.
func (f *funnel) couldHold(x *row, held []event.Value) bool {
	for i, v := range keysOf(x, f.hold) {
		if v.Exists() && v != held[i] {
			return false
		}
	}
	return true
}

// spoilt reports whether an event excluded with remove lies in the way of a chain; where the step that ends
// the exclusion is not reached, up to the deadline.
func (s *search) spoilt(c chain) bool {
	for _, e := range s.excepts {
		from, to, begun, ended := s.span(c, e)
		if !ended {
			to = later(s.deadline, 1)
		}
		if e.Remove && begun && e.between(from, to) {
			return true
		}
	}
	return false
}

// counted returns the attempt that counts, of all attempts of a unit: of the deepest that are not spoilt
// the earliest or, with `entry latest`, the latest.
func (f *funnel) counted(attempts []*attempt) *attempt {
	list := slices.SortedStableFunc(slices.Values(attempts), f.compareAttempts)
	for _, a := range list {
		if a.deeper(list[0]) == 0 && !a.spoilt {
			return a
		}
	}
	return nil
}

// compareAttempts orders the attempts of a user, the one that counts first.
func (f *funnel) compareAttempts(a, b *attempt) int {
	byTime := cmp.Compare(a.start(), b.start())
	if f.Latest {
		byTime = -byTime
	}
	return cmp.Or(a.deeper(b), byTime, compareInTime(a.first(), b.first()), a.compare(b))
}

// totals returns the attempts of a unit that are made one after the other, by start. With hold, each
// combination of values has attempts of its own.
func (f *funnel) totals(events []*row, may demand) []*attempt {
	var list []*attempt
	used := map[int]bool{}
	next := map[string]int64{} // by the values held: the first instant at which an attempt may start
	for at, start := range events {
		held := nameOf(keysOf(start, f.hold))
		if free, ended := next[held]; used[at] || ended && start.event.Time < free {
			continue
		}
		a := f.deepest(f.attempts(events, at, may, used))
		if a == nil {
			continue
		}
		list = append(list, a)
		for _, l := range a.chain {
			used[l.at] = true
		}
		next[held] = f.end(a)
	}
	return list
}

// deepest returns the best attempt of one start, or nil.
func (f *funnel) deepest(attempts []*attempt) *attempt {
	if len(attempts) == 0 {
		return nil
	}
	return slices.MinFunc(attempts, (*attempt).compare)
}

// end returns the first instant at which another attempt may start: with the last event when it converted,
// else with the first excluded event, or after the deadline.
func (f *funnel) end(a *attempt) int64 {
	s := a.search
	if a.furthest() >= f.goal {
		return s.time(a.chain.last())
	}
	end := later(s.deadline, 1)
	for _, e := range s.excepts {
		from, _, begun, ended := s.span(a.chain, e)
		for _, at := range e.times {
			if !e.Remove && begun && !ended && at > from {
				end = min(end, at)
			}
		}
	}
	return end
}
