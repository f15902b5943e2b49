package index

import "github.com/RoaringBitmap/roaring/v2"

// Rows is a set of rows of one segment: the members of Bits or, if Not is set, all rows but those.
// A nil Bits is empty, so {nil, true} is every row. Bitmaps are shared and never modified.
type Rows struct {
	Bits *roaring.Bitmap
	Not  bool
}

// None and All are the extremes.
var (
	None = Rows{}
	All  = Rows{Not: true}
)

// IsNone and IsAll report whether the set is known to be one of the extremes.
func (r Rows) IsNone() bool { return !r.Not && (r.Bits == nil || r.Bits.IsEmpty()) }

// IsAll reports whether nothing is left out.
func (r Rows) IsAll() bool { return r.Not && (r.Bits == nil || r.Bits.IsEmpty()) }

// Invert returns the rows that are not in the set; it costs nothing.
func (r Rows) Invert() Rows { return Rows{r.Bits, !r.Not} }

// Count returns the number of rows of the set in a segment of rows rows.
func (r Rows) Count(rows int) int {
	n := 0
	if r.Bits != nil {
		n = int(r.Bits.GetCardinality())
	}
	if r.Not {
		return rows - n
	}
	return n
}

// And returns the rows in both sets.
func (r Rows) And(o Rows) Rows {
	switch {
	case r.IsNone() || o.IsNone():
		return None
	case r.IsAll():
		return o
	case o.IsAll():
		return r
	case r.Not && o.Not:
		return Rows{roaring.Or(r.Bits, o.Bits), true}
	case r.Not:
		return Rows{roaring.AndNot(o.Bits, r.Bits), false}
	case o.Not:
		return Rows{roaring.AndNot(r.Bits, o.Bits), false}
	}
	return Rows{roaring.And(r.Bits, o.Bits), false}
}

// Or returns the rows in either set.
func (r Rows) Or(o Rows) Rows { return r.Invert().And(o.Invert()).Invert() }

// AndCount is And(o).Count(rows), without making the set where it can.
func (r Rows) AndCount(o Rows, rows int) int {
	if !r.Not && !o.Not && r.Bits != nil && o.Bits != nil {
		return int(r.Bits.AndCardinality(o.Bits))
	}
	return r.And(o).Count(rows)
}
