package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/syntax"
)

// gatherer gathers the events of a scan; it is a consumer.
type gatherer struct {
	gathered
	s       *stream
	numbers map[*view]int
	actor   *actorKey
	ids     []*interner
	columns []*keyColumn
	tests   []*blockFilter
	scratch scratch
	account account
	masks   []uint64
	buffer  []uint16
	view    *view
}

// actorKey numbers what stands for the user.
type actorKey struct {
	columns []*keyColumn
	ids     *interner
	pairs   map[string]uint32
	tuples  []event.Value
}

func (a *actorKey) values() []event.Value {
	if len(a.columns) == 1 {
		return a.ids.values
	}
	return a.tuples
}

func (s *stream) newGatherer(by []syntax.Expr, numbers map[*view]int) (consumer, error) {
	x := s.x
	g := &gatherer{s: s, numbers: numbers, actor: &actorKey{}, account: account{budget: x.Budget, purpose: "events by user"}}
	for _, e := range by {
		in, err := x.newInput(e)
		if err != nil {
			return nil, err
		}
		k := x.newKeyColumn(in)
		k.ids.intern(event.Null)
		g.actor.columns = append(g.actor.columns, k)
		g.actor.ids = k.ids
	}
	for i, e := range s.columns {
		in, err := x.newInput(e)
		if err != nil {
			return nil, err
		}
		k := x.newKeyColumn(in)
		k.ids.exact = s.isExact(i)
		k.ids.intern(event.Null)
		g.columns = append(g.columns, k)
		g.ids = append(g.ids, k.ids)
	}
	g.keys = make([][]uint32, len(s.columns))
	g.buffer = make([]uint16, 0, segment.BlockRows+1)
	return g, nil
}

func (g *gatherer) whole(*view, *bound) (bool, error) { return false, nil }

func (g *gatherer) open(v *view) error {
	g.view = v
	for _, k := range g.actor.columns {
		if err := k.open(v); err != nil {
			return err
		}
	}
	for _, k := range g.columns {
		if err := k.open(v); err != nil {
			return err
		}
	}
	g.tests = g.tests[:0]
	for _, c := range g.s.selectors {
		b, err := g.s.x.bind(c, v)
		if err != nil {
			return err
		}
		g.tests = append(g.tests, newBlockFilter(g.s.x, v, b.resolve(), &g.scratch))
	}
	return nil
}

func (g *gatherer) take(b *batch) error {
	words := g.s.words()
	size := b.view.reader.BlockRows()
	g.masks = zeroedWords(g.masks, size*words)
	for i, f := range g.tests {
		rows, err := f.apply(f.bound, b.block, b.sel, g.buffer[:0])
		if err != nil {
			return err
		}
		for _, row := range rows {
			g.masks[int(row)*words+i/64] |= 1 << (i % 64)
		}
	}
	actors, err := g.actorIDs(b)
	if err != nil {
		return err
	}
	// Rows of nobody are dropped afterwards: columns are read for whole batches.
	from := len(g.times)
	vector, err := b.view.reader.Time().Block(b.block)
	if err != nil {
		return err
	}
	g.times = vector.Ints(growing(g.times, b.n), b.sel)
	g.actors = append(growing(g.actors, b.n), actors...)
	g.class, g.refs = growing(g.class, b.n), growing(g.refs, b.n)
	first, _ := b.view.reader.BlockRange(b.block)
	number := g.numbers[b.view]
	for i := range b.n {
		row := b.row(i)
		g.class = append(g.class, g.s.classes.class(g.masks[row*words:(row+1)*words]))
		g.refs = append(g.refs, newRef(number, first+row))
	}
	for k, column := range g.columns {
		gids, err := column.gids(b)
		if err != nil {
			return err
		}
		g.keys[k] = append(growing(g.keys[k], b.n), gids...)
	}
	g.compact(from)
	g.account.add((28 + 4*len(g.columns)) * (len(g.times) - from))
	return nil
}

// compact drops the events of nobody, and those of no class that are not wanted, from one on.
func (g *gatherer) compact(from int) {
	kept := from
	for i := from; i < len(g.times); i++ {
		if g.actors[i] == 0 || g.class[i] == 0 && !g.s.whole {
			continue
		}
		g.actors[kept], g.times[kept], g.class[kept], g.refs[kept] = g.actors[i], g.times[i], g.class[i], g.refs[i]
		for k := range g.keys {
			g.keys[k][kept] = g.keys[k][i]
		}
		kept++
	}
	g.actors, g.times, g.class, g.refs = g.actors[:kept], g.times[:kept], g.class[:kept], g.refs[:kept]
	for k := range g.keys {
		g.keys[k] = g.keys[k][:kept]
	}
}

// actorIDs returns the number of what stands for the user in every row, 0 where nothing does. The slice is
// valid until the next call.
func (g *gatherer) actorIDs(b *batch) ([]uint32, error) {
	first, err := g.actor.columns[0].gids(b)
	if err != nil || len(g.actor.columns) == 1 {
		return first, err
	}
	parts := [][]uint32{first}
	for _, k := range g.actor.columns[1:] {
		ids, err := k.gids(b)
		if err != nil {
			return nil, err
		}
		parts = append(parts, ids)
	}
	a := g.actor
	if a.pairs == nil {
		a.pairs, a.tuples = map[string]uint32{}, []event.Value{event.Null}
	}
	out := make([]uint32, b.n)
	key := make([]byte, 0, 4*len(parts))
	for i := range out {
		key = key[:0]
		nobody := false
		for _, ids := range parts {
			nobody = nobody || ids[i] == 0
			key = append(key, byte(ids[i]), byte(ids[i]>>8), byte(ids[i]>>16), byte(ids[i]>>24))
		}
		if nobody {
			continue
		}
		n, ok := a.pairs[string(key)]
		if !ok {
			n = uint32(len(a.tuples))
			a.pairs[string(key)] = n
			a.tuples = append(a.tuples, tupleOf(len(parts), func(k int) event.Value { return a.columns[k].ids.values[parts[k][i]] }))
		}
		out[i] = n
	}
	return out, nil
}

// join adds the events of another gatherer.
func (g *gatherer) join(o *gatherer) {
	if len(o.times) == 0 {
		return
	}
	actors := make([]uint32, len(o.actor.values()))
	if len(g.actor.columns) == 1 {
		for i, v := range o.actor.values() {
			actors[i] = g.actor.ids.intern(v)
		}
	} else {
		have := map[event.Value]uint32{}
		if g.actor.tuples == nil {
			g.actor.tuples = []event.Value{event.Null}
		}
		for i, v := range g.actor.tuples {
			have[v] = uint32(i)
		}
		for i, v := range o.actor.tuples {
			n, ok := have[v]
			if !ok {
				n = uint32(len(g.actor.tuples))
				g.actor.tuples = append(g.actor.tuples, v)
			}
			actors[i] = n
		}
	}
	for _, a := range o.actors {
		g.actors = append(g.actors, actors[a])
	}
	g.times, g.class, g.refs = append(g.times, o.times...), append(g.class, o.class...), append(g.refs, o.refs...)
	for k := range g.keys {
		to := make([]uint32, len(o.ids[k].values))
		for i, v := range o.ids[k].values {
			to[i] = g.ids[k].intern(v)
		}
		for _, gid := range o.keys[k] {
			g.keys[k] = append(g.keys[k], to[gid])
		}
	}
}
