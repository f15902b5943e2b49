package reference

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// stream is what a behavioural stage sees of one user.
type stream struct {
	user event.Value
	list []*row // in time order; simultaneous ones in the order of events
}

// streams returns the events of every user, in the order of users: those of the range, and around it what
// the stages before let through. Events without a user are in none.
func (in *rows) streams() []*stream {
	byUser := map[event.Value]*stream{}
	var streams []*stream
	for _, x := range in.all() {
		u := userOf(x)
		if !u.Exists() {
			continue
		}
		if byUser[u] == nil {
			byUser[u] = &stream{user: u}
			streams = append(streams, byUser[u])
		}
		byUser[u].list = append(byUser[u].list, x)
	}
	for _, s := range streams {
		slices.SortStableFunc(s.list, compareInTime)
	}
	slices.SortFunc(streams, func(a, b *stream) int { return event.Compare(a.user, b.user) })
	return streams
}

// all returns the rows of the range and those around it, in the order of rows.
func (in *rows) all() []*row { return slices.Concat(in.after, in.list, in.window) }

// compareInTime is the order of a stream.
func compareInTime(a, b *row) int {
	if a.event.Time != b.event.Time {
		return compareInts(a.event.Time, b.event.Time)
	}
	return compareEvents(a.event, b.event)
}

// inRange reports whether an instant lies in the range.
func (in *rows) inRange(at int64) bool {
	return at >= in.rng.From && (at < in.rng.To || in.rng.To == math.MaxInt64)
}

// simultaneous returns the rows at the beginning of a list in time order that share the time of the first.
func simultaneous(list []*row) []*row {
	n := 0
	for n < len(list) && list[n].event.Time == list[0].event.Time {
		n++
	}
	return list[:n]
}

// leastKeys returns, key by key, the least value that one of the rows has; null is the greatest.
func leastKeys(fs []func(*row) event.Value, list []*row) []event.Value {
	var keys []event.Value
	for _, f := range fs {
		var values []event.Value
		for _, x := range list {
			values = append(values, key(f(x)))
		}
		keys = append(keys, slices.MinFunc(values, func(a, b event.Value) int { return compareValues(a, b, false) }))
	}
	return keys
}

// periodStarts returns the starts of all periods that share an instant with the range; where that has no
// bound, of those from the first to the last of times.
func (r *run) periodStarts(in *rows, pos syntax.Pos, every syntax.Span, bins *scalar.Bins, times []int64) ([]int64, error) {
	var values []event.Value
	for _, at := range times {
		values = append(values, event.Time(at))
	}
	return fillTimes(bins, &syntax.Bin{Pos: pos, Span: every}, values, in.rng)
}

// named compiles expressions and returns their names beside them.
func (r *run) named(list []syntax.Named) (names []string, fs []func(*row) event.Value, err error) {
	var exprs []syntax.Expr
	for _, n := range list {
		names = append(names, n.Name)
		exprs = append(exprs, n.Expr)
	}
	fs, err = r.values(exprs)
	return names, fs, err
}

// newResult begins a table of rows that are no events.
func (in *rows) newResult(names ...[]string) *rows {
	return &rows{names: slices.Concat(names...), rng: in.rng}
}

// put appends a row with these values, in the order of the names.
func (in *rows) put(values ...event.Value) {
	made := &row{columns: map[string]event.Value{}}
	for i, name := range in.names {
		made.columns[name] = values[i]
	}
	in.list = append(in.list, made)
}

// sortByAll orders the rows by all columns, ascending, and leaves out repeated ones.
func (in *rows) sortByAll() {
	slices.SortFunc(in.list, in.compareRest)
	in.list = slices.CompactFunc(in.list, func(a, b *row) bool { return in.compareRest(a, b) == 0 })
}
