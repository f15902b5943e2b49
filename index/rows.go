// Package index answers "here is a condition, which rows match?" with sets of rows.
//
//	Rows      a set of rows of a segment, or the complement of one, and its algebra
//	Iterator  hands the rows of a set out, block by block
//
// The packages below hold the bytes: packed (integers in few bits), postings (a set of rows for each
// value), bloom (a filter for values that are not there). What a condition is, and which values of a
// column meet it, the query's executor knows.
package index

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// Rows is a set of rows of one segment: the members of bits or, if not is set, all rows but those. A
// nil bits is empty, so {nil, true} is every row. A Rows is immutable, bitmaps are shared and never
// modified; it is safe for concurrent use.
type Rows struct {
	bits  *roaring.Bitmap
	not   bool
	words []uint64 // instead of bits: a plain bitmap of size members
	size  int
}

// None and All are the extremes.
var (
	None = Rows{}
	All  = Rows{not: true}
)

// Of makes a set of the members of a bitmap, which must not change any more.
func Of(bits *roaring.Bitmap) Rows { return Rows{bits: bits} }

// Bitmap returns the members of the set as a shared bitmap, nil for none; with not set they are the
// rows that the set leaves out.
func (s Rows) Bitmap() (bits *roaring.Bitmap, not bool) {
	s = s.roaring()
	return s.bits, s.not
}

// Empty reports whether the set is known to have no rows.
func (s Rows) Empty() bool { return !s.not && s.none() }

// Full reports whether the set is known to leave no row out.
func (s Rows) Full() bool { return s.not && s.none() }

// none reports whether there are no members, before not.
func (s Rows) none() bool {
	if s.words != nil {
		return s.size == 0
	}
	return s.bits == nil || s.bits.IsEmpty()
}

// Count returns the number of rows, of a segment of rows rows.
func (s Rows) Count(rows int) int {
	n := s.size
	if s.bits != nil {
		n = int(s.bits.GetCardinality())
	}
	if s.not {
		return rows - n
	}
	return n
}

// SizeBytes is about what it costs to go through the set.
func (s Rows) SizeBytes() int {
	if s.bits == nil {
		return 8 * len(s.words)
	}
	return int(s.bits.GetSizeInBytes())
}

// Invert returns the rows that are not in the set; it costs nothing.
func (s Rows) Invert() Rows {
	s.not = !s.not
	return s
}

// And returns the rows in both sets.
func (s Rows) And(o Rows) Rows {
	switch {
	case s.Empty() || o.Empty():
		return None
	case s.Full():
		return o
	case o.Full():
		return s
	}
	s, o = s.roaring(), o.roaring()
	switch {
	case s.not && o.not:
		return Rows{bits: roaring.Or(s.bits, o.bits), not: true}
	case s.not:
		return Rows{bits: roaring.AndNot(o.bits, s.bits)}
	case o.not:
		return Rows{bits: roaring.AndNot(s.bits, o.bits)}
	}
	return Rows{bits: roaring.And(s.bits, o.bits)}
}

// Or returns the rows in either set.
func (s Rows) Or(o Rows) Rows { return s.Invert().And(o.Invert()).Invert() }

// AndCount returns s.And(o).Count(rows), without making the set where it can.
func (s Rows) AndCount(o Rows, rows int) int {
	if !s.not && !o.not && s.bits != nil && o.bits != nil {
		return int(s.bits.AndCardinality(o.bits))
	}
	return s.And(o).Count(rows)
}
