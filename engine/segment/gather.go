package segment

import (
	"math/bits"

	"cairn/engine/event"
)

type uints interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Codes appends the dictionary code of each of the given rows to dst: AbsentCode where there is no
// value. rows ascend; nil means all rows of the block.
func (v *Vector) Codes(dst []uint32, rows []uint16) []uint32 {
	n := v.Rows
	if rows != nil {
		n = len(rows)
	}
	dst = grow(dst, n)
	out := dst[len(dst)-n:]
	switch v.Form {
	case FormConst:
		v.gatherConst(out, rows)
	case FormRuns:
		gatherRuns(v, out, rows, v.RunCodes, AbsentCode)
	case Form8:
		gather(v, out, rows, v.U8)
	case Form16:
		gather(v, out, rows, v.U16)
	case Form32:
		gather(v, out, rows, v.U32)
	default:
		gather(v, out, rows, v.U64)
	}
	return dst
}

// Ints appends the integer of each of the given rows to dst; v must be numeric of KindInt. Where a
// row has no value it appends 0; see AppendPresent. rows ascend; nil means all rows of the block.
func (v *Vector) Ints(dst []int64, rows []uint16) []int64 {
	n := v.Rows
	if rows != nil {
		n = len(rows)
	}
	dst = grow(dst, n)
	out := dst[len(dst)-n:]
	switch v.Form {
	case FormConst:
		fillPresent(v, out, rows, v.Base+v.Scale*int64(v.Const))
	case FormRuns:
		values := make([]int64, len(v.RunCodes))
		for i, c := range v.RunCodes {
			values[i] = v.Base + v.Scale*int64(c)
		}
		gatherRuns(v, out, rows, values, 0)
	case Form8:
		gatherInts(v, out, rows, v.U8)
	case Form16:
		gatherInts(v, out, rows, v.U16)
	case Form32:
		gatherInts(v, out, rows, v.U32)
	default:
		gatherInts(v, out, rows, v.U64)
	}
	return dst
}

// IntRange is Ints of the rows [from, to); v has a value in every row.
func (v *Vector) IntRange(dst []int64, from, to int) []int64 {
	n := len(dst)
	dst = grow(dst, to-from)
	out := dst[n:]
	switch v.Form {
	case Form8:
		scaleInts(v, out, v.U8[from:to])
	case Form16:
		scaleInts(v, out, v.U16[from:to])
	case Form32:
		scaleInts(v, out, v.U32[from:to])
	case Form64:
		scaleInts(v, out, v.U64[from:to])
	default:
		for i := range out {
			out[i] = v.Base + v.Scale*int64(v.code(from+i))
		}
	}
	return dst
}

func scaleInts[T uints](v *Vector, out []int64, codes []T) {
	base, scale := v.Base, v.Scale
	codes = codes[:len(out)]
	for i := range out {
		out[i] = base + scale*int64(codes[i])
	}
}

// Floats is Ints for numeric vectors of either kind: integers are converted.
func (v *Vector) Floats(dst []float64, rows []uint16) []float64 {
	n := v.Rows
	if rows != nil {
		n = len(rows)
	}
	dst = grow(dst, n)
	out := dst[len(dst)-n:]
	switch v.Form {
	case FormConst:
		fillPresent(v, out, rows, v.toFloat(v.Const))
	case FormRuns:
		values := make([]float64, len(v.RunCodes))
		for i, c := range v.RunCodes {
			values[i] = v.toFloat(uint64(c))
		}
		gatherRuns(v, out, rows, values, 0)
	case Form8:
		gatherFloats(v, out, rows, v.U8)
	case Form16:
		gatherFloats(v, out, rows, v.U16)
	case Form32:
		gatherFloats(v, out, rows, v.U32)
	default:
		gatherFloats(v, out, rows, v.U64)
	}
	return dst
}

func (v *Vector) toFloat(code uint64) float64 {
	if v.Kind == event.KindInt {
		return float64(v.Base + v.Scale*int64(code))
	}
	return v.float(code)
}

// AppendPresent appends to dst whether each of the given rows has a value.
func (v *Vector) AppendPresent(dst []bool, rows []uint16) []bool {
	n := v.Rows
	if rows != nil {
		n = len(rows)
	}
	dst = grow(dst, n)
	out := dst[len(dst)-n:]
	for i := range out {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		out[i] = v.Present == nil || v.Present.Has(row)
	}
	return dst
}

func grow[T any](dst []T, n int) []T {
	if cap(dst)-len(dst) < n {
		bigger := make([]T, len(dst), len(dst)+n)
		copy(bigger, dst)
		dst = bigger
	}
	return dst[:len(dst)+n]
}

func (v *Vector) gatherConst(out []uint32, rows []uint16) {
	if v.Present == nil {
		for i := range out {
			out[i] = uint32(v.Const)
		}
		return
	}
	for i := range out {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		if v.Present.Has(row) {
			out[i] = uint32(v.Const)
		} else {
			out[i] = AbsentCode
		}
	}
}

func fillPresent[T any](v *Vector, out []T, rows []uint16, value T) {
	var zero T
	for i := range out {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		if v.Present == nil || v.Present.Has(row) {
			out[i] = value
		} else {
			out[i] = zero
		}
	}
}

func gather[T uints](v *Vector, out []uint32, rows []uint16, values []T) {
	switch {
	case v.Present == nil && rows == nil:
		for i, c := range values[:len(out)] {
			out[i] = uint32(c)
		}
	case v.Present == nil:
		for i, row := range rows {
			out[i] = uint32(values[row])
		}
	case rows == nil:
		for i := range out {
			out[i] = AbsentCode
		}
		next := 0
		for i, w := range v.Present.Words {
			for ; w != 0; w &= w - 1 {
				out[i<<6+bits.TrailingZeros64(w)] = uint32(values[next])
				next++
			}
		}
	default:
		words, rank := v.Present.Words, v.Present.Rank
		for i, row := range rows {
			w := words[row>>6]
			bit := uint64(1) << (row & 63)
			if w&bit == 0 {
				out[i] = AbsentCode
				continue
			}
			out[i] = uint32(values[int(rank[row>>6])+bits.OnesCount64(w&(bit-1))])
		}
	}
}

func gatherInts[T uints](v *Vector, out []int64, rows []uint16, values []T) {
	base, scale := v.Base, v.Scale
	switch {
	case v.Present == nil && rows == nil:
		for i, c := range values[:len(out)] {
			out[i] = base + scale*int64(c)
		}
	case v.Present == nil:
		for i, row := range rows {
			out[i] = base + scale*int64(values[row])
		}
	default:
		words, rank := v.Present.Words, v.Present.Rank
		for i := range out {
			row := i
			if rows != nil {
				row = int(rows[i])
			}
			w := words[row>>6]
			bit := uint64(1) << (row & 63)
			if w&bit == 0 {
				out[i] = 0
				continue
			}
			out[i] = base + scale*int64(values[int(rank[row>>6])+bits.OnesCount64(w&(bit-1))])
		}
	}
}

func gatherFloats[T uints](v *Vector, out []float64, rows []uint16, values []T) {
	for i := range out {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		pos, ok := row, true
		if v.Present != nil {
			pos, ok = v.Present.Position(row)
		}
		if !ok {
			out[i] = 0
			continue
		}
		out[i] = v.toFloat(uint64(values[pos]))
	}
}

// gatherRuns walks the runs beside the ascending rows.
func gatherRuns[T any](v *Vector, out []T, rows []uint16, values []T, absent T) {
	if v.Present == nil && rows == nil {
		from := 0
		for i, end := range v.Ends {
			value := values[i]
			for j := range out[from:end] {
				out[from+j] = value
			}
			from = int(end)
		}
		return
	}
	if len(rows) >= runIndexMin {
		gatherIndexed(v, out, rows, values, absent)
		return
	}
	run, end := 0, 0
	if len(v.Ends) > 0 {
		end = int(v.Ends[0])
	}
	for i := range out {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		pos, ok := row, true
		if v.Present != nil {
			pos, ok = v.Present.Position(row)
		}
		if !ok {
			out[i] = absent
			continue
		}
		if pos >= end {
			run = nextRun(v.Ends, run, uint32(pos))
			end = int(v.Ends[run])
		}
		out[i] = values[run]
	}
}

// nextRun returns the first run after run that ends beyond pos; there is one. It looks ahead in growing
// steps, as the rows wanted may be few.
func nextRun(ends []uint32, run int, pos uint32) int {
	run++
	if ends[run] > pos {
		return run
	}
	step := 1
	for run+step < len(ends) && ends[run+step] <= pos {
		run += step
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if run+step < len(ends) && ends[run+step] <= pos {
			run += step
		}
	}
	return run + 1
}
