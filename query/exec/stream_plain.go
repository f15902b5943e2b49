package exec

import (
	"slices"

	"cairn/engine/segment"
)

// everyRow reports whether every row of the segment is in the stream, with a class that follows from its name:
// rows are gathered then without listing them.
func (c *streamCursor) everyRow() bool {
	return c.filter.bound.full() && c.w.stream.whole && c.byCode != nil
}

// gatherPlain appends the rows of the runs [first, last) of users.
func (c *streamCursor) gatherPlain(view, first, last int) error {
	w := c.w
	out, starts, users := &w.chunk, c.source.starts, c.source.users
	n := uint32(len(out.times)) - starts[first]
	out.parts[view].row = starts[first]
	size := c.source.reader.BlockRows()
	for row, end := int(starts[first]), int(starts[last]); row < end; {
		b := row / size
		stop := min(end, (b+1)*size)
		if err := c.turnTo(b, row, stop, first); err != nil {
			return err
		}
		if err := c.gatherStretch(b, row-b*size, stop-b*size); err != nil {
			return err
		}
		row = stop
	}
	only := w.stream.only
	for run := first; run < last; run++ {
		if only == nil || only.has(users[run]) {
			w.pieces = append(w.pieces, piece{users[run], uint32(view), n + starts[run], n + starts[run+1], starts[run]})
		}
	}
	return nil
}

// gatherStretch appends the rows [from, to) of the block at hand.
func (c *streamCursor) gatherStretch(b, from, to int) error {
	out, reader, n := &c.w.chunk, c.source.reader, to-from
	var err error
	if c.times == nil || c.timesBlock != b {
		if c.times, err = reader.Time().Block(b); err != nil {
			return err
		}
		c.timesBlock = b
	}
	out.times = c.times.IntRange(growing(out.times, n), from, to)
	out.rows = growing(out.rows, n)[:len(out.rows)+n]
	at := len(out.class)
	out.class = growing(out.class, n)[:at+n]
	if len(c.w.stream.selectors) == 0 {
		c.w.noClasses()
	} else if err := c.classStretch(b, from, out.class[at:]); err != nil {
		return err
	}
	for i, k := range c.keys {
		if out.keys[i], err = k.stretchGids(growing(out.keys[i], n), b, from, to); err != nil {
			return err
		}
	}
	return nil
}

// noClasses makes all classes of the chunk 0, as they are in a stream without selectors.
func (w *streamWorker) noClasses() {
	class := w.chunk.class
	if w.zeros < len(class) || w.zerosOf != &class[0] {
		clear(class[:cap(class)])
		w.zeros, w.zerosOf = cap(class), &class[0]
	}
}

// classStretch finds the classes of the rows of a block from one on.
func (c *streamCursor) classStretch(b, from int, class []uint32) error {
	vector, err := c.source.reader.Event().Block(b)
	if err != nil {
		return err
	}
	if vector.Form == segment.Form8 && vector.Present == nil {
		codes := vector.U8[from : from+len(class)]
		for i, code := range codes {
			class[i] = c.byCode[code]
		}
		return nil
	}
	c.w.codes = vector.Codes(c.w.codes[:0], c.w.stretch(from, from+len(class)))
	for i, code := range c.w.codes {
		class[i] = c.byCode[code]
	}
	return nil
}

// stretch lists the rows [from, to) of a block. The slice is valid until the next call.
func (w *streamWorker) stretch(from, to int) []uint16 {
	rows := w.buffer[:to-from]
	for i := range rows {
		rows[i] = uint16(from + i)
	}
	return rows
}

// stretchGids appends the numbers of the key in the rows [from, to) of a block.
func (k *keyColumn) stretchGids(dst []uint32, b, from, to int) ([]uint32, error) {
	n := len(dst)
	if k.kind == inputCodes {
		v, err := k.vector(b)
		if err != nil {
			return nil, err
		}
		if v.Form == segment.Form8 && v.Present == nil {
			dst = dst[:n+to-from]
			mapCodes(k, dst[n:], v.U8[from:to])
			return dst, nil
		}
	}
	if cap(k.rows) < to-from {
		k.rows = make([]uint16, 0, segment.BlockRows)
	}
	rows := k.rows[:0]
	for row := from; row < to; row++ {
		rows = append(rows, uint16(row))
	}
	k.rows = rows
	gids, err := k.gids(&batch{view: k.view, block: b, n: len(rows), sel: rows})
	return append(dst, gids...), err
}

// part returns the positions [from, to) of the rows of a segment.
func (c *chunk) part(view int) (from, to uint32) {
	if view+1 < len(c.parts) {
		return c.parts[view].from, c.parts[view+1].from
	}
	return c.parts[view].from, uint32(len(c.times))
}

// rowAt returns the row in its segment of the event at a position.
func (c *chunk) rowAt(view int, at uint32) uint32 {
	if p := c.parts[view]; p.row != noRow {
		return p.row + at - p.from
	}
	return c.rows[at]
}

// place returns the position of an event of the chunk.
func (c *chunk) place(ref eventRef) uint32 {
	from, to := c.part(ref.view())
	if p := c.parts[ref.view()]; p.row != noRow {
		return from + uint32(ref.row()) - p.row
	}
	i, _ := slices.BinarySearch(c.rows[from:to], uint32(ref.row()))
	return from + uint32(i)
}

// row returns the row in its segment of an event of a piece.
func (c *chunk) row(p piece, i uint32) uint32 {
	if p.row == noRow {
		return c.rows[i]
	}
	return p.row + i - p.from
}
