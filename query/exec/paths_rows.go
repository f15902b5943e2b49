package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// pathGroup is the rows of one group.
type pathGroup struct {
	keys  []event.Value
	rows  []*pathRow
	index map[string]*pathRow
}

// pathRow is a row: what it is about, what was counted for it, and its users, if they are listed.
type pathRow struct {
	pathTally
	step  int
	nodes []uint32 // source and target, a whole path, or one node
	users []event.Value
	about []event.Value // once ordered: the columns that tell rows apart
}

// pathGroups are the groups of a run, with the values that nodes of any worker stand for.
type pathGroups struct {
	list  []*pathGroup
	index map[string]*pathGroup
	nodes *interner
}

// group returns the group with these keys.
func (g *pathGroups) group(keys []event.Value) *pathGroup {
	name := tupleName(keys)
	if g.index[name] == nil {
		g.index[name] = &pathGroup{keys: keys, index: map[string]*pathRow{}}
		g.list = append(g.list, g.index[name])
	}
	return g.index[name]
}

// add adds a row of a worker.
func (g *pathGroup) add(step int, nodes []uint32, t *pathTally) *pathRow {
	text := appendNumber(nil, uint32(step))
	for _, n := range nodes {
		text = appendNumber(text, n)
	}
	row := g.index[string(text)]
	if row == nil {
		row = &pathRow{step: step, nodes: nodes}
		g.index[string(text)] = row
		g.rows = append(g.rows, row)
	}
	row.count += t.count
	row.pathTally.users += t.users
	row.visits += t.visits
	row.took.merge(t.took)
	return row
}

// groups joins what workers have counted.
func (r *pathsRun) groups(ctx context.Context) (*pathGroups, error) {
	all := &pathGroups{index: map[string]*pathGroup{}, nodes: newInterner(r.x.Budget, "nodes")}
	all.nodes.intern(event.Null)
	for _, workers := range r.wide.passes {
		for _, w := range workers {
			if err := r.join(ctx, all, workers, w.consumer.(*pathsWorker)); err != nil {
				return nil, err
			}
		}
	}
	if err := r.x.nameValues(all.nodes.values); err != nil {
		return nil, err
	}
	t := &table{}
	for _, g := range all.list {
		t.rows = append(t.rows, row{values: g.keys})
	}
	if err := r.x.nameRows(ctx, t, len(r.by)); err != nil {
		return nil, err
	}
	slices.SortFunc(all.list, func(a, b *pathGroup) int { return compareRows(a.keys, b.keys) })
	return all, nil
}

// nameValues turns dense ids among values into the names of users.
func (x *Execution) nameValues(values []event.Value) error {
	for i, v := range values {
		if v.Kind() != kindUnnamed {
			continue
		}
		id := uint32(v.Bits())
		if err := x.names.fetch(x, []uint32{id}); err != nil {
			return err
		}
		values[i] = x.names.value(id)
	}
	return nil
}

// join adds the rows of a worker.
func (r *pathsRun) join(ctx context.Context, all *pathGroups, workers []*streamWorker, w *pathsWorker) error {
	nodeOf := make([]uint32, len(w.w.values(r.node)))
	for gid, v := range w.w.values(r.node) {
		nodeOf[gid] = all.nodes.intern(v)
	}
	groups := []*pathGroup{}
	groupOf := func(n uint32) *pathGroup {
		for int(n) >= len(groups) {
			keys := make([]event.Value, len(r.by))
			for i, c := range r.by {
				keys[i] = w.w.values(c)[w.set.keys[len(groups)][i]]
			}
			groups = append(groups, all.group(keys))
		}
		return groups[n]
	}
	var rows []*pathRow
	put := func(group uint32, step int, t *pathTally, nodes ...uint32) {
		for i, gid := range nodes {
			nodes[i] = nodeOf[gid]
		}
		rows = append(rows, groupOf(group).add(step, nodes, t))
	}
	for n := range w.edges.tallies {
		if err := interrupted(ctx, n); err != nil {
			return err
		}
		place, source, target := w.edges.edge(uint32(n))
		at := w.edges.groups[place]
		step := at.step + 1
		if r.backwards() {
			step = -at.step
		}
		put(at.group, step, &w.edges.tallies[n], source, target)
	}
	for n := range w.journeys.tallies {
		group, nodes := w.journeys.journey(uint32(n))
		put(group, len(nodes)-1, &w.journeys.tallies[n], nodes...)
	}
	for n := range w.visits.tallies {
		group, node := w.visits.pairs.pair(uint32(n))
		put(group, 0, &w.visits.tallies[n], node)
	}
	r.x.Budget.Add("paths", 250*len(rows))
	return r.listUsers(workers, w, rows)
}

// listUsers names the users of the rows of a worker, if they are to be listed.
func (r *pathsRun) listUsers(workers []*streamWorker, w *pathsWorker, rows []*pathRow) error {
	if !r.users {
		return r.x.Budget.Err()
	}
	ids := make([]uint32, len(w.listed))
	for i, l := range w.listed {
		ids[i] = l.user
	}
	who, err := r.wide.feed.users(workers, ids)
	if err != nil {
		return err
	}
	for i, l := range w.listed {
		row := rows[l.tally]
		row.users = append(row.users, who[i])
	}
	r.x.Budget.Add("paths", 40*len(ids))
	return r.x.Budget.Err()
}

// table makes the rows.
func (r *pathsRun) table(ctx context.Context) (*table, error) {
	all, err := r.groups(ctx)
	if err != nil {
		return nil, err
	}
	columns := syntax.PathColumns[r.stage.View]
	keys := names(r.stage.By)
	t := &table{rng: r.rng, names: slices.Concat(keys, columns)}
	if r.users {
		about := 1
		if r.stage.View == syntax.PathEdges {
			about = 3
		}
		t.names = slices.Concat([]string{syntax.ColumnUser}, keys, columns[:about])
	}
	for _, g := range all.list {
		for _, x := range r.ordered(all, g) {
			if !r.users {
				t.rows = append(t.rows, row{values: slices.Concat(g.keys, r.values(x))})
				continue
			}
			about := x.about[:len(t.names)-1-len(keys)]
			for _, user := range x.users {
				t.rows = append(t.rows, row{values: slices.Concat([]event.Value{user}, g.keys, about)})
			}
		}
	}
	if r.users {
		err = sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values, b.values) })
	}
	return t, err
}

// ordered returns the rows of a group that are shown, in order.
func (r *pathsRun) ordered(all *pathGroups, g *pathGroup) []*pathRow {
	s, rows := r.stage, g.rows
	value := func(node uint32) event.Value { return all.nodes.values[node] }
	byCount := func(a, b *pathRow) int { return cmp.Compare(b.count, a.count) }
	byAbout := func(a, b *pathRow) int { return compareRows(a.about, b.about) }
	switch s.View {
	case syntax.PathShortest:
		for _, x := range rows {
			path := make([]event.Value, len(x.nodes))
			for i, n := range x.nodes {
				path[i] = value(n)
			}
			x.about = []event.Value{scalar.ListOf(path, r.x.Calendar.Location())}
		}
		slices.SortFunc(rows, func(a, b *pathRow) int { return cmp.Or(cmp.Compare(a.step, b.step), byCount(a, b), byAbout(a, b)) })
		return rows[:min(s.Shortest, len(rows))]
	case syntax.PathLoops, syntax.PathDeadEnds:
		rows = slices.DeleteFunc(rows, func(x *pathRow) bool { return x.count == 0 })
		for _, x := range rows {
			x.about = []event.Value{value(x.nodes[0])}
		}
		slices.SortFunc(rows, func(a, b *pathRow) int { return cmp.Or(cmp.Compare(b.rate(), a.rate()), byCount(a, b), byAbout(a, b)) })
		return rows[:min(s.Top, len(rows))]
	}
	for _, x := range rows {
		x.about = []event.Value{event.Int(int64(x.step)), value(x.nodes[0]), value(x.nodes[1])}
	}
	slices.SortFunc(rows, func(a, b *pathRow) int { return cmp.Or(byCount(a, b), byAbout(a, b)) })
	rows = rows[:min(s.Top, len(rows))]
	slices.SortFunc(rows, func(a, b *pathRow) int { return cmp.Or(cmp.Compare(a.step, b.step), byCount(a, b), byAbout(a, b)) })
	return rows
}

// rate is the share of the paths that visit the node.
func (x *pathRow) rate() float64 { return float64(x.count) / float64(x.visits) }

// values are the columns of a row.
func (r *pathsRun) values(x *pathRow) []event.Value {
	users := event.Int(x.pathTally.users)
	switch r.stage.View {
	case syntax.PathShortest:
		return append(x.about, event.Int(int64(x.step)), event.Int(x.count), users, x.took.mean(x.count))
	case syntax.PathLoops, syntax.PathDeadEnds:
		return append(x.about, event.Int(x.visits), event.Int(x.count), event.Float(x.rate()), users)
	}
	took := event.Null
	if x.about[2].Exists() {
		took = x.took.mean(x.count)
	}
	return append(x.about, event.Int(x.count), users, took)
}
