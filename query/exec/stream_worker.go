package exec

import (
	"context"
	"math"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/index"
)

// streamWorker reads ranges of users, chunk by chunk: for each chunk the rows of every segment are
// gathered into columns, and then handed out by user. It is used by one goroutine.
type streamWorker struct {
	*stream
	consumer streamConsumer
	quick    pieceConsumer // the consumer, if it is one
	ahead    earlyConsumer // the same
	done     []bool        // by user of the chunk: whether later events are not needed; nil: all are
	first    uint32        // user of the chunk
	chunked  chunkConsumer // likewise
	cursors  []*streamCursor
	ids      []*interner   // by column: the values behind the numbers; 0 is no value
	actors   []event.Value // where users are not dense: who they are by number
	scratch  *scratch
	account  account
	// interrupt returns why the query is to end, nil as long as it is not.
	interrupt func() error
	held      int    // bytes accounted for
	end       uint32 // the user behind the last range

	zeros   int // so many elements of the chunk's class, which begins at zerosOf, are 0 for good
	zerosOf *uint32

	*streamBuffers
	rows  userRows
	order []int32
}

// streamBuffers are what a worker needs to read; they are kept for the next query.
type streamBuffers struct {
	chunk  chunk
	pieces []piece
	sorted []piece
	ends   []uint32 // by user of the chunk: where his pieces end

	finished []bool // serves done

	chosen, buffer []uint16 // with room for a block
	codes          []uint32
}

var streamPool = sync.Pool{New: func() any {
	return &streamBuffers{chosen: make([]uint16, segment.BlockRows+1), buffer: make([]uint16, 0, segment.BlockRows+1)}
}}

// streamKept is the size of a chunk, in rows, up to which its buffers are kept.
const streamKept = 8 * chunkRows

// chunk holds the gathered rows of some users in columns, segment by segment.
type chunk struct {
	times []int64
	class []uint32
	rows  []uint32 // in their segment
	keys  [][]uint32
	parts []chunkPart // by segment
}

// chunkPart is the part of a chunk that one segment gave: it ends where the next begins.
type chunkPart struct {
	from uint32
	row  uint32 // as that of a piece
}

// piece is the part of a chunk that holds the events of one user in one segment.
type piece struct {
	user     uint32
	view     uint32
	from, to uint32
	row      uint32 // the first, if the rows follow upon each other and are not listed in the chunk; else noRow
}

const noRow = math.MaxUint32

// chunkRows is about how many rows a chunk has: few enough for the columns to stay in the processor's
// cache.
const chunkRows = 1 << 15

func (s *stream) newWorker(ctx context.Context) (*streamWorker, error) {
	w := &streamWorker{
		stream: s, scratch: scratchPool.Get().(*scratch), account: account{budget: s.x.Budget, purpose: "events by user"},
		streamBuffers: streamPool.Get().(*streamBuffers),
	}
	w.interrupt = func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.x.Budget.Err()
	}
	for i := range s.columns {
		ids := newInterner(s.x.Budget, "values")
		ids.exact = s.isExact(i)
		ids.intern(event.Null)
		w.ids = append(w.ids, ids)
	}
	for len(w.chunk.keys) < len(s.columns) {
		w.chunk.keys = append(w.chunk.keys, nil)
	}
	w.chunk.keys = w.chunk.keys[:len(s.columns)]
	w.rows.keys = make([][]uint32, len(s.columns))
	w.cursors = make([]*streamCursor, len(s.views))
	return w, nil
}

// values returns the values behind the numbers of a column.
func (w *streamWorker) values(column int) []event.Value { return w.ids[column].values }

func (w *streamWorker) close() {
	for _, c := range w.cursors {
		if c != nil {
			c.close()
		}
	}
	scratchPool.Put(w.scratch)
	w.scratch = nil
	if cap(w.chunk.times) <= streamKept {
		streamPool.Put(w.streamBuffers)
	}
	w.streamBuffers = nil
}

// rewind goes back to the first user.
func (w *streamWorker) rewind() {
	for i, c := range w.cursors {
		if c != nil {
			c.close()
			w.cursors[i] = nil
		}
	}
}

// cursor returns the worker's place in a segment.
func (w *streamWorker) cursor(i int) (*streamCursor, error) {
	if w.cursors[i] == nil {
		c, err := newStreamCursor(w, w.stream.views[i])
		if err != nil {
			return nil, err
		}
		w.cursors[i] = c
	}
	return w.cursors[i], nil
}

// users hands out the users of a range.
func (w *streamWorker) users(ctx context.Context, from, to uint32) error {
	if from < w.end {
		w.rewind()
	}
	w.end = to
	for i := range w.stream.views {
		c, err := w.cursor(i)
		if err != nil {
			return err
		}
		c.seek(from)
	}
	width := max(1, (to-from)/64)
	for from < to {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.x.Budget.Err(); err != nil {
			return err
		}
		end := from + min(width, to-from)
		rows := w.rowsUpTo(end)
		for rows > 2*chunkRows && end-from > 1 {
			end = from + (end-from)/2
			rows = w.rowsUpTo(end)
		}
		width = end - from
		if err := w.readChunk(ctx, from, end); err != nil {
			return err
		}
		from = end
		if rows < chunkRows/2 && width < 1<<20 {
			width *= 2
		}
	}
	return nil
}

// rowsUpTo counts the rows of the users from where the cursors are up to one, exclusive.
func (w *streamWorker) rowsUpTo(user uint32) int {
	n := 0
	for _, c := range w.cursors {
		n += int(c.source.starts[c.search(user)] - c.source.starts[c.next])
	}
	return n
}

// readChunk gathers the rows of the users [from, to) and hands them out.
func (w *streamWorker) readChunk(ctx context.Context, from, to uint32) error {
	c := &w.chunk
	c.times, c.class, c.rows = c.times[:0], c.class[:0], c.rows[:0]
	for i := range c.keys {
		c.keys[i] = c.keys[i][:0]
	}
	w.pieces, c.parts = w.pieces[:0], c.parts[:0]
	w.first, w.done = from, nil
	if w.ahead != nil && w.ahead.early(from, to) {
		w.done = resizedBools(w.finished, int(to-from))
		w.finished = w.done
	}
	for i, cursor := range w.cursors {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		before := len(w.pieces)
		c.parts = append(c.parts, chunkPart{uint32(len(c.times)), noRow})
		if err := cursor.gather(i, to); err != nil {
			return err
		}
		if w.done != nil {
			w.ahead.advance(c, w.pieces[before:], w.done)
		}
	}
	size := 8*cap(c.times) + 4*cap(c.class) + 4*cap(c.rows) + 16*cap(w.pieces)
	for _, k := range c.keys {
		size += 4 * cap(k)
	}
	w.account.add(size - w.held)
	w.held = size
	return w.handOut(ctx, from, to)
}

// handOut sorts the pieces by user, keeping segments in order, and calls the consumer for each user.
func (w *streamWorker) handOut(ctx context.Context, from, to uint32) error {
	c, n := &w.chunk, int(to-from)
	if cap(w.ends) < n+1 {
		w.ends = make([]uint32, n+1)
	}
	ends := w.ends[:n+1]
	clear(ends)
	for i := range w.pieces {
		ends[w.pieces[i].user-from+1]++
	}
	for i := 1; i <= n; i++ {
		ends[i] += ends[i-1]
	}
	sorted := growing(w.sorted[:0], len(w.pieces))[:len(w.pieces)]
	w.sorted = sorted
	for _, p := range w.pieces {
		at := &ends[p.user-from]
		sorted[*at] = p
		*at++
	}
	start := uint32(0)
	for i := range n {
		if ends[i] == start {
			continue
		}
		if i%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.handUser(sorted[start:ends[i]]); err != nil {
			return err
		}
		start = ends[i]
	}
	if w.chunked != nil {
		return w.chunked.endChunk(c)
	}
	return nil
}

// handUser calls the consumer for the user of some pieces.
func (w *streamWorker) handUser(pieces []piece) error {
	r, c := &w.rows, &w.chunk
	if w.quick != nil {
		if done, err := w.quick.pieces(c, pieces); done || err != nil {
			return err
		}
	}
	r.user = pieces[0].user
	if len(pieces) == 1 {
		p := pieces[0]
		r.times, r.class = c.times[p.from:p.to:p.to], c.class[p.from:p.to:p.to]
		for k := range c.keys {
			r.keys[k] = c.keys[k][p.from:p.to:p.to]
		}
	} else {
		// The space behind the gathered rows serves to join the pieces.
		n := len(c.times)
		for _, p := range pieces {
			c.times = append(c.times, c.times[p.from:p.to]...)
			c.class = append(c.class, c.class[p.from:p.to]...)
		}
		r.times, r.class = c.times[n:len(c.times):len(c.times)], c.class[n:len(c.class):len(c.class)]
		c.times, c.class = c.times[:n], c.class[:n]
		for k := range c.keys {
			for _, p := range pieces {
				c.keys[k] = append(c.keys[k], c.keys[k][p.from:p.to]...)
			}
			r.keys[k] = c.keys[k][n:len(c.keys[k]):len(c.keys[k])]
			c.keys[k] = c.keys[k][:n]
		}
	}
	r.refs = r.refs[:0]
	if w.stream.refs {
		for _, p := range pieces {
			for i := p.from; i < p.to; i++ {
				r.refs = append(r.refs, newRef(int(p.view), int(c.row(p, i))))
			}
		}
	}
	if err := w.arrange(r, pieces); err != nil {
		return err
	}
	return w.consumer.user(r)
}

// arrange puts the events of a user into order where they are not: pieces that overlap, and simultaneous
// events that differ.
func (w *streamWorker) arrange(r *userRows, pieces []piece) error {
	sorted, ties := true, false
	for i := 1; i < len(r.times); i++ {
		if r.times[i] <= r.times[i-1] {
			if r.times[i] < r.times[i-1] {
				sorted = false
				break
			}
			ties = ties || w.stream.refs || r.differ(i-1, i)
		}
	}
	if sorted && !ties {
		return nil
	}
	order := w.order[:0]
	for i := range r.times {
		order = append(order, int32(i))
	}
	w.order = order
	if !sorted {
		slices.SortStableFunc(order, func(a, b int32) int { return compareInts(r.times[a], r.times[b]) })
	}
	for from := 0; from < len(order); {
		to := from + 1
		differ := w.stream.refs
		for to < len(order) && r.times[order[to]] == r.times[order[from]] {
			differ = differ || r.differ(int(order[to-1]), int(order[to]))
			to++
		}
		if to-from > 1 && differ {
			if err := w.arrangeTie(order[from:to], pieces); err != nil {
				return err
			}
		}
		from = to
	}
	r.permute(order)
	return nil
}

// differ reports whether a consumer can tell two simultaneous events apart.
func (r *userRows) differ(i, j int) bool {
	if r.class[i] != r.class[j] {
		return true
	}
	for _, k := range r.keys {
		if k[i] != k[j] {
			return true
		}
	}
	return false
}

// permute puts the events into an order.
func (r *userRows) permute(order []int32) {
	r.times = permuted(r.times, order)
	r.class = permuted(r.class, order)
	for k := range r.keys {
		r.keys[k] = permuted(r.keys[k], order)
	}
	if len(r.refs) > 0 {
		r.refs = permuted(r.refs, order)
	}
}

func permuted[T any](list []T, order []int32) []T {
	out := make([]T, len(list))
	for i, at := range order {
		out[i] = list[at]
	}
	return out
}

// arrangeTie puts simultaneous events into the order of events, for which they are read whole.
func (w *streamWorker) arrangeTie(order []int32, pieces []piece) error {
	type member struct {
		at    int32
		event *storedEvent
	}
	members := make([]member, len(order))
	for i, at := range order {
		e, err := w.event(w.refOf(int(at), pieces))
		if err != nil {
			return err
		}
		members[i] = member{at, e}
	}
	slices.SortStableFunc(members, func(a, b member) int { return compareEvents(a.event, b.event) })
	for i, m := range members {
		order[i] = m.at
	}
	return nil
}

// event reads an event whole.
func (w *streamWorker) event(ref eventRef) (*storedEvent, error) {
	if t := w.stream.table; t != nil {
		return t.rows[ref.row()].event, nil
	}
	stored, err := w.stream.views[ref.view()].reader.Rows([]uint32{uint32(ref.row())})
	if err != nil {
		return nil, err
	}
	rows, err := w.x.appendRows(nil, stored)
	if err != nil {
		return nil, err
	}
	return rows[0].event, nil
}

// refOf returns the ref of the i-th event of the pieces of a user.
func (w *streamWorker) refOf(i int, pieces []piece) eventRef {
	if pieces == nil {
		return w.rows.refs[i]
	}
	for _, p := range pieces {
		if n := int(p.to - p.from); i >= n {
			i -= n
			continue
		}
		return newRef(int(p.view), int(w.chunk.row(p, p.from+uint32(i))))
	}
	return 0
}

// streamCursor is a worker's place in a segment: its users in ascending order, and the rows of the block
// at hand that pass the filter.
type streamCursor struct {
	w      *streamWorker
	source *streamSource
	filter *blockFilter
	none   bool       // no row passes
	set    index.Rows // the rows that pass, if it is as simple as that
	next   int        // the next run of a user

	byCode []uint32   // classes by code of the event's name, if names are all that selectors test
	wanted [256]uint8 // by code: 1 if it has a class, as far as codes are of a byte
	tests  []*blockFilter
	keys   []*keyColumn

	times      *segment.Vector // of timesBlock, for gatherStretch
	timesBlock int

	block   int // -1: none yet
	all     bool
	sel     []uint16
	part    []uint16 // serves sel where it holds just the rows asked for
	ranged  bool     // it does
	classes []uint32 // by row of the block, where byCode is nil
	masks   []uint64
}

func newStreamCursor(w *streamWorker, source *streamSource) (*streamCursor, error) {
	c := &streamCursor{w: w, source: source, block: -1}
	x := w.x
	b, err := x.bindRange(w.stream.filter, source.view, w.stream.rng)
	if err != nil {
		return nil, err
	}
	if err := c.bindSelectors(&b); err != nil {
		return nil, err
	}
	b = b.resolve()
	c.none = b.nothing()
	if b.op == boundRows {
		c.set = b.set
	}
	c.filter = newBlockFilter(x, source.view, b, w.scratch)
	for i, e := range w.stream.columns {
		in, err := x.newInput(e)
		if err != nil {
			return nil, err
		}
		k := &keyColumn{input: in, ids: w.ids[i]}
		if err := k.open(source.view); err != nil {
			return nil, err
		}
		c.keys = append(c.keys, k)
	}
	return c, nil
}

// bindSelectors finds out how the classes of rows are told. Where no others are wanted, it narrows the
// filter to the rows that have one.
func (c *streamCursor) bindSelectors(filter **bound) error {
	x, s, src := c.w.x, c.w.stream, c.source
	src.once.Do(func() { src.err = s.classify(src) })
	if src.err != nil {
		return src.err
	}
	if src.byName {
		c.byCode = src.byCode
		for code, class := range c.byCode {
			if class != 0 && code < len(c.wanted) {
				c.wanted[code] = 1
			}
		}
		if src.rows != nil {
			*filter = both(*filter, src.rows)
		}
		return nil
	}
	var any *bound
	for i, sel := range s.selectors {
		b, err := x.bind(sel, src.view)
		if err != nil {
			return err
		}
		b = b.resolve()
		c.tests = append(c.tests, newBlockFilter(x, src.view, b, c.w.scratch))
		if i == 0 {
			any = b
		} else {
			any = either(any, b)
		}
	}
	if s.whole {
		return nil
	}
	if any == nil {
		any = constantBound(false)
	}
	*filter = both(*filter, any)
	return nil
}

// postingsMin is the size of a segment up to which names are looked at row by row, rather than in postings.
const postingsMin = 1 << 13

// classify finds the classes of a segment's events, if their names tell, and then the rows that have one.
func (s *stream) classify(src *streamSource) error {
	x, v := s.x, src.view
	if x.Knobs.NoDictEval {
		return nil
	}
	codes := len(v.info.Events)
	sets := make([]uint64, codes*s.words())
	for i, sel := range s.selectors {
		table, ok, err := x.nameTable(sel, v)
		if err != nil || !ok {
			return err
		}
		for code := range table {
			if table[code] {
				sets[code*s.words()+i/64] |= 1 << (i % 64)
			}
		}
	}
	src.byName = true
	src.byCode = make([]uint32, codes)
	rows := 0
	for code := range src.byCode {
		if src.byCode[code] = s.classes.class(sets[code*s.words() : (code+1)*s.words()]); src.byCode[code] != 0 {
			rows += v.info.Events[code].Rows
		}
	}
	if s.whole || rows == v.info.Rows {
		return nil
	}
	if rows == 0 {
		src.rows = constantBound(false)
	}
	if x.Knobs.NoIndex || v.info.Rows < postingsMin {
		return nil
	}
	var some []index.Rows
	for code, class := range src.byCode {
		if class == 0 {
			continue
		}
		set, ok, err := v.reader.Event().Postings(uint32(code))
		if err != nil || !ok {
			return err
		}
		some = append(some, index.Of(set))
	}
	src.rows = &bound{set: index.Union(some, v.info.Rows)}
	return nil
}

// either and both join two resolved conditions of a segment.
func either(a, b *bound) *bound {
	if a.op == boundRows && b.op == boundRows {
		return &bound{set: a.set.Or(b.set)}
	}
	return &bound{op: boundOr, kids: []*bound{a, b}}
}

func both(a, b *bound) *bound {
	a, b = a.resolve(), b.resolve()
	switch {
	case a.full() || b.nothing():
		return b
	case b.full() || a.nothing():
		return a
	}
	if a.op != boundRows && b.op == boundRows {
		a, b = b, a
	}
	return &bound{op: boundAnd, set: a.first(), kids: []*bound{a, b}}
}

// nameTable evaluates a condition that looks at nothing but the event's name, by code; ok is false if it
// looks at more.
func (x *Execution) nameTable(c *condition, v *view) (table []bool, ok bool, err error) {
	n := len(v.info.Events)
	if c == nil || c == always {
		return fullTable(n), true, nil
	}
	switch c.op {
	case conditionLeaf:
		if len(c.refs) != 1 || c.refs[0].source != sourceEvent {
			return nil, false, nil
		}
		for _, l := range c.program.leaves {
			if l.perUser != nil {
				return nil, false, nil
			}
		}
		table = make([]bool, n)
		one := &codeRow{p: c.program}
		for code := range table {
			one.value = event.String(v.info.Events[code].Name)
			table[code] = c.program.test(one)
		}
		return table, true, nil
	case conditionNot:
		if table, ok, err = x.nameTable(c.kids[0], v); ok {
			for i := range table {
				table[i] = !table[i]
			}
		}
		return table, ok, err
	}
	for i, kid := range c.kids {
		t, ok, err := x.nameTable(kid, v)
		if !ok || err != nil {
			return nil, false, err
		}
		if i == 0 {
			table = t
			continue
		}
		for j := range table {
			if c.op == conditionAnd {
				table[j] = table[j] && t[j]
			} else {
				table[j] = table[j] || t[j]
			}
		}
	}
	return table, true, nil
}

func fullTable(n int) []bool {
	table := make([]bool, n)
	for i := range table {
		table[i] = true
	}
	return table
}

func (c *streamCursor) close() { c.filter.close() }

// seek moves to the first user at or after one; users only ever ascend.
func (c *streamCursor) seek(user uint32) { c.next = c.search(user) }

// search finds the first run at or after a user, not before the cursor.
func (c *streamCursor) search(user uint32) int {
	users := c.source.users[c.next:]
	step := 1
	for step < len(users) && users[step] < user {
		step *= 2
	}
	low := step / 2
	i, _ := slices.BinarySearch(users[low:min(step+1, len(users))], user)
	return c.next + low + i
}

// gather appends the rows of the users up to one, exclusive, to the worker's chunk, with the pieces.
func (c *streamCursor) gather(view int, to uint32) error {
	first, last := c.next, c.search(to)
	c.next = last
	if c.none || first == last {
		return nil
	}
	if c.everyRow() {
		return c.gatherPlain(view, first, last)
	}
	starts := c.source.starts
	size := c.source.reader.BlockRows()
	run := first
	for row := int(starts[first]); row < int(starts[last]); {
		b := row / size
		stop := min(int(starts[last]), (b+1)*size)
		for int(starts[run+1]) <= row {
			run++
		}
		if err := c.turnTo(b, row, stop, run); err != nil {
			return err
		}
		if err := c.gatherBlock(view, b, row, stop, run); err != nil {
			return err
		}
		row = stop
	}
	return nil
}

// gatherBlock appends the rows [row, stop) of the block at hand that are wanted. The first of them belongs to
// a run of a user.
func (c *streamCursor) gatherBlock(view, b, row, stop, run int) error {
	out := &c.w.chunk
	reader := c.source.reader
	first := b * reader.BlockRows()
	chosen, err := c.choose(view, b, row-first, stop-first, run)
	if err != nil || len(chosen) == 0 {
		return err
	}
	times, err := reader.Time().Block(b)
	if err != nil {
		return err
	}
	out.times = times.Ints(growing(out.times, len(chosen)), chosen)
	n := len(out.rows)
	out.rows = growing(out.rows, len(chosen))[:n+len(chosen)]
	for i, row := range chosen {
		out.rows[n+i] = uint32(first) + uint32(row)
	}
	if len(c.keys) == 0 {
		return nil
	}
	part := batch{view: c.source.view, block: b, n: len(chosen), sel: chosen}
	for i, k := range c.keys {
		gids, err := k.gids(&part)
		if err != nil {
			return err
		}
		out.keys[i] = append(growing(out.keys[i], len(gids)), gids...)
	}
	return nil
}

// addPiece notes that rows of a user were appended to the chunk, behind those of the pieces before.
func (c *streamCursor) addPiece(view int, user uint32, from, to int) {
	w := c.w
	if n := len(w.pieces); n > 0 {
		if p := &w.pieces[n-1]; p.user == user && int(p.view) == view && int(p.to) == from {
			p.to = uint32(to)
			return
		}
	}
	w.pieces = append(w.pieces, piece{user, uint32(view), uint32(from), uint32(to), noRow})
}

// growing makes room for n more elements, in steps that double.
func growing[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return slices.Grow(s, max(n, cap(s)))
}

// turnTo makes a block the one at hand, of which the rows [from, to) are wanted, the first of a run of a user.
func (c *streamCursor) turnTo(b, from, to, run int) error {
	if c.byCode != nil && !c.set.Full() && c.set.Plain() {
		c.ranged = true
		c.sel = c.needed(b*c.source.reader.BlockRows(), from, to, run)
		c.w.x.Read.Rows.Add(int64(len(c.sel)))
		c.countRead(b)
		return nil
	}
	if c.block == b {
		return nil
	}
	c.block = b
	var err error
	if c.sel, c.all, err = c.filter.block(b); err != nil {
		return err
	}
	c.countRead(b)
	if c.byCode == nil && (c.all || len(c.sel) > 0) {
		return c.classify(b)
	}
	return nil
}

// needed returns the rows [from, to) that pass, relative to origin, but for those of users who are done.
func (c *streamCursor) needed(origin, from, to, run int) []uint16 {
	w := c.w
	c.part = c.part[:0]
	if w.done == nil || !c.source.behind {
		c.part = c.set.AppendBetween(c.part, from, to, origin)
		return c.part
	}
	starts, users := c.source.starts, c.source.users
	for row := from; row < to; {
		for row < to && w.done[users[run]-w.first] {
			run++
			row = int(starts[run])
		}
		first := row
		for row < to && !w.done[users[run]-w.first] {
			run++
			row = int(starts[run])
		}
		c.part = c.set.AppendBetween(c.part, first, min(row, to), origin)
	}
	return c.part
}

// countRead counts a block once, whichever worker comes to it first.
func (c *streamCursor) countRead(b int) {
	if !c.all && len(c.sel) == 0 || c.source.touched[b].Swap(true) {
		return
	}
	if !c.ranged {
		n := len(c.sel)
		if c.all {
			n = c.filter.rows(b)
		}
		c.w.x.Read.Rows.Add(int64(n))
	}
	c.w.x.countBytes(task{view: &scanView{view: c.source.view}, from: b, to: b + 1})
}

// classify works out the class of every row of the block.
func (c *streamCursor) classify(b int) error {
	s := c.w.stream
	words, rows := s.words(), c.filter.rows(b)
	c.masks = zeroedWords(c.masks, rows*words)
	var sel []uint16
	if !c.all {
		sel = c.sel
	}
	for i, f := range c.tests {
		matching, err := f.apply(f.bound, b, sel, c.w.buffer[:0])
		if err != nil {
			return err
		}
		for _, row := range matching {
			c.masks[int(row)*words+i/64] |= 1 << (i % 64)
		}
	}
	if cap(c.classes) < rows {
		c.classes = make([]uint32, rows)
	}
	c.classes = c.classes[:rows]
	lastClass := uint32(0)
	var lastMask []uint64
	for row := range rows {
		mask := c.masks[row*words : (row+1)*words]
		if lastMask == nil || !slices.Equal(mask, lastMask) {
			lastMask, lastClass = mask, s.classes.class(mask)
		}
		c.classes[row] = lastClass
	}
	return nil
}

func zeroedWords(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// choose returns the rows [from, to) of the block at hand that are wanted, with their classes and pieces in the
// chunk. The slice is valid until the next call.
func (c *streamCursor) choose(view, b, from, to, run int) ([]uint16, error) {
	out := &c.w.chunk
	out.class = growing(out.class, to-from+1)
	if c.all && c.byCode != nil {
		vector, err := c.source.reader.Event().Block(b)
		if err != nil {
			return nil, err
		}
		if vector.Form == segment.Form8 && vector.Present == nil {
			return c.chooseRuns(view, b, vector.U8, from, to, run), nil
		}
	}
	rows := c.candidates(from, to)
	class := out.class[len(out.class) : len(out.class)+len(rows)+1]
	chosen, kept := c.w.chosen, 0
	whole := c.w.stream.whole
	if c.byCode == nil {
		for _, row := range rows {
			chosen[kept], class[kept] = row, c.classes[row]
			if whole || c.classes[row] != 0 {
				kept++
			}
		}
	} else {
		vector, err := c.source.reader.Event().Block(b)
		if err != nil {
			return nil, err
		}
		if vector.Form == segment.Form8 && vector.Present == nil && !whole && c.source.rows != nil {
			// Every row that passes has a class.
			for i, row := range rows {
				class[i] = c.byCode[vector.U8[row]]
			}
			c.cutIntoPieces(view, b, rows, run)
			out.class = out.class[:len(out.class)+len(rows)]
			return rows, nil
		}
		c.w.codes = vector.Codes(c.w.codes[:0], rows)
		for i, row := range rows {
			n := c.byCode[c.w.codes[i]]
			chosen[kept], class[kept] = row, n
			if whole || n != 0 {
				kept++
			}
		}
	}
	c.cutIntoPieces(view, b, chosen[:kept], run)
	out.class = out.class[:len(out.class)+kept]
	return chosen[:kept], nil
}

// candidates returns the rows [from, to) of the block at hand that pass the filter.
func (c *streamCursor) candidates(from, to int) []uint16 {
	if c.all {
		rows := c.w.buffer[:0]
		for row := from; row < to; row++ {
			rows = append(rows, uint16(row))
		}
		return rows
	}
	if c.ranged {
		return c.sel
	}
	i, _ := slices.BinarySearch(c.sel, uint16(from))
	j := len(c.sel)
	if to < segment.BlockRows {
		j, _ = slices.BinarySearch(c.sel, uint16(to))
	}
	return c.sel[i:j]
}

// cutIntoPieces makes the pieces of rows of a block, the first of which does not lie before a run.
func (c *streamCursor) cutIntoPieces(view, b int, rows []uint16, run int) {
	n := len(c.w.chunk.rows)
	first := uint32(b * c.source.reader.BlockRows())
	starts := c.source.starts
	for i := 0; i < len(rows); {
		row := first + uint32(rows[i])
		for step := 1; starts[run+1] <= row; step *= 2 {
			// The next run mostly, but runs may be many more than rows.
			if run++; step > 8 {
				skip, found := slices.BinarySearch(starts[run+1:], row)
				if run += skip; found {
					run++
				}
			}
		}
		from, end := i, starts[run+1]
		for i < len(rows) && first+uint32(rows[i]) < end {
			i++
		}
		c.addPiece(view, c.source.users[run], n+from, n+i)
	}
}

// chooseRuns is choose where all rows pass the filter and their classes follow from codes of names: run by
// run, leaving out users that are not wanted.
func (c *streamCursor) chooseRuns(view, b int, codes []uint8, from, to, run int) []uint16 {
	w := c.w
	out, whole := &w.chunk, w.stream.whole
	first := b * c.source.reader.BlockRows()
	starts, users, only := c.source.starts, c.source.users, w.stream.only
	chosen, kept, n := w.chosen, 0, len(out.rows)
	for row := from; row < to; run++ {
		end := min(int(starts[run+1])-first, to)
		before := kept
		switch {
		case only != nil && !only.has(users[run]):
		case whole:
			for ; row < end; row++ {
				chosen[kept] = uint16(row)
				kept++
			}
		default:
			kept = chooseCodes(codes[row:end], &c.wanted, row, chosen, kept)
		}
		row = end
		if kept > before {
			c.addPiece(view, users[run], n+before, n+kept)
		}
	}
	at := len(out.class)
	out.class = out.class[:at+kept]
	class, byCode := out.class[at:], c.byCode
	for i, row := range chosen[:kept] {
		class[i] = byCode[codes[row]]
	}
	return chosen[:kept]
}

// chooseCodes adds the rows whose code is wanted, the first of them being row, to the chosen ones.
func chooseCodes(codes []uint8, wanted *[256]uint8, row int, chosen []uint16, kept int) int {
	for _, code := range codes {
		chosen[kept] = uint16(row)
		row++
		kept += int(wanted[code])
	}
	return kept
}
