package reference

import (
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// funnelView is a stage right behind a funnel.
func (r *run) funnelView(in *rows, stage syntax.Stage) (*rows, error) {
	f := in.funnel
	if f == nil {
		return nil, syntax.Errorf(stage.Position(), "%s belongs right behind a funnel", stage.Keyword())
	}
	switch s := stage.(type) {
	case *syntax.Trend:
		return f.trend(s)
	case *syntax.Times:
		return f.times(s), nil
	case *syntax.Converted:
		step := f.goal
		if s.Step > 0 {
			step = s.Step - 1
		}
		return f.list(func(e *entry) (*attempt, int) { return f.covering(e, step), step }), nil
	case *syntax.Dropped:
		return f.list(func(e *entry) (*attempt, int) {
			k := e.best.furthest()
			if s.After > 0 && k != s.After-1 || k >= f.goal {
				return nil, 0
			}
			return e.best, k
		}), nil
	case *syntax.Pending:
		return f.list(func(e *entry) (*attempt, int) {
			if e.best.furthest() >= f.goal || !f.open(e.best) {
				return nil, 0
			}
			return e.best, e.best.furthest()
		}), nil
	}
	return nil, syntax.Errorf(stage.Position(), "the reference cannot run %s", stage.Keyword())
}

// list makes a row for each user of each group with an entry that is chosen: the time at which the attempt
// of the first such entry took the step.
func (f *funnel) list(choose func(*entry) (a *attempt, step int)) *rows {
	out := f.in.newResult(f.keys, []string{syntax.ColumnUser, syntax.ColumnTime})
	for _, g := range f.groups {
		starts, times := map[event.Value]int64{}, map[event.Value]int64{}
		for _, e := range g.counted() {
			a, step := choose(e)
			if a == nil {
				continue
			}
			if start, listed := starts[e.user]; !listed || a.start() < start {
				starts[e.user], times[e.user] = a.start(), a.time(step)
			}
		}
		for user, at := range times {
			out.put(slices.Concat(g.keys, []event.Value{user, event.Time(at)})...)
		}
	}
	out.sortByAll()
	out.members = earliest(out)
	return out
}

// earliest keeps of each user the row with the earliest time.
func earliest(in *rows) *rows {
	out := in.newResult([]string{syntax.ColumnUser, syntax.ColumnTime})
	for _, x := range in.list {
		user, at := x.columns[syntax.ColumnUser], x.columns[syntax.ColumnTime]
		same := func(y *row) bool { return y.columns[syntax.ColumnUser] == user }
		if i := slices.IndexFunc(out.list, same); i < 0 {
			out.put(user, at)
		} else if y := out.list[i]; at.AsInt() < y.columns[syntax.ColumnTime].AsInt() {
			y.columns[syntax.ColumnTime] = at
		}
	}
	out.sortByAll()
	return out
}

// users makes a row for each user of each group: how far he got with his best attempt, and when.
func (f *funnel) users() *rows {
	out := f.in.newResult([]string{syntax.ColumnUser, syntax.ColumnTime, "step"}, f.keys)
	for _, g := range f.groups {
		attempts := map[event.Value][]*attempt{}
		for _, e := range g.counted() {
			attempts[e.user] = append(attempts[e.user], e.best)
		}
		for user, list := range attempts {
			a := f.counted(list)
			k := a.furthest()
			out.put(slices.Concat([]event.Value{user, event.Time(a.time(k)), event.Int(int64(k + 1))}, g.keys)...)
		}
	}
	out.sortByAll()
	return out
}

// cell is how many entered in one bucket, and how many of them converted.
type cell struct{ entered, converted int }

// trend counts by the bucket of the start, each bucket as if it were alone.
func (f *funnel) trend(s *syntax.Trend) (*rows, error) {
	bins := f.run.calendar.Bins(s.Every, f.in.rng.From)
	var cells []map[int64]*cell // of each group, by the start of the bucket
	var times []event.Value
	for _, g := range f.groups {
		counts := map[int64]*cell{}
		for at, attempts := range f.byBucket(g, bins) {
			counts[at] = &cell{entered: len(attempts)}
			times = append(times, event.Time(at))
			for _, a := range attempts {
				if a.furthest() >= f.goal {
					counts[at].converted++
				}
			}
		}
		cells = append(cells, counts)
	}
	starts, err := fillTimes(bins, &syntax.Bin{Pos: s.Pos, Span: s.Every}, times, f.in.rng)
	if err != nil {
		return nil, err
	}
	out := f.in.newResult(f.keys, syntax.TrendColumns[:])
	for i, g := range f.groups {
		if len(f.By) > 0 && len(cells[i]) == 0 {
			continue
		}
		for _, at := range starts {
			n := cells[i][at]
			if n == nil {
				n = &cell{}
			}
			out.put(slices.Concat(g.keys, []event.Value{
				event.Time(at), event.Int(int64(n.entered)), event.Int(int64(n.converted)), ratio(n.converted, n.entered),
			})...)
		}
	}
	return out, nil
}

// byBucket returns the attempts that count in each bucket: of each user the one that counts among those
// that start there.
func (f *funnel) byBucket(g *funnelGroup, bins *scalar.Bins) map[int64][]*attempt {
	counted := map[int64][]*attempt{}
	for _, e := range g.entries {
		attempts := e.attempts
		if f.Count == syntax.CountSessions {
			attempts = slices.DeleteFunc([]*attempt{e.best}, func(a *attempt) bool { return a == nil })
		}
		buckets := map[int64][]*attempt{}
		for _, a := range attempts {
			at := bins.Start(a.start())
			buckets[at] = append(buckets[at], a)
		}
		for at, list := range buckets {
			if a := f.counted(list); a != nil {
				counted[at] = append(counted[at], a)
			}
		}
	}
	return counted
}

// times describes how long it took from one step to another.
func (f *funnel) times(s *syntax.Times) *rows {
	from, to := 0, len(f.steps)-1
	if s.To > 0 {
		from, to = s.From-1, s.To-1
	}
	names := syntax.TimesColumns[:]
	if s.Edges != nil {
		names = append(slices.Clone(names), "hist")
	}
	out := f.in.newResult(f.keys, names)
	for _, g := range f.shown() {
		var times []event.Value
		for _, e := range g.counted() {
			if a := e.best; a.took(from) && a.took(to) {
				times = append(times, event.Duration(a.time(to)-a.time(from)))
			}
		}
		values := slices.Concat(g.keys, []event.Value{
			event.Int(int64(len(times))), avg(times), quantile(times, 0.5), quantile(times, 0.9), quantile(times, 0.99),
			extreme(times, -1), extreme(times, 1),
		})
		if s.Edges != nil {
			values = append(values, scalar.HistEdges(s.Edges, times))
		}
		out.put(values...)
	}
	return out
}
