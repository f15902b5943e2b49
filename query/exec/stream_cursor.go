package exec

import (
	"slices"

	"cairn/engine/segment"
	"cairn/index"
)

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
	b = source.visible(b)
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
