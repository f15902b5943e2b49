package exec

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2"
)

// codeSet is the set of dictionary codes of a column whose values pass a condition, and whether a
// row without a value does.
type codeSet struct {
	ranges []codeRange // ascending, disjoint
	absent bool
}

type codeRange struct{ from, to uint32 }

func (s *codeSet) add(from, to uint32) {
	if from >= to {
		return
	}
	if n := len(s.ranges); n > 0 && s.ranges[n-1].to == from {
		s.ranges[n-1].to = to
		return
	}
	s.ranges = append(s.ranges, codeRange{from, to})
}

// addCodes adds single codes, in any order.
func (s *codeSet) addCodes(codes []uint32) {
	slices.Sort(codes)
	for _, c := range slices.Compact(codes) {
		s.add(c, c+1)
	}
}

func (s *codeSet) len() int {
	n := 0
	for _, r := range s.ranges {
		n += int(r.to - r.from)
	}
	return n
}

// list returns the codes one by one.
func (s *codeSet) list() []uint32 {
	codes := make([]uint32, 0, s.len())
	for _, r := range s.ranges {
		for c := r.from; c < r.to; c++ {
			codes = append(codes, c)
		}
	}
	return codes
}

// invert returns the codes below total that are not in the set.
func (s *codeSet) invert(total int) codeSet {
	out := codeSet{absent: !s.absent}
	next := uint32(0)
	for _, r := range s.ranges {
		out.add(next, r.from)
		next = r.to
	}
	out.add(next, uint32(total))
	return out
}

// table spreads the set out for scanning.
func (s *codeSet) table(total int) codeTable {
	t := make(codeTable, total+1)
	t[0] = s.absent
	for _, r := range s.ranges {
		for c := r.from; c < r.to; c++ {
			t[c+1] = true
		}
	}
	return t
}

// postingsMax is how many postings a filter unites before it looks at the codes of the rows
// instead.
const postingsMax = 256

// rows answers from the postings of the column, uniting those of the set or of its complement,
// whichever are fewer. ok is false if the column has none or they are too many.
func (s *codeSet) rows(c *segment.Column, total int) (set index.Rows, ok bool, err error) {
	if s.absent {
		inverse := s.invert(total)
		set, ok, err = inverse.rows(c, total)
		return set.Invert(), ok, err
	}
	n := s.len()
	if n == 0 {
		return index.None, true, nil
	}
	if n > postingsMax {
		return index.None, false, nil
	}
	parts := make([]*roaring.Bitmap, 0, n)
	for _, r := range s.ranges {
		for code := r.from; code < r.to; code++ {
			rows, ok, err := c.Postings(code)
			if err != nil || !ok {
				return index.None, false, err
			}
			parts = append(parts, rows)
		}
	}
	if len(parts) == 1 {
		return index.Of(parts[0]), true, nil
	}
	return index.Of(roaring.FastOr(parts...)), true, nil
}

// equalCodes appends the codes of the values that the language holds equal to v, which is a string,
// a number or a bool; 1 and 1.0 are two such codes. Lists are not looked into.
func equalCodes(c *segment.Column, v event.Value, codes []uint32) ([]uint32, error) {
	find := func(v event.Value) error {
		code, ok, err := c.Find(v)
		if ok {
			codes = append(codes, code)
		}
		return err
	}
	v = v.Canonical()
	if err := find(v); err != nil {
		return nil, err
	}
	if v.Kind() != event.KindInt {
		return codes, nil
	}
	f := float64(v.AsInt())
	if event.CompareNumbers(event.Float(f), v) != 0 {
		return codes, nil
	}
	if err := find(event.Float(f)); err != nil {
		return nil, err
	}
	if f == 0 {
		return codes, find(event.Float(math.Copysign(0, -1)))
	}
	return codes, nil
}
