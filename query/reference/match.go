package reference

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// match makes a row for every match of a pattern in the events of a user, or of the keys.
func (r *run) match(in *rows, s *syntax.Match) (*rows, error) {
	p, err := r.pattern(s.Pattern, false)
	if err != nil {
		return nil, err
	}
	keys, by, err := r.named(s.By)
	if err != nil {
		return nil, err
	}
	if len(by) == 0 {
		keys, by = []string{syntax.ColumnUser}, []func(*row) event.Value{userOf}
	}
	out := in.newResult(keys, syntax.MatchColumns[:])
	for _, step := range s.Pattern.Steps {
		if step.Name != "" {
			out.names = append(out.names, step.Name+".time", step.Name+".event")
			if !step.Once() {
				out.names = append(out.names, step.Name+".count")
			}
		}
	}
	for _, unit := range in.unitsBy(by) {
		for _, found := range p.matches(in, s, unit.rows) {
			made := p.matchRow(unit.rows, found)
			for i, name := range keys {
				made.columns[name] = unit.keys[i]
			}
			out.list = append(out.list, made)
		}
	}
	slices.SortStableFunc(out.list, out.compareRest)
	return out, nil
}

// unitsBy returns the stream of every combination of keys; events without one of them are in none.
func (in *rows) unitsBy(by []func(*row) event.Value) []*group {
	var units groups
	for _, x := range in.all() {
		if keys := keysOf(x, by); !slices.Contains(keys, event.Null) {
			unit := units.find(keys)
			unit.rows = append(unit.rows, x)
		}
	}
	for _, unit := range units.list {
		slices.SortStableFunc(unit.rows, compareInTime)
	}
	return units.list
}

// matches returns the matches in one stream by start.
func (p *pattern) matches(in *rows, m *syntax.Match, events []*row) []chain {
	var list []chain
	used := map[int]bool{}
	var end int64 // of the match before
	for at, start := range events {
		if !in.inRange(start.event.Time) || len(list) > 0 && !m.Next && start.event.Time < end {
			continue
		}
		s := &search{pattern: p, events: events, deadline: lastInstant(in.rng)}
		s.may = func(int, *row) bool { return true }
		if m.Within > 0 {
			s.deadline = later(start.event.Time, m.Within)
		}
		if !m.Next {
			s.used = used
		}
		if found := s.match(at); found != nil {
			list = append(list, found)
			for _, l := range found {
				used[l.at] = true
			}
			end = s.time(found.last())
		}
	}
	return list
}

// lastInstant is the last instant of a range.
func lastInstant(rng event.TimeRange) int64 {
	if rng.To == math.MaxInt64 {
		return math.MaxInt64
	}
	return rng.To - 1
}

// match returns the first match that begins with an event, or nil.
func (s *search) match(at int) chain {
	dead := map[string]bool{}
	for k, step := range s.steps {
		for _, c := range s.begin(at, k) {
			if found := s.firstMatch(c, dead); found != nil {
				return found
			}
		}
		if !step.Optional() {
			break
		}
	}
	return nil
}

// matchRow makes the row of a match, but for its keys. What it shows of steps is there under the names of
// all columns of their first and last event.
func (p *pattern) matchRow(events []*row, found chain) *row {
	at := func(l link) event.Value { return event.Time(events[l.at].event.Time) }
	made := &row{columns: map[string]event.Value{
		syntax.MatchColumns[0]: at(found[0]),
		syntax.MatchColumns[1]: at(found.last()),
		syntax.MatchColumns[2]: event.Int(int64(len(found))),
	}}
	for k, step := range p.steps {
		if step.Name == "" {
			continue
		}
		links := found.of(k)
		if len(links) > 0 {
			for name, v := range events[links[0].at].columns {
				made.columns[step.Name+"."+name] = v
			}
			for name, v := range events[links.last().at].columns {
				made.columns[step.Name+".last."+name] = v
			}
		}
		made.columns[step.Name+".count"] = event.Int(int64(len(links)))
	}
	return made
}
