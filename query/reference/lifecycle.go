package reference

import (
	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// lifecycleStates are the columns of lifecycle that count users.
var lifecycleStates = syntax.LifecycleColumns[1:]

// periodsOf returns the starts of the periods in which the user has matches, with their number. Those
// before the range count if they lie before its first period too.
func (in *rows) periodsOf(s *stream, bins *scalar.Bins, matches func(*row) bool) map[int64]int {
	counts := map[int64]int{}
	for _, x := range s.list {
		at := x.event.Time
		if matches(x) && (in.inRange(at) || at < in.rng.From && bins.Start(at) != bins.Start(in.rng.From)) {
			counts[bins.Start(at)]++
		}
	}
	return counts
}

// lifecycle counts users by what they did in a period and in the one before.
func (r *run) lifecycle(in *rows, s *syntax.Lifecycle) (*rows, error) {
	matches, err := r.selector(s.Selector)
	if err != nil {
		return nil, err
	}
	first, err := r.firstTime(&syntax.FirstTime{Pos: s.Pos, Selector: s.Selector})
	if err != nil {
		return nil, err
	}
	bins := r.calendar.Bins(s.Every, in.rng.From)
	starts, err := r.periodStarts(in, s.Pos, s.Every, bins, in.matchTimes(matches))
	if err != nil {
		return nil, err
	}
	members := in.newResult([]string{syntax.ColumnUser, syntax.ColumnTime, "state"})
	counts := map[int64]map[string]int64{} // by the start of the period and the state
	for _, start := range starts {
		counts[start] = map[string]int64{}
	}
	for _, stream := range in.streams() {
		active := in.periodsOf(stream, bins, matches)
		began := first(stream.list[0])
		for _, start := range starts {
			isNew := began.Exists() && bins.Start(began.AsInt()) == start
			state := lifecycleState(isNew, active[bins.Start(start-1)] > 0, active[start] > 0)
			if state != "" {
				counts[start][state]++
				members.put(stream.user, event.Time(start), event.String(state))
			}
		}
	}
	members.sortByAll()
	out := in.newResult(syntax.LifecycleColumns[:])
	for _, start := range starts {
		values := []event.Value{event.Time(start)}
		for _, state := range lifecycleStates {
			values = append(values, event.Int(counts[start][state]))
		}
		out.put(values...)
	}
	out.members = members
	return out, nil
}

// lifecycleState names what a user is in a period; "" for nothing.
func lifecycleState(isNew, before, now bool) string {
	switch {
	case now && isNew:
		return "new"
	case now && before:
		return "returning"
	case now:
		return "resurrected"
	case before:
		return "dormant"
	}
	return ""
}

// matchTimes returns the times of the matches of users in the range.
func (in *rows) matchTimes(matches func(*row) bool) []int64 {
	var times []int64
	for _, stream := range in.streams() {
		for _, x := range stream.list {
			if in.inRange(x.event.Time) && matches(x) {
				times = append(times, x.event.Time)
			}
		}
	}
	return times
}
