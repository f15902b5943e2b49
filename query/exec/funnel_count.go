package exec

import (
	"cairn/query/syntax"
)

// funnelListed is a user in a view that lists users: his first attempt that counts, or his best one.
type funnelListed struct {
	group   uint32
	startAt int64
	b       best
	at      int64
	step    int32
}

func (f *funnelWorker) trend(group uint32, bucket int64, a *attempt) {
	g := f.groups[group]
	g.any = true
	cell := g.cell(bucket)
	cell[0]++
	if a.furthest >= f.r.p.goal {
		cell[1]++
	}
}

// count counts a unit in its group.
func (f *funnelWorker) count(b *best) {
	g, a := f.groups[b.key.group], &b.a
	times := f.m.r.times
	g.any = true
	switch v := f.r.view.(type) {
	case *syntax.Times:
		from, to := 0, len(f.r.p.steps)-1
		if v.To > 0 {
			from, to = v.From-1, v.To-1
		}
		if a.at[from] >= 0 && a.at[to] >= 0 {
			g.spans[0] = append(g.spans[0], times[a.at[to]]-times[a.at[from]])
		}
	case *syntax.Converted, *syntax.Dropped, *syntax.Pending, *syntax.Users:
		f.note(b)
	}
	before := int64(-1)
	first := true
	for k, e := range a.at {
		if e < 0 {
			if b.covers != nil && b.covers[k] {
				g.counts[k]++
			}
			continue
		}
		g.counts[k]++
		if at := times[e]; !first {
			if f.r.view == nil {
				g.spans[k] = append(g.spans[k], at-before)
			}
			before = at
		} else {
			before, first = at, false
		}
	}
	if a.furthest < f.r.p.goal {
		g.dropped[a.furthest]++
		if f.open(a) {
			g.pending[a.furthest]++
		}
	}
	for i, c := range f.r.sums {
		for j, e := range a.events {
			g.sums[a.steps[j]].addValue(uint32(i), f.w.values(c)[f.m.r.keys[c][e]])
		}
	}
}

// open reports whether the window of an attempt is open at the snapshot.
func (f *funnelWorker) open(a *attempt) bool { return a.deadline >= f.r.x.Now }

// note keeps the user at hand for a view that lists users.
func (f *funnelWorker) note(b *best) {
	a, step := &b.a, b.a.furthest
	switch v := f.r.view.(type) {
	case *syntax.Converted:
		step = f.r.p.goal
		if v.Step > 0 {
			step = v.Step - 1
		}
		if a.at[step] < 0 {
			if b.covers == nil || !b.covers[step] {
				return
			}
			a = &b.cover[step]
		}
	case *syntax.Dropped:
		if v.After > 0 && step != v.After-1 || step >= f.r.p.goal {
			return
		}
	case *syntax.Pending:
		if step >= f.r.p.goal || !f.open(a) {
			return
		}
	}
	times := f.m.r.times
	startAt := times[a.start]
	l := f.listed[b.key.group]
	_, users := f.r.view.(*syntax.Users)
	switch {
	case l == nil:
		l = &funnelListed{group: b.key.group}
		f.listed[b.key.group] = l
	case !users && startAt >= l.startAt:
		return
	case users:
		deeper := a.furthest > l.b.furthest || a.furthest == l.b.furthest && b.taken > l.b.taken
		if !deeper && (a.furthest < l.b.furthest || b.taken < l.b.taken || (startAt < l.startAt) == f.r.stage.Latest || startAt == l.startAt) {
			return
		}
	}
	l.startAt, l.at, l.step = startAt, times[a.at[step]], int32(step)
	l.b.furthest, l.b.taken = a.furthest, b.taken
}

// list puts the user at hand into the lists of his groups.
func (f *funnelWorker) list(user uint32) {
	if len(f.listed) == 0 {
		return
	}
	for group, l := range f.listed {
		g := f.groups[group]
		g.users = append(g.users, funnelUser{user, l.step, l.at})
	}
	clear(f.listed)
}
