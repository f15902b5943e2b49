package exec

import (
	"math"
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// interval is a range of numbers (or of times, as integers): lo and hi are absent where there is no
// bound.
type interval struct {
	lo, hi         event.Value
	loOpen, hiOpen bool
}

// ints returns the integers in the interval as an inclusive range, empty if lo > hi.
func (t interval) ints() (lo, hi int64) {
	lo, hi = math.MinInt64, math.MaxInt64
	switch t.lo.Kind() {
	case event.KindAbsent:
	case event.KindFloat:
		f := t.lo.AsFloat()
		ceil := math.Ceil(f)
		switch {
		case ceil >= 1<<63:
			return 1, 0
		case ceil >= -1<<63:
			lo = int64(ceil)
			if t.loOpen && ceil == f {
				if lo == math.MaxInt64 {
					return 1, 0
				}
				lo++
			}
		}
	default:
		lo = t.lo.AsInt()
		if t.loOpen {
			if lo == math.MaxInt64 {
				return 1, 0
			}
			lo++
		}
	}
	switch t.hi.Kind() {
	case event.KindAbsent:
	case event.KindFloat:
		f := t.hi.AsFloat()
		floor := math.Floor(f)
		switch {
		case floor < -1<<63:
			return 1, 0
		case floor < 1<<63:
			hi = int64(floor)
			if t.hiOpen && floor == f {
				if hi == math.MinInt64 {
					return 1, 0
				}
				hi--
			}
		}
	default:
		hi = t.hi.AsInt()
		if t.hiOpen {
			if hi == math.MinInt64 {
				return 1, 0
			}
			hi--
		}
	}
	return lo, hi
}

// floats returns the floats in the interval as an inclusive range, empty if lo > hi.
func (t interval) floats() (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if t.lo.Kind() != event.KindAbsent {
		lo = t.lo.AsFloat()
		c := event.CompareNumbers(event.Float(lo), t.lo)
		if c < 0 || c == 0 && t.loOpen {
			lo = math.Nextafter(lo, math.Inf(1))
		}
	}
	if t.hi.Kind() != event.KindAbsent {
		hi = t.hi.AsFloat()
		c := event.CompareNumbers(event.Float(hi), t.hi)
		if c > 0 || c == 0 && t.hiOpen {
			hi = math.Nextafter(hi, math.Inf(-1))
		}
	}
	return lo, hi
}

// contains reports whether a number lies in the interval.
func (t interval) contains(v event.Value) bool {
	if t.lo.Kind() != event.KindAbsent {
		if c := event.CompareNumbers(v, t.lo); c < 0 || c == 0 && t.loOpen {
			return false
		}
	}
	if t.hi.Kind() != event.KindAbsent {
		if c := event.CompareNumbers(v, t.hi); c > 0 || c == 0 && t.hiOpen {
			return false
		}
	}
	return true
}

// times reports whether the bounds are instants.
func (t interval) times() bool {
	return t.lo.Kind() == event.KindTime || t.hi.Kind() == event.KindTime
}

// excludes reports whether no number from least to most lies in the interval.
func (t interval) excludes(least, most event.Value) bool {
	if t.lo.Kind() != event.KindAbsent {
		if c := event.CompareNumbers(most, t.lo); c < 0 || c == 0 && t.loOpen {
			return true
		}
	}
	if t.hi.Kind() != event.KindAbsent {
		if c := event.CompareNumbers(least, t.hi); c > 0 || c == 0 && t.hiOpen {
			return true
		}
	}
	return false
}

// codes returns the codes [from, to) of the dictionary's numbers in the interval.
func (t interval) codes(d *segment.Dictionary) (from, to uint32) {
	from, to = d.KindRange(event.KindInt)
	search := func(from, to uint32, reached func(v event.Value) bool) uint32 {
		for from < to {
			mid := from + (to-from)/2
			if reached(d.Value(mid)) {
				to = mid
			} else {
				from = mid + 1
			}
		}
		return from
	}
	end := to
	if t.lo.Kind() != event.KindAbsent {
		from = search(from, end, func(v event.Value) bool {
			c := event.CompareNumbers(v, t.lo)
			return c > 0 || c == 0 && !t.loOpen
		})
	}
	if t.hi.Kind() != event.KindAbsent {
		to = search(from, end, func(v event.Value) bool {
			c := event.CompareNumbers(v, t.hi)
			return c > 0 || c == 0 && t.hiOpen
		})
	}
	return from, to
}

// scanNumbers appends the rows of sel (nil: the whole block) whose number lies in the interval.
func scanNumbers(v *segment.Vector, t interval, sel, dst []uint16, s *scratch) []uint16 {
	n := v.Rows
	if sel != nil {
		n = len(sel)
	}
	if n == 0 || v.Len == 0 {
		return dst
	}
	keep := func(i int) {
		row := i
		if sel != nil {
			row = int(sel[i])
		}
		if v.Has(row) {
			dst = append(dst, uint16(row))
		}
	}
	if v.Kind == event.KindInt {
		lo, hi := t.ints()
		if lo > hi {
			return dst
		}
		s.ints = v.Ints(s.ints[:0], sel)
		for i, x := range s.ints {
			if lo <= x && x <= hi {
				keep(i)
			}
		}
		return dst
	}
	lo, hi := t.floats()
	s.floats = v.Floats(s.floats[:0], sel)
	for i, x := range s.floats {
		if lo <= x && x <= hi {
			keep(i)
		}
	}
	return dst
}

// scratch is a worker's memory for the values of one block.
type scratch struct {
	ints   []int64
	floats []float64
	codes  []uint32
	rows   [][]uint16 // free row buffers
}

var scratchPool = sync.Pool{New: func() any { return &scratch{} }}

// takeRows returns an empty buffer with room for a block's rows; give it back with putRows.
func (s *scratch) takeRows() []uint16 {
	if n := len(s.rows); n > 0 {
		buffer := s.rows[n-1]
		s.rows = s.rows[:n-1]
		return buffer[:0]
	}
	return make([]uint16, 0, segment.BlockRows+1)
}

func (s *scratch) putRows(buffer []uint16) {
	if cap(buffer) > segment.BlockRows {
		s.rows = append(s.rows, buffer)
	}
}
