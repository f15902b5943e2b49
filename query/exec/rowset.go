package exec

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// rowSet is a set of rows of one segment: the members of bits or, if not is set, all rows but
// those. A nil bits is empty, so {nil, true} is every row. Bitmaps are shared and never modified.
type rowSet struct {
	bits  *roaring.Bitmap
	not   bool
	words []uint64 // instead of bits: a plain bitmap of size members
	size  int
}

var (
	noRows  = rowSet{}
	allRows = rowSet{not: true}
)

func (s rowSet) empty() bool { return !s.not && s.none() }
func (s rowSet) full() bool  { return s.not && s.none() }

// none reports whether there are no members, before not.
func (s rowSet) none() bool {
	if s.words != nil {
		return s.size == 0
	}
	return s.bits == nil || s.bits.IsEmpty()
}

// count returns the number of rows, of a segment of rows rows.
func (s rowSet) count(rows int) int {
	n := s.size
	if s.bits != nil {
		n = int(s.bits.GetCardinality())
	}
	if s.not {
		return rows - n
	}
	return n
}

// sizeBytes is about what it costs to go through the set.
func (s rowSet) sizeBytes() int {
	if s.bits == nil {
		return 8 * len(s.words)
	}
	return int(s.bits.GetSizeInBytes())
}

func (s rowSet) invert() rowSet {
	s.not = !s.not
	return s
}

func (s rowSet) and(o rowSet) rowSet {
	switch {
	case s.empty() || o.empty():
		return noRows
	case s.full():
		return o
	case o.full():
		return s
	}
	s, o = s.roaring(), o.roaring()
	switch {
	case s.not && o.not:
		return rowSet{bits: roaring.Or(s.bits, o.bits), not: true}
	case s.not:
		return rowSet{bits: roaring.AndNot(o.bits, s.bits)}
	case o.not:
		return rowSet{bits: roaring.AndNot(s.bits, o.bits)}
	}
	return rowSet{bits: roaring.And(s.bits, o.bits)}
}

func (s rowSet) or(o rowSet) rowSet { return s.invert().and(o.invert()).invert() }

// andCount returns s.and(o).count(rows), without making the set where it can.
func (s rowSet) andCount(o rowSet, rows int) int {
	if !s.not && !o.not && s.bits != nil && o.bits != nil {
		return int(s.bits.AndCardinality(o.bits))
	}
	return s.and(o).count(rows)
}

// rowIterator hands out the rows of a set block by block.
type rowIterator struct {
	set       rowSet
	blockRows int
	rows      int
	many      roaring.ManyIntIterable
	ahead     []uint32 // read but not yet handed out
	buffer    []uint32
	started   bool
}

func newRowIterator(set rowSet, rows, blockRows int) *rowIterator {
	if set.words != nil && blockRows%64 != 0 {
		set = set.roaring()
	}
	return &rowIterator{set: set, rows: rows, blockRows: blockRows}
}

// block returns the rows of the set in block b, relative to its start, in dst; all is true if they
// are all of the block's. Blocks must be asked for in ascending order.
func (it *rowIterator) block(b int, dst []uint16) (sel []uint16, all bool) {
	from := b * it.blockRows
	to := min(from+it.blockRows, it.rows)
	dst = dst[:0]
	if it.set.words != nil {
		if it.set.not {
			dst = appendUnset(dst, it.set.words, from, to)
		} else {
			dst = appendBits(dst, it.set.words, from, to)
		}
		return dst, len(dst) == to-from
	}
	if it.set.bits == nil {
		return nil, it.set.not
	}
	if it.set.not {
		dst = it.inverted(dst, from, to)
	} else {
		dst = it.members(dst, from, to)
	}
	return dst, len(dst) == to-from
}

func (it *rowIterator) members(dst []uint16, from, to int) []uint16 {
	if !it.started {
		it.started = true
		bits := it.set.bits
		if from > 0 {
			window := roaring.New()
			window.AddRange(uint64(from), uint64(it.rows))
			bits = roaring.And(bits, window)
		}
		it.many = bits.ManyIterator()
		it.buffer = make([]uint32, min(4096, int(bits.GetCardinality())+1))
	}
	for {
		for i, row := range it.ahead {
			if int(row) >= to {
				it.ahead = it.ahead[i:]
				return dst
			}
			if int(row) >= from {
				dst = append(dst, uint16(int(row)-from))
			}
		}
		n := it.many.NextMany(it.buffer)
		it.ahead = it.buffer[:n]
		if n == 0 {
			return dst
		}
	}
}

func (it *rowIterator) inverted(dst []uint16, from, to int) []uint16 {
	gone := it.members(nil, from, to)
	next := 0
	for row := range to - from {
		if next < len(gone) && int(gone[next]) == row {
			next++
			continue
		}
		dst = append(dst, uint16(row))
	}
	return dst
}
