package reference

import (
	"fmt"
	"math"
	"math/big"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// retention is one evaluation of the stage.
type retention struct {
	*syntax.Retention
	now             int64
	bins            *scalar.Bins
	starts, returns func(*row) bool
	value           func(*row) event.Value // of a RETURN event; nil to count users
	names           []string               // of the groups
	by              []func(*row) event.Value
}

// cohortMember is a user in the cohort of a period.
type cohortMember struct {
	user    event.Value
	keys    []event.Value // the group
	period  int64         // the start of the cohort's period
	at      int64         // the time of the first START in it
	returns []*row        // all RETURN events of the stream
}

func (r *run) retention(in *rows, s *syntax.Retention) (*rows, error) {
	t, err := r.compileRetention(in, s)
	if err != nil {
		return nil, err
	}
	list := t.cohortMembers(in)
	var times []int64
	for _, m := range list {
		times = append(times, m.at)
	}
	periods, err := r.periodStarts(in, s.Pos, s.Every, t.bins, times)
	if err != nil {
		return nil, err
	}
	out := in.newResult(t.names, []string{"cohort", "size"}, t.cellNames())
	out.members = in.newResult([]string{syntax.ColumnUser}, t.names, []string{"cohort", "period"})
	if len(periods) > 0 {
		for _, keys := range t.groupsOf(list) {
			t.addGroup(out, keys, periods, list)
		}
	}
	out.members.sortByAll()
	return out, nil
}

func (r *run) compileRetention(in *rows, s *syntax.Retention) (*retention, error) {
	t := &retention{Retention: s, now: r.now, bins: r.calendar.Bins(s.Every, in.rng.From)}
	var err error
	if t.starts, err = r.selector(s.Start); err != nil {
		return nil, err
	}
	if s.First {
		if t.starts, err = r.firstInHistory(s.Start, t.starts); err != nil {
			return nil, err
		}
	}
	if t.returns, err = r.selector(s.Return); err != nil {
		return nil, err
	}
	if s.Value != 0 {
		if t.value, err = r.value(s.X); err != nil {
			return nil, err
		}
	}
	t.names, t.by, err = r.named(s.By)
	return t, err
}

// firstInHistory narrows a test of events to the user's first match of a selector among all stored events.
func (r *run) firstInHistory(s *syntax.Selector, matches func(*row) bool) (func(*row) bool, error) {
	first, err := r.firstTime(&syntax.FirstTime{Pos: s.Pos, Selector: s})
	return func(x *row) bool { return matches(x) && first(x) == event.Time(x.event.Time) }, err
}

// cellNames are the columns p0, p1, …
func (t *retention) cellNames() []string {
	var names []string
	for _, k := range t.Periods() {
		names = append(names, fmt.Sprintf("p%d", k))
	}
	return names
}

// cohortMembers returns the users of every cohort.
func (t *retention) cohortMembers(in *rows) []*cohortMember {
	var list []*cohortMember
	for _, stream := range in.streams() {
		var starts, returns []*row
		for _, x := range stream.list {
			if in.inRange(x.event.Time) && t.starts(x) {
				starts = append(starts, x)
			}
			if t.returns(x) {
				returns = append(returns, x)
			}
		}
		for i, x := range starts {
			period := t.bins.Start(x.event.Time)
			if i > 0 && t.bins.Start(starts[i-1].event.Time) == period {
				continue // only the first of a period
			}
			keys := leastKeys(t.by, simultaneous(starts[i:]))
			list = append(list, &cohortMember{stream.user, keys, period, x.event.Time, returns})
		}
	}
	return list
}

// groupsOf returns the keys of all groups in order; without `by` there is one.
func (t *retention) groupsOf(list []*cohortMember) [][]event.Value {
	var found groups
	if len(t.by) == 0 {
		found.find(nil)
	}
	for _, m := range list {
		found.find(m.keys)
	}
	sortGroups(found.list)
	var keys [][]event.Value
	for _, g := range found.list {
		keys = append(keys, g.keys)
	}
	return keys
}

// addGroup adds the rows of a group: its cohorts, then their mean.
func (t *retention) addGroup(out *rows, keys []event.Value, periods []int64, all []*cohortMember) {
	var sizes []event.Value
	cells := make([][]event.Value, len(t.Periods())) // by column, then by cohort
	for _, period := range periods {
		var cohort []*cohortMember
		for _, m := range all {
			if m.period == period && compareKeys(m.keys, keys) == 0 {
				cohort = append(cohort, m)
			}
		}
		values := append(append([]event.Value{}, keys...), event.Time(period), event.Int(int64(len(cohort))))
		for i, k := range t.Periods() {
			v, counted := t.cell(period, cohort, i)
			values = append(values, v)
			cells[i] = append(cells[i], v)
			for _, m := range counted {
				member := append([]event.Value{m.user}, keys...)
				out.members.put(append(member, event.Time(period), event.Int(int64(k)))...)
			}
		}
		sizes = append(sizes, event.Int(int64(len(cohort))))
		out.put(values...)
	}
	size := t.mean(sizes, sizes)
	if !size.Exists() {
		size = event.Float(0) // nobody is in any cohort
	}
	values := append(append([]event.Value{}, keys...), event.Null, size)
	for i := range cells {
		values = append(values, t.mean(cells[i], sizes))
	}
	out.put(values...)
}

// cell returns column number i of a cohort and the users counted in it.
func (t *retention) cell(period int64, cohort []*cohortMember, i int) (event.Value, []*cohortMember) {
	if t.running(period, i) {
		return event.Null, nil
	}
	var counted []*cohortMember
	var values []event.Value
	for _, m := range cohort {
		returns, enough := t.returnsIn(m, i)
		if !enough {
			continue
		}
		counted = append(counted, m)
		for _, x := range returns {
			if t.value != nil {
				values = append(values, t.value(x))
			}
		}
	}
	switch t.Value {
	case syntax.AggSum:
		return sum(values), counted
	case syntax.AggAvg:
		v := avg(values)
		if !v.Exists() {
			counted = nil
		}
		return v, counted
	}
	return event.Int(int64(len(counted))), counted
}

// returnsIn returns the RETURN events of a user that column number i looks at, and whether the user counts
// in it.
func (t *retention) returnsIn(m *cohortMember, i int) (list []*row, enough bool) {
	k, last := t.Periods()[i], t.Last(i)
	if k == 0 {
		return t.between(m, 0, 0), true
	}
	switch t.When {
	case syntax.OnOrAfter:
		for _, x := range m.returns {
			if x.event.Time >= t.edge(m.period, m.at, k) {
				list = append(list, x)
			}
		}
	case syntax.OnOrBefore:
		list = t.between(m, 1, k)
	case syntax.Streak:
		list = t.between(m, 1, k)
		for p := 1; p <= k; p++ {
			if len(t.between(m, p, p)) < t.Min {
				return nil, false
			}
		}
	default:
		list = t.between(m, k, last)
	}
	return list, len(list) >= t.Min
}

// between returns the RETURN events of a user from START on in periods first to last.
func (t *retention) between(m *cohortMember, first, last int) []*row {
	var list []*row
	for _, x := range m.returns {
		at := x.event.Time
		if at >= m.at && at >= t.edge(m.period, m.at, first) && at < t.edge(m.period, m.at, last+1) {
			list = append(list, x)
		}
	}
	return list
}

// edge returns the beginning of period k, where 0 is that of the cohort; with `rolling` counted from an
// instant instead. Beyond all time it is the end of time.
func (t *retention) edge(period, at int64, k int) int64 {
	if t.Rolling {
		return t.windows(at, k)
	}
	for i := 0; i < k && period < math.MaxInt64; i++ {
		period = t.bins.End(period)
	}
	return period
}

// windows returns the instant k periods of exact length after another.
func (t *retention) windows(at int64, k int) int64 {
	for i := 0; i < k && at < math.MaxInt64; i++ {
		if at > math.MaxInt64-t.Every.Elapsed() {
			return math.MaxInt64
		}
		at += t.Every.Elapsed()
	}
	return at
}

// running reports whether a period that column number i needs is not over. Counts of users need none for p0.
func (t *retention) running(period int64, i int) bool {
	k, last := t.Periods()[i], t.Last(i)
	if k == 0 {
		if t.value == nil {
			return false
		}
		last = 0
	}
	return t.edge(period, t.bins.End(period), last+1) > t.now
}

// mean returns the mean of a column over the cohorts whose cell is there, weighted by their sizes.
func (t *retention) mean(cells, sizes []event.Value) event.Value {
	cellSum, users := new(big.Rat), new(big.Rat)
	numbers, durations := false, false
	for i, v := range cells {
		if !v.Exists() {
			continue
		}
		x := rational(v)
		durations = durations || v.Kind() == event.KindDuration
		numbers = numbers || v.IsNumber() && x.Sign() != 0
		cellSum.Add(cellSum, x.Mul(x, rational(sizes[i])))
		users.Add(users, rational(sizes[i]))
	}
	if users.Sign() == 0 || numbers && durations {
		return event.Null
	}
	mean := cellSum.Quo(cellSum, users)
	if durations {
		return nearest(mean, event.KindDuration)
	}
	return nearest(mean, event.KindFloat)
}
