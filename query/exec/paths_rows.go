package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// pathTotal is what all workers of a run have counted, with groups and nodes of its own.
type pathTotal struct {
	r      *pathsRun
	groups []pathGroup
	index  map[string]uint32 // by keys: the group
	nodes  *interner
	// One of these counts, depending on the view.
	edges    edgeTable
	journeys journeyTable
	visits   visitTable
	// joined says for each worker what its rows have become.
	joined []joinedPaths
}

// joinedPaths is a worker whose rows have become those of a pathTotal.
type joinedPaths struct {
	workers []*streamWorker // of its pass
	worker  *pathsWorker
	to      []uint32 // by number of the row
}

// pathGroup is one group.
type pathGroup struct {
	keys []event.Value
	rows []uint32
}

// pathRow is a row that may be shown.
type pathRow struct {
	*pathTally
	number uint32
	step   int           // edges: of the source; journeys: between nodes
	about  []event.Value // the columns that tell rows apart
}

// tallies are the rows in the making.
func (t *pathTotal) tallies() []pathTally {
	switch t.r.stage.View {
	case syntax.PathShortest:
		return t.journeys.tallies
	case syntax.PathLoops, syntax.PathDeadEnds:
		return t.visits.tallies
	}
	return t.edges.tallies
}

// total joins what the workers have counted.
func (r *pathsRun) total(ctx context.Context) (*pathTotal, error) {
	t := &pathTotal{r: r, index: map[string]uint32{}, nodes: newInterner(r.x.Budget, "nodes")}
	t.nodes.intern(event.Null)
	for _, workers := range r.wide.passes {
		for _, w := range workers {
			if err := t.join(ctx, workers, w.consumer.(*pathsWorker)); err != nil {
				return nil, err
			}
		}
	}
	r.x.Budget.Add("paths", t.edges.grown()+t.journeys.grown()+t.visits.grown())
	if err := r.x.Budget.Err(); err != nil {
		return nil, err
	}
	if err := r.x.nameValues(t.nodes.values); err != nil {
		return nil, err
	}
	named := &table{}
	for i := range t.groups {
		named.rows = append(named.rows, row{values: t.groups[i].keys})
	}
	return t, r.x.nameRows(ctx, named, len(r.by))
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
func (t *pathTotal) join(ctx context.Context, workers []*streamWorker, w *pathsWorker) error {
	nodes := make([]uint32, len(w.w.values(t.r.node)))
	for gid, v := range w.w.values(t.r.node) {
		nodes[gid] = t.nodes.intern(v)
	}
	var groups []uint32
	group := func(n uint32) uint32 {
		for int(n) >= len(groups) {
			keys := make([]event.Value, len(t.r.by))
			for i, c := range t.r.by {
				keys[i] = w.w.values(c)[w.set.keys[len(groups)][i]]
			}
			groups = append(groups, t.group(keys))
		}
		return groups[n]
	}
	one := joinedPaths{workers: workers, worker: w}
	put := func(g, number uint32, into, from *pathTally) {
		if into.count == 0 && into.visits == 0 {
			t.groups[g].rows = append(t.groups[g].rows, number)
		}
		into.merge(from)
		one.to = append(one.to, number)
	}
	for n := range w.edges.tallies {
		if err := interrupted(ctx, n); err != nil {
			return err
		}
		place, source, target := w.edges.edge(uint32(n))
		at := w.edges.groups[place]
		g := group(at.group)
		number := t.edges.number(t.edges.places(g, at.step+1)[at.step], nodes[source], nodes[target])
		put(g, number, &t.edges.tallies[number], &w.edges.tallies[n])
	}
	for n := range w.journeys.tallies {
		from, gids := w.journeys.journey(uint32(n))
		g := group(from)
		path := make([]pathNode, len(gids))
		for i, gid := range gids {
			path[i].gid = nodes[gid]
		}
		number, tally := t.journeys.tally(g, path)
		put(g, number, tally, &w.journeys.tallies[n])
	}
	for n := range w.visits.tallies {
		from, node := w.visits.pairs.pair(uint32(n))
		g := group(from)
		number := t.visits.number(g, nodes[node])
		put(g, number, &t.visits.tallies[number], &w.visits.tallies[n])
	}
	t.joined = append(t.joined, one)
	return nil
}

// group returns the group with these keys.
func (t *pathTotal) group(keys []event.Value) uint32 {
	name := tupleName(keys)
	n, ok := t.index[name]
	if !ok {
		n = uint32(len(t.groups))
		t.index[name] = n
		t.groups = append(t.groups, pathGroup{keys: keys})
	}
	return n
}

func (t *pathTally) merge(o *pathTally) {
	t.count += o.count
	t.users += o.users
	t.visits += o.visits
	t.took.merge(o.took)
}

// table makes the rows.
func (r *pathsRun) table(ctx context.Context) (*table, error) {
	total, err := r.total(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(total.groups, func(a, b pathGroup) int { return compareRows(a.keys, b.keys) })
	columns := syntax.PathColumns[r.stage.View]
	t := &table{rng: r.rng, names: slices.Concat(names(r.stage.By), columns)}
	if r.users {
		return r.userTable(ctx, total)
	}
	for _, g := range total.groups {
		for _, x := range total.shown(g) {
			t.rows = append(t.rows, row{values: slices.Concat(g.keys, r.values(x))})
		}
	}
	return t, nil
}

// shown returns the rows of a group that are shown, in order.
func (t *pathTotal) shown(g pathGroup) []*pathRow {
	s := t.r.stage
	rows := make([]pathRow, 0, len(g.rows))
	for _, n := range g.rows {
		x := pathRow{pathTally: &t.tallies()[n], number: n}
		switch s.View {
		case syntax.PathEdges:
			place, _, _ := t.edges.edge(n)
			if x.step = t.edges.groups[place].step + 1; t.r.backwards() {
				x.step = 1 - x.step
			}
		case syntax.PathShortest:
			x.step = len(t.journeys.texts[n])/4 - 2
		}
		if x.count > 0 {
			rows = append(rows, x)
		}
	}
	byAbout := func(a, b *pathRow) int { return compareRows(a.about, b.about) }
	byCount := func(a, b *pathRow) int { return cmp.Compare(b.count, a.count) }
	order, most := byCount, s.Top // order: as far as counts tell
	switch s.View {
	case syntax.PathShortest:
		most = s.Shortest
		order = func(a, b *pathRow) int { return cmp.Or(cmp.Compare(a.step, b.step), byCount(a, b)) }
	case syntax.PathLoops, syntax.PathDeadEnds:
		order = func(a, b *pathRow) int { return cmp.Or(cmp.Compare(b.rate(), a.rate()), byCount(a, b)) }
	}
	list := foremost(rows, most, order)
	for _, x := range list {
		x.about = t.about(x)
	}
	slices.SortFunc(list, func(a, b *pathRow) int { return cmp.Or(order(a, b), byAbout(a, b)) })
	list = list[:min(most, len(list))]
	if s.View == syntax.PathEdges {
		slices.SortFunc(list, func(a, b *pathRow) int { return cmp.Or(cmp.Compare(a.step, b.step), byCount(a, b), byAbout(a, b)) })
	}
	return list
}

// foremost returns the rows that are among the first n in an order, and those that are equal to the last of
// them.
func foremost(rows []pathRow, n int, order func(a, b *pathRow) int) []*pathRow {
	list := make([]*pathRow, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	if len(list) <= n {
		return list
	}
	// The first n so far are a heap with the last of them on top.
	heap := slices.Clone(list[:n])
	sink := func(i int) {
		for {
			child := 2*i + 1
			if child >= n {
				return
			}
			if child+1 < n && order(heap[child+1], heap[child]) > 0 {
				child++
			}
			if order(heap[child], heap[i]) <= 0 {
				return
			}
			heap[i], heap[child] = heap[child], heap[i]
			i = child
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		sink(i)
	}
	for _, x := range list[n:] {
		if order(x, heap[0]) < 0 {
			heap[0] = x
			sink(0)
		}
	}
	return slices.DeleteFunc(list, func(x *pathRow) bool { return order(x, heap[0]) > 0 })
}

// about returns the columns that tell a row from others.
func (t *pathTotal) about(x *pathRow) []event.Value {
	values := t.nodes.values
	switch t.r.stage.View {
	case syntax.PathShortest:
		_, nodes := t.journeys.journey(x.number)
		path := make([]event.Value, len(nodes))
		for i, n := range nodes {
			path[i] = values[n]
		}
		return []event.Value{scalar.ListOf(path, t.r.x.Calendar.Location())}
	case syntax.PathLoops, syntax.PathDeadEnds:
		_, node := t.visits.pairs.pair(x.number)
		return []event.Value{values[node]}
	}
	_, source, target := t.edges.edge(x.number)
	return []event.Value{event.Int(int64(x.step)), values[source], values[target]}
}

// rate is the share of the paths that visit the node.
func (x *pathRow) rate() float64 { return float64(x.count) / float64(x.visits) }

// values are the columns of a row.
func (r *pathsRun) values(x *pathRow) []event.Value {
	users := event.Int(x.users)
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

// userTable lists the users of the rows that are shown.
func (r *pathsRun) userTable(ctx context.Context, total *pathTotal) (*table, error) {
	about := syntax.PathColumns[r.stage.View][:1]
	if r.stage.View == syntax.PathEdges {
		about = syntax.PathColumns[r.stage.View][:3]
	}
	t := &table{rng: r.rng, names: slices.Concat([]string{syntax.ColumnUser}, names(r.stage.By), about)}
	shown := make([][]event.Value, len(total.tallies())) // by number: keys and about
	for _, g := range total.groups {
		for _, x := range total.shown(g) {
			shown[x.number] = slices.Concat(g.keys, x.about)
		}
	}
	for _, j := range total.joined {
		list := slices.DeleteFunc(j.worker.listed, func(u pathUser) bool { return shown[j.to[u.tally]] == nil })
		ids := make([]uint32, len(list))
		for i, u := range list {
			ids[i] = u.user
		}
		who, err := r.wide.feed.users(j.workers, ids)
		if err != nil {
			return nil, err
		}
		r.x.Budget.Add("rows", len(list)*(24+40*len(t.names)))
		if err := r.x.Budget.Err(); err != nil {
			return nil, err
		}
		for i, u := range list {
			t.rows = append(t.rows, row{values: append([]event.Value{who[i]}, shown[j.to[u.tally]]...)})
		}
	}
	return t, sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values, b.values) })
}
