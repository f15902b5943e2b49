package segment

import (
	"encoding/binary"
	"math/bits"

	"cairn/index/packed"
)

// How the presence of a block is written: a byte, then
//
//	presentAll, presentNone   nothing
//	presentBitmap             one bit a row, in whole bytes
//	presentSparse             count, gaps between the rows (patched)
//	presentRuns               runs of present rows: count, gaps before (patched), lengths - 1 (patched)
//	presentByEvent            event codes of which every row has a value, codes of which some have
//	                          (each: count, first, gaps - 1); then the presence, written in the same
//	                          way, in the rows of the latter
const (
	presentAll = iota
	presentNone
	presentBitmap
	presentSparse
	presentRuns
	presentByEvent
)

// blockEvents are the event codes of a block's rows, with the number of rows of each code.
type blockEvents struct {
	codes []uint32
	rows  []int // by code
	used  []uint32
}

func newBlockEvents(codes []uint32, events int) *blockEvents {
	e := &blockEvents{codes: codes, rows: make([]int, events)}
	for _, c := range codes {
		e.rows[c]++
	}
	for c, n := range e.rows {
		if n > 0 {
			e.used = append(e.used, uint32(c))
		}
	}
	return e
}

// appendPresence writes which of the rows have a value, in the shortest way. words is nil if all
// have; events is nil if the presence may not refer to them.
func appendPresence(dst []byte, words []uint64, rows, n int, events *blockEvents) []byte {
	switch {
	case n == rows || words == nil:
		return append(dst, presentAll)
	case n == 0:
		return append(dst, presentNone)
	}
	best := append(make([]byte, 0, rows/8+9), presentBitmap)
	for _, w := range words {
		best = binary.LittleEndian.AppendUint64(best, w)
	}
	best = best[:1+(rows+7)/8]
	consider := func(b []byte) {
		if len(b) < len(best) {
			best = b
		}
	}
	runs := countRuns(words)
	if n < rows/6 {
		consider(appendSparse(nil, words, n))
	}
	if runs < rows/12 {
		consider(appendPresentRuns(nil, words, runs))
	}
	if events != nil {
		if b := appendByEvent(nil, words, n, events); b != nil {
			consider(b)
		}
	}
	return append(dst, best...)
}

func countRuns(words []uint64) int {
	runs, last := 0, uint64(0)
	for _, w := range words {
		runs += bits.OnesCount64(w &^ (w<<1 | last))
		last = w >> 63
	}
	return runs
}

func appendSparse(dst []byte, words []uint64, n int) []byte {
	dst = append(dst, presentSparse)
	dst = binary.AppendUvarint(dst, uint64(n))
	gaps := make([]uint64, 0, n)
	next := 0
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + bits.TrailingZeros64(w)
			gaps = append(gaps, uint64(row-next))
			next = row + 1
		}
	}
	return packed.AppendPatched(dst, gaps)
}

func appendPresentRuns(dst []byte, words []uint64, runs int) []byte {
	dst = append(dst, presentRuns)
	dst = binary.AppendUvarint(dst, uint64(runs))
	gaps, lengths := make([]uint64, 0, runs), make([]uint64, 0, runs)
	next := 0
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			row := i<<6 + bits.TrailingZeros64(w)
			if row == next && len(lengths) > 0 {
				lengths[len(lengths)-1]++
			} else {
				gaps, lengths = append(gaps, uint64(row-next)), append(lengths, 0)
			}
			next = row + 1
		}
	}
	return packed.AppendPatched(packed.AppendPatched(dst, gaps), lengths)
}

// appendByEvent returns nil if the events do not tell anything.
func appendByEvent(dst []byte, words []uint64, n int, events *blockEvents) []byte {
	present := make([]int, len(events.rows))
	for i, w := range words {
		for ; w != 0; w &= w - 1 {
			present[events.codes[i<<6+bits.TrailingZeros64(w)]]++
		}
	}
	var always, sometimes []uint32
	some := make([]bool, len(events.rows))
	rows, left := 0, 0
	for _, c := range events.used {
		switch p := present[c]; {
		case p == 0:
		case p == events.rows[c]:
			always = append(always, c)
		default:
			sometimes = append(sometimes, c)
			some[c] = true
			rows += events.rows[c]
			left += p
		}
	}
	if len(sometimes) == len(events.used) {
		return nil
	}
	dst = append(dst, presentByEvent)
	dst = appendCodes(appendCodes(dst, always), sometimes)
	if rows == 0 {
		return append(dst, presentNone)
	}
	inner := make([]uint64, (rows+63)/64)
	at := 0
	for row, c := range events.codes {
		if some[c] {
			inner[at>>6] |= words[row>>6] >> (row & 63) & 1 << (at & 63)
			at++
		}
	}
	return appendPresence(dst, inner, rows, left, nil)
}

func appendCodes(dst []byte, codes []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(codes)))
	next := uint32(0)
	for _, c := range codes {
		dst = binary.AppendUvarint(dst, uint64(c-next))
		next = c + 1
	}
	return dst
}

// codeSet reads codes below n as a table.
func (c *cursor) codeSet(table []uint8, mark uint8) {
	code := 0
	for range c.count(len(table)) {
		code += c.count(len(table))
		if code >= len(table) {
			c.fail()
			return
		}
		table[code] = mark
		code++
	}
}

// presence reads what appendPresence wrote: nil words if all rows are present. events gives the
// event codes of the rows and their number when the presence refers to them.
func (c *cursor) presence(rows int, events func() (*Vector, int, error)) (words []uint64, err error) {
	if rows == 0 {
		if c.byte() > presentNone {
			c.fail()
		}
		return nil, c.err
	}
	switch kind := c.byte(); kind {
	case presentAll:
		return nil, c.err
	case presentNone:
		return noWords[: (rows+63)/64 : (rows+63)/64], c.err
	case presentBitmap:
		b := c.bytes((rows + 7) / 8)
		if c.err != nil {
			return nil, c.err
		}
		words = make([]uint64, (rows+63)/64)
		for i := range words {
			if len(b) >= 8 {
				words[i] = binary.LittleEndian.Uint64(b)
				b = b[8:]
				continue
			}
			for j, x := range b {
				words[i] |= uint64(x) << (8 * j)
			}
		}
		if rows&63 != 0 && words[len(words)-1]>>(rows&63) != 0 {
			c.fail()
		}
		return words, c.err
	case presentSparse, presentRuns:
		return c.presentSpans(rows, kind == presentRuns)
	case presentByEvent:
		if events == nil {
			c.fail()
			return nil, c.err
		}
		return c.presentByEvent(rows, events)
	default:
		c.fail()
		return nil, c.err
	}
}

func (c *cursor) presentSpans(rows int, runs bool) ([]uint64, error) {
	n := c.count(rows)
	gaps, lengths := make([]uint64, n), make([]uint64, n)
	c.patched(gaps)
	if runs {
		c.patched(lengths)
	}
	words := make([]uint64, (rows+63)/64)
	next := uint64(0)
	for i, gap := range gaps {
		if gap > uint64(rows) || lengths[i] > uint64(rows) {
			c.fail()
			return nil, c.err
		}
		from := next + gap
		next = from + lengths[i] + 1
		if next > uint64(rows) {
			c.fail()
			return nil, c.err
		}
		for r := from; r < next; r++ {
			words[r>>6] |= 1 << (r & 63)
		}
	}
	return words, c.err
}

const (
	eventNever = iota
	eventAlways
	eventSometimes
)

func (c *cursor) presentByEvent(rows int, events func() (*Vector, int, error)) ([]uint64, error) {
	v, n, err := events()
	if err != nil {
		return nil, err
	}
	table := make([]uint8, max(n, 1))
	c.codeSet(table, eventAlways)
	c.codeSet(table, eventSometimes)
	if c.err != nil || v.Rows != rows || v.Present != nil {
		c.fail()
		return nil, c.err
	}
	words, some := v.classBits(table)
	n = 0
	for _, w := range some {
		n += bits.OnesCount64(w)
	}
	inner, err := c.presence(n, nil)
	if err != nil || n == 0 {
		return words, err
	}
	at := 0
	for i, s := range some {
		for ; s != 0; s &= s - 1 {
			if inner == nil || inner[at>>6]>>(at&63)&1 != 0 {
				words[i] |= s & -s
			}
			at++
		}
	}
	return words, nil
}

// classBits looks the code of every row of a dense vector up in a table and returns the rows of
// class eventAlways and those of class eventSometimes.
func (v *Vector) classBits(table []uint8) (always, some []uint64) {
	n := (v.Rows + 63) / 64
	always, some = make([]uint64, n), make([]uint64, n)
	switch v.Form {
	case FormConst:
		classRun(always, some, 0, v.Rows, table[v.Const])
	case FormRuns:
		from := 0
		for r, end := range v.Ends {
			classRun(always, some, from, int(end), table[v.RunCodes[r]])
			from = int(end)
		}
	case Form8:
		classesOf(always, some, v.U8, table)
	case Form16:
		classesOf(always, some, v.U16, table)
	default:
		classesOf(always, some, v.U32, table)
	}
	return always, some
}

func classRun(always, some []uint64, from, to int, class uint8) {
	words := always
	switch class {
	case eventNever:
		return
	case eventSometimes:
		words = some
	}
	for row := from; row < to; row++ {
		words[row>>6] |= 1 << (row & 63)
	}
}

func classesOf[T uints](always, some []uint64, codes []T, table []uint8) {
	for i := range always {
		var a, s uint64
		for j, c := range codes[i<<6 : min(i<<6+64, len(codes))] {
			class := uint64(table[c])
			a |= class & 1 << j
			s |= class >> 1 << j
		}
		always[i], some[i] = a, s
	}
}
