package exec

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// feed is where a behavioural stage gets its streams from: stored events, or the rows of a table.
type feed interface {
	// run hands the users of a stream to consumers made by newConsumer, one a worker.
	run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error)
	// users returns who the users of a stream are, by their numbers.
	users(w []*streamWorker, ids []uint32) ([]event.Value, error)
	// lookup returns the value of an expression, as written, in the events of refs; absent for noRef.
	lookup(ctx context.Context, w []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error)
	// bounds is the range of the query; events outside of it may be in the stream.
	bounds() event.TimeRange
	// extent returns times of the range between which all its events lie, as far as it has no bounds; none
	// if it has no events.
	extent(ctx context.Context) ([]int64, error)
	// has reports whether a stage before made a column of that name.
	has(column string) bool
}

// streamSpec says what a stage wants of a stream.
type streamSpec struct {
	rng       event.TimeRange // which events
	selectors []stepSelector
	columns   []syntax.Expr // as written
	exact     []bool        // by column: whether 1 and 1.0 are two values
	whole     bool          // events that match no selector too
	refs      bool
	by        []syntax.Expr // what stands for the user; nil: the user
	// only, if not nil, are the users wanted, where they are known by dense id; others may come too.
	only *idSet
	// reads are expressions of stored columns that the consumer reads by itself.
	reads []syntax.Expr
}

// stepSelector is a selector of a step: with first, of the user's first events alone.
type stepSelector struct {
	first    syntax.First
	selector *syntax.Selector
}

// selector returns the number of a selector, adding it when it is new.
func (s *streamSpec) selector(first syntax.First, sel *syntax.Selector) int {
	for i, have := range s.selectors {
		if have.first == first && syntax.Equal(have.selector, sel) {
			return i
		}
	}
	s.selectors = append(s.selectors, stepSelector{first, sel})
	return len(s.selectors) - 1
}

// column returns the number of a column, adding it when it is new.
func (s *streamSpec) column(e syntax.Expr) int { return s.addColumn(e, false) }

// exactColumn is column for values to calculate with, which are as they are stored: of grouped ones, 1 and
// 1.0 are one.
func (s *streamSpec) exactColumn(e syntax.Expr) int { return s.addColumn(e, true) }

func (s *streamSpec) addColumn(e syntax.Expr, exact bool) int {
	for i, have := range s.columns {
		if s.exact[i] == exact && syntax.Equal(have, e) {
			return i
		}
	}
	s.columns, s.exact = append(s.columns, e), append(s.exact, exact)
	return len(s.columns) - 1
}

// storedFeed feeds stored events.
type storedFeed struct {
	x      *Execution
	plan   *plan.Pipeline
	filter *condition
}

func (f *storedFeed) bounds() event.TimeRange { return f.x.Range }

func (f *storedFeed) has(column string) bool {
	return slices.ContainsFunc(f.plan.Row.Made(), func(n syntax.Named) bool { return n.Name == column })
}

// condition compiles a selector of a step.
func (f *storedFeed) condition(ctx context.Context, s stepSelector) (*condition, error) {
	e := plan.StepSelector(s.selector, f.plan.Row)
	if s.first != syntax.FirstNone {
		first := &syntax.FirstTime{Pos: s.selector.Pos, Selector: syntax.FirstSelector(s.first, s.selector)}
		e = plan.And(e, &syntax.Binary{Pos: s.selector.Pos, Op: syntax.OpEq, X: &syntax.Column{Name: syntax.ColumnTime}, Y: first})
	}
	if e == nil {
		return nil, nil
	}
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	return f.x.compile(e)
}

func (f *storedFeed) run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	s := &stream{x: f.x, rng: spec.rng, filter: f.filter, whole: spec.whole, refs: spec.refs, exact: spec.exact, only: spec.only}
	for _, sel := range spec.selectors {
		c, err := f.condition(ctx, sel)
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = always
		}
		s.selectors = append(s.selectors, c)
	}
	for _, e := range spec.columns {
		if e != eventName {
			e = f.plan.Row.Resolve(e)
		}
		if err := f.x.learn(ctx, e); err != nil {
			return nil, err
		}
		s.columns = append(s.columns, e)
	}
	f.x.readRange = spec.rng
	f.x.columns = f.columns(s, spec.reads)
	if f.x.byID() && spec.by == nil {
		return s.run(ctx, newConsumer)
	}
	by := []syntax.Expr{f.x.actorColumn()}
	if spec.by != nil {
		by = nil
		for _, e := range spec.by {
			by = append(by, f.plan.Row.Resolve(e))
		}
	}
	return s.runSorted(ctx, by, newConsumer)
}

// always is a condition that every event fulfils.
var always = &condition{op: conditionAnd}

// columns are the stored columns that a stream reads.
func (f *storedFeed) columns(s *stream, reads []syntax.Expr) []columnRef {
	list := []columnRef{{source: sourceEvent}, {source: sourceTime}}
	add := func(refs []columnRef) {
		for _, ref := range refs {
			if !slices.Contains(list, ref) {
				list = append(list, ref)
			}
		}
	}
	var conditions func(c *condition)
	conditions = func(c *condition) {
		if c == nil {
			return
		}
		add(c.refs)
		for _, kid := range c.kids {
			conditions(kid)
		}
	}
	conditions(s.filter)
	for _, c := range s.selectors {
		conditions(c)
	}
	for _, e := range slices.Concat(s.columns, reads) {
		add(f.x.refs(e))
	}
	return slices.DeleteFunc(list, func(ref columnRef) bool { return ref.source == sourceMade })
}

func (f *storedFeed) users(workers []*streamWorker, ids []uint32) ([]event.Value, error) {
	if len(workers) > 0 && workers[0].actors != nil {
		return actorsOf(workers[0], ids), nil
	}
	if err := f.x.names.fetch(f.x, ids); err != nil {
		return nil, err
	}
	out := make([]event.Value, len(ids))
	for i, id := range ids {
		out[i] = f.x.names.value(id)
	}
	return out, nil
}

func actorsOf(w *streamWorker, ids []uint32) []event.Value {
	out := make([]event.Value, len(ids))
	for i, id := range ids {
		out[i] = w.actors[id]
	}
	return out
}

// tableFeed feeds the rows of a table, which are events.
type tableFeed struct {
	x *Execution
	t *table
}

func (f *tableFeed) bounds() event.TimeRange { return f.t.rng }

func (f *tableFeed) has(column string) bool { return f.t.index(column) >= 0 }

// test compiles a selector of a step.
func (f *tableFeed) test(ctx context.Context, s stepSelector) (func(r *row) bool, error) {
	var terms []func(r *row) bool
	for _, t := range s.selector.Terms {
		passes := func(*row) bool { return true }
		if t.Cond != nil {
			if err := f.x.learn(ctx, t.Cond); err != nil {
				return nil, err
			}
			var err error
			if passes, err = f.x.test(f.t, t.Cond); err != nil {
				return nil, err
			}
		}
		terms = append(terms, func(r *row) bool { return (t.Any || r.event.Name == t.Name) && passes(r) })
	}
	matches := func(r *row) bool {
		return slices.ContainsFunc(terms, func(term func(r *row) bool) bool { return term(r) })
	}
	if s.first == syntax.FirstNone {
		return matches, nil
	}
	first := &syntax.FirstTime{Pos: s.selector.Pos, Selector: syntax.FirstSelector(s.first, s.selector)}
	if err := f.x.learn(ctx, first); err != nil {
		return nil, err
	}
	at, err := f.x.value(f.t, first)
	return func(r *row) bool { return matches(r) && at(r) == event.Time(r.event.Time) }, err
}

func (f *tableFeed) run(ctx context.Context, spec *streamSpec, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	x, t := f.x, f.t
	s := &stream{x: x, columns: spec.columns, refs: spec.refs, exact: spec.exact, table: t}
	var tests []func(r *row) bool
	for _, sel := range spec.selectors {
		test, err := f.test(ctx, sel)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
		s.selectors = append(s.selectors, always)
	}
	if err := x.learn(ctx, spec.columns...); err != nil {
		return nil, err
	}
	columns, err := x.exprs(t, spec.columns)
	if err != nil {
		return nil, err
	}
	for i, e := range spec.columns {
		if e == eventName {
			columns[i] = func(r *row) event.Value { return event.String(r.event.Name) }
		}
	}
	user := x.user(t)
	if spec.by != nil {
		if user, err = f.tuple(ctx, spec.by); err != nil {
			return nil, err
		}
	}
	s.classes.class(make([]uint64, s.words()))
	w, err := s.newWorker(ctx)
	if err != nil {
		return nil, err
	}
	if w.consumer, err = newConsumer(w); err != nil {
		return nil, err
	}
	actors := newInterner(x.Budget, "users")
	g := &gathered{chunk: chunk{keys: make([][]uint32, len(columns))}}
	set := make([]uint64, s.words())
	for i := range t.rows {
		if err := interrupted(ctx, i); err != nil {
			return nil, err
		}
		r := &t.rows[i]
		who := user(r)
		if !who.Exists() || !spec.rng.Contains(r.event.Time) && (r.event.Time < spec.rng.From || spec.rng.To != noLimit) {
			continue
		}
		clear(set)
		for j, test := range tests {
			if test(r) {
				set[j/64] |= 1 << (j % 64)
			}
		}
		class := s.classes.class(set)
		if class == 0 && !spec.whole {
			continue
		}
		g.actors = append(g.actors, actors.intern(who))
		g.times = append(g.times, r.event.Time)
		g.class = append(g.class, class)
		g.refs = append(g.refs, newRef(0, i))
		for k, column := range columns {
			g.keys[k] = append(g.keys[k], w.ids[k].intern(column(r)))
		}
	}
	w.actors = actors.values
	x.Budget.Add("events by user", (28+4*len(columns))*len(g.times))
	err = g.handOut(ctx, w, 0, len(actors.values))
	w.close()
	if err != nil {
		return nil, err
	}
	return []*streamWorker{w}, x.Budget.Err()
}

// tuple returns what stands for the user of a row as one value: absent where a part of it is.
func (f *tableFeed) tuple(ctx context.Context, by []syntax.Expr) (func(r *row) event.Value, error) {
	if err := f.x.learn(ctx, by...); err != nil {
		return nil, err
	}
	fs, err := f.x.exprs(f.t, by)
	if err != nil {
		return nil, err
	}
	if len(fs) == 1 {
		return fs[0], nil
	}
	return func(r *row) event.Value { return tupleOf(len(fs), func(i int) event.Value { return fs[i](r) }) }, nil
}

func (f *tableFeed) users(workers []*streamWorker, ids []uint32) ([]event.Value, error) {
	if len(workers) == 0 {
		return nil, nil // nobody was asked for, and there is nobody
	}
	return actorsOf(workers[0], ids), nil
}

// gathered are the events of a stream whose users are not dense, in columns and in any order.
type gathered struct {
	chunk
	actors []uint32
	refs   []eventRef
	starts []uint32 // by actor, once sorted: his events are order[starts[a]:starts[a+1]]
	order  []int32
}

// sort puts the events of each of n actors together.
func (g *gathered) sort(n int) {
	g.starts = make([]uint32, n+1)
	for _, a := range g.actors {
		g.starts[a+1]++
	}
	for i := range n {
		g.starts[i+1] += g.starts[i]
	}
	at := slices.Clone(g.starts)
	g.order = make([]int32, len(g.actors))
	for i, a := range g.actors {
		g.order[at[a]] = int32(i)
		at[a]++
	}
}

// handOut hands the actors [from, to) to a worker's consumer.
func (g *gathered) handOut(ctx context.Context, w *streamWorker, from, to int) error {
	if g.order == nil {
		g.sort(to)
	}
	r := &w.rows
	for a := from; a < to; a++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		order := g.order[g.starts[a]:g.starts[a+1]]
		if len(order) == 0 {
			continue
		}
		sortByTime(order, g.times)
		r.user = uint32(a)
		r.times, r.class, r.refs = r.times[:0], r.class[:0], r.refs[:0]
		for _, i := range order {
			r.times = append(r.times, g.times[i])
			r.class = append(r.class, g.class[i])
			r.refs = append(r.refs, g.refs[i])
		}
		for k := range r.keys {
			r.keys[k] = r.keys[k][:0]
			for _, i := range order {
				r.keys[k] = append(r.keys[k], g.keys[k][i])
			}
		}
		if err := w.arrange(r, nil); err != nil {
			return err
		}
		if err := w.consumer.user(r); err != nil {
			return err
		}
	}
	return nil
}

// sortByTime sorts the numbers of events by their times.
func sortByTime(order []int32, times []int64) {
	sorted := true
	for i := 1; i < len(order); i++ {
		if times[order[i]] < times[order[i-1]] {
			sorted = false
			break
		}
	}
	if sorted {
		return
	}
	type timed struct {
		at int64
		i  int32
	}
	list := make([]timed, len(order))
	for k, i := range order {
		list[k] = timed{times[i], i}
	}
	slices.SortFunc(list, func(a, b timed) int {
		if a.at != b.at {
			if a.at < b.at {
				return -1
			}
			return 1
		}
		return int(a.i - b.i)
	})
	for k := range list {
		order[k] = list[k].i
	}
}

// runSorted is run where something else than the user is to have a stream each: the events are gathered
// and sorted.
func (s *stream) runSorted(ctx context.Context, by []syntax.Expr, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	x := s.x
	scan, err := x.newScan(ctx, s.rng, s.narrowed())
	if err != nil {
		return nil, err
	}
	s.classes.class(make([]uint64, s.words()))
	numbers := map[*view]int{}
	for i, v := range scan.views {
		numbers[v.view] = i
		s.views = append(s.views, &streamSource{view: v.view})
	}
	made, err := scan.run(ctx, func() (consumer, error) { return s.newGatherer(by, numbers) })
	if err != nil {
		return nil, err
	}
	// Numbers of values are put into those of the first.
	first := made[0].(*gatherer)
	for _, c := range made[1:] {
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		first.join(c.(*gatherer))
	}
	g, n := &first.gathered, len(first.actor.values())
	g.sort(n)
	var workers []*streamWorker
	for range max(1, min(x.Workers, len(g.times)/smallRows+1)) {
		w, err := s.newWorker(ctx)
		if err != nil {
			return nil, err
		}
		for k := range w.ids {
			w.ids[k] = first.ids[k]
		}
		w.actors = first.actor.values()
		if w.consumer, err = newConsumer(w); err != nil {
			return nil, err
		}
		workers = append(workers, w)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	from := 0
	for i, w := range workers {
		want := len(g.times) * (i + 1) / len(workers)
		first, to := from, from
		for to < n && (int(g.starts[to]) < want || i == len(workers)-1) {
			to++
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := g.handOut(ctx, w, first, to); err != nil {
				cancel(err)
			}
		}()
		from = to
	}
	wait.Wait()
	for _, w := range workers {
		w.close()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return workers, x.Budget.Err()
}

// narrowed is the filter of the events that are in the stream.
func (s *stream) narrowed() *condition {
	if s.whole || len(s.selectors) == 0 || slices.Contains(s.selectors, always) {
		return s.filter
	}
	any := s.selectors[0]
	for _, c := range s.selectors[1:] {
		any = join(conditionOr, any, c)
	}
	if s.filter == nil {
		return any
	}
	return join(conditionAnd, s.filter, any)
}

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

// lookup reads the value of an expression in stored events; where there is no event it is absent.
func (f *storedFeed) lookup(ctx context.Context, workers []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error) {
	e = f.plan.Row.Resolve(e)
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	in, err := f.x.newInput(e)
	if err != nil {
		return nil, err
	}
	out := make([]event.Value, len(refs))
	order := make([]int, 0, len(refs))
	for i, ref := range refs {
		if ref != noRef {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(refs[a], refs[b]) })
	var views []*streamSource
	if len(workers) > 0 {
		views = workers[0].stream.views
	}
	var sel []uint16
	opened := -1
	for len(order) > 0 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		ref := refs[order[0]]
		v := views[ref.view()].view
		if ref.view() != opened {
			opened = ref.view()
			if err := in.open(v); err != nil {
				return nil, err
			}
		}
		block := ref.row() / v.reader.BlockRows()
		from, to := v.reader.BlockRange(block)
		sel = sel[:0]
		n := 0
		for n < len(order) && refs[order[n]] < newRef(ref.view(), to) {
			if row := uint16(refs[order[n]].row() - from); len(sel) == 0 || sel[len(sel)-1] != row {
				sel = append(sel, row)
			}
			n++
		}
		values, err := in.each(&batch{view: v, block: block, n: len(sel), sel: sel})
		if err != nil {
			return nil, err
		}
		at := 0
		for _, i := range order[:n] {
			for sel[at] != uint16(refs[i].row()-from) {
				at++
			}
			out[i] = values[at]
		}
		order = order[n:]
	}
	return out, nil
}

func (f *tableFeed) lookup(ctx context.Context, _ []*streamWorker, refs []eventRef, e syntax.Expr) ([]event.Value, error) {
	if err := f.x.learn(ctx, e); err != nil {
		return nil, err
	}
	get, err := f.x.value(f.t, e)
	if err != nil {
		return nil, err
	}
	out := make([]event.Value, len(refs))
	for i, ref := range refs {
		if ref != noRef {
			out[i] = get(&f.t.rows[ref.row()])
		}
	}
	return out, nil
}
