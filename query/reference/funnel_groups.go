package reference

import (
	"cmp"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// share is the part of a stream that belongs to one value of the breakdown.
type share struct {
	keys []event.Value
	may  demand
}

// breakdown returns the groups that a unit is in.
func (f *funnel) breakdown(events []*row) []share {
	anything := func(int, *row) bool { return true }
	if len(f.By) == 0 {
		return []share{{nil, anything}}
	}
	switch f.At {
	case syntax.AtFirst:
		return []share{{f.extremeKeys(events, -1), anything}}
	case syntax.AtLast:
		return []share{{f.extremeKeys(events, 1), anything}}
	}
	at := 0 // the step that gives the values
	if f.At == syntax.AtOne {
		at = f.AtStep - 1
	}
	var values groups
	for _, x := range events {
		if f.steps[at].servedBy(x) && f.mayTake(at, x) {
			values.find(f.keysOf(x))
		}
	}
	var shares []share
	for _, v := range values.list {
		shares = append(shares, share{v.keys, func(step int, x *row) bool {
			return step != at && f.At != syntax.AtAll || slices.Equal(f.keysOf(x), v.keys)
		}})
	}
	return shares
}

// mayTake reports whether an event lies where attempts of the range take events for a step.
func (f *funnel) mayTake(step int, x *row) bool {
	if step == 0 {
		return f.in.inRange(x.event.Time)
	}
	rng := f.in.rng
	return x.event.Time >= rng.From && (rng.To == math.MaxInt64 || x.event.Time < later(rng.To, f.Within))
}

// extremeKeys returns the first value, with sign -1, or the last, with 1, of every key on the events that
// serve any step.
func (f *funnel) extremeKeys(events []*row, sign int) []event.Value {
	var keys []event.Value
	for _, by := range f.by {
		var values []event.Value
		var with []*row
		for _, x := range events {
			serves := slices.ContainsFunc(f.steps, func(s *step) bool { return s.servedBy(x) })
			if v := by(x); v.Exists() && serves && f.mayTake(1, x) {
				values, with = append(values, v), append(with, x)
			}
		}
		keys = append(keys, key(byTime(values, with, sign)))
	}
	return keys
}

// fold puts all groups but those with most entries at step 1 into one, and orders the groups so. A group
// in which nothing counts does not stay apart.
func (f *funnel) fold() {
	apart := f.shown()
	slices.SortStableFunc(apart, func(a, b *funnelGroup) int {
		return cmp.Compare(len(f.at(b, 0)), len(f.at(a, 0)))
	})
	apart = apart[:min(f.Top, len(apart))]
	other := &funnelGroup{keys: []event.Value{event.String("other")}}
	for range f.keys[1:] {
		other.keys = append(other.keys, event.Null)
	}
	attempts := map[event.Value][]*attempt{}
	var users []event.Value
	for _, g := range f.groups {
		if slices.Contains(apart, g) {
			continue
		}
		for _, e := range g.entries {
			if f.Count != syntax.CountUsers {
				other.entries = append(other.entries, e)
				continue
			}
			if !slices.Contains(users, e.user) {
				users = append(users, e.user)
			}
			attempts[e.user] = append(attempts[e.user], e.attempts...)
		}
	}
	for _, u := range users {
		other.entries = append(other.entries, f.entry(u, attempts[u]...))
	}
	f.groups = append(apart, other)
}
