package index

import "github.com/RoaringBitmap/roaring/v2"

// Iterator hands out the rows of a set block by block.
type Iterator struct {
	set       Rows
	blockRows int
	rows      int
	many      roaring.ManyIntIterable
	ahead     []uint32 // read but not yet handed out
	buffer    []uint32
	started   bool
}

// NewIterator returns an iterator over a set of a segment of rows rows in blocks of blockRows. It is used
// by one goroutine.
func NewIterator(set Rows, rows, blockRows int) *Iterator {
	if set.words != nil && blockRows%64 != 0 {
		set = set.roaring()
	}
	return &Iterator{set: set, rows: rows, blockRows: blockRows}
}

// Block returns the rows of the set in block b, relative to its start, in dst; all is true if they
// are all of the block's. Blocks must be asked for in ascending order.
func (it *Iterator) Block(b int, dst []uint16) (sel []uint16, all bool) {
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

func (it *Iterator) members(dst []uint16, from, to int) []uint16 {
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

func (it *Iterator) inverted(dst []uint16, from, to int) []uint16 {
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
