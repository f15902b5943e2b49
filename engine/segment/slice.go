package segment

import (
	"math/bits"

	"cairn/engine/event"
)

// blockOf is the part of a plain column in one block.
type blockOf struct {
	rows    int
	present []uint64 // nil: all
	n       int
	codes   []uint32
	nums    []uint64
}

// blocks cuts a column into blocks.
func (p *plain) blocks(blockRows int) []blockOf {
	out := make([]blockOf, 0, (p.rows+blockRows-1)/blockRows)
	next := 0
	for from := 0; from < p.rows; from += blockRows {
		b := blockOf{rows: min(blockRows, p.rows-from)}
		b.n = b.rows
		if p.present != nil {
			b.present = sliceBits(p.present, from, b.rows, p.rows)
			b.n = 0
			for _, w := range b.present {
				b.n += bits.OnesCount64(w)
			}
			if b.n == b.rows {
				b.present = nil
			}
		}
		if p.dict != nil {
			b.codes = p.codes[next : next+b.n]
		} else {
			b.nums = p.nums[next : next+b.n]
		}
		next += b.n
		out = append(out, b)
	}
	return out
}

// sliceBits returns n of total bits from bit from on. It shares words where it can.
func sliceBits(words []uint64, from, n, total int) []uint64 {
	if from&63 == 0 && (n&63 == 0 || from+n == total) {
		return words[from>>6 : (from+n+63)>>6]
	}
	out := make([]uint64, (n+63)>>6)
	for i := range n {
		if words[(from+i)>>6]&(1<<((from+i)&63)) != 0 {
			out[i>>6] |= 1 << (i & 63)
		}
	}
	return out
}

// vectors turns a column into decoded blocks without encoding it.
func (p *plain) vectors(blockRows int) []*Vector {
	blocks := p.blocks(blockRows)
	out := make([]*Vector, len(blocks))
	for i, b := range blocks {
		v := &Vector{Rows: b.rows, Len: b.n}
		if b.present != nil {
			v.Present = newPresence(b.present, b.rows)
		}
		if p.dict != nil {
			v.setCodes(b.codes)
		} else {
			v.setNums(b.nums, p.kind)
		}
		out[i] = v
	}
	return out
}

// setCodes stores codes in the smallest form.
func (v *Vector) setCodes(codes []uint32) {
	if len(codes) == 0 {
		v.Form = FormConst
		return
	}
	runs, highest := 1, codes[0]
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			runs++
		}
		highest = max(highest, codes[i])
	}
	width := 4
	switch {
	case highest < 1<<8:
		width = 1
	case highest < 1<<16:
		width = 2
	}
	switch {
	case runs == 1:
		v.Form, v.Const = FormConst, uint64(codes[0])
	case runs*8 <= len(codes)*width && runs*4 <= len(codes):
		v.Form = FormRuns
		v.Ends, v.RunCodes = make([]uint32, 0, runs), make([]uint32, 0, runs)
		for i := 1; i < len(codes); i++ {
			if codes[i] != codes[i-1] {
				v.Ends, v.RunCodes = append(v.Ends, uint32(i)), append(v.RunCodes, codes[i-1])
			}
		}
		v.Ends, v.RunCodes = append(v.Ends, uint32(len(codes))), append(v.RunCodes, codes[len(codes)-1])
	case width == 1:
		v.Form, v.U8 = Form8, narrow[uint8](codes)
	case width == 2:
		v.Form, v.U16 = Form16, narrow[uint16](codes)
	default:
		v.Form, v.U32 = Form32, append([]uint32(nil), codes...)
	}
}

func narrow[T uints, S uints](values []S) []T {
	out := make([]T, len(values))
	for i, x := range values {
		out[i] = T(x)
	}
	return out
}

// setNums stores numbers in the smallest form: a base, a common divisor and small codes.
func (v *Vector) setNums(nums []uint64, kind event.Kind) {
	v.Kind, v.Scale = kind, 1
	if kind == event.KindFloat {
		if ints, exp, ok := decimals(nums); ok {
			v.Exp = exp
			nums = ints
		} else {
			v.RawBits = true
		}
	}
	if len(nums) == 0 {
		v.Form = FormConst
		return
	}
	base, scale, highest := affine(nums)
	v.setAffine(nums, base, scale, highest)
}

// setAffine stores nums, each base + scale × code with codes up to highest.
func (v *Vector) setAffine(nums []uint64, base int64, scale, highest uint64) {
	v.Base, v.Scale = base, int64(scale)
	b := uint64(base)
	switch {
	case highest == 0:
		v.Form, v.Const = FormConst, 0
	case highest < 1<<8:
		v.Form, v.U8 = Form8, affineCodes[uint8](nums, b, scale)
	case highest < 1<<16:
		v.Form, v.U16 = Form16, affineCodes[uint16](nums, b, scale)
	case highest < 1<<32:
		v.Form, v.U32 = Form32, affineCodes[uint32](nums, b, scale)
	default:
		v.Form, v.U64 = Form64, affineCodes[uint64](nums, b, scale)
	}
}

func affineCodes[T uints](nums []uint64, base, scale uint64) []T {
	out := make([]T, len(nums))
	if scale == 1 {
		for i, n := range nums {
			out[i] = T(n - base)
		}
		return out
	}
	d := newDivider(scale)
	for i, n := range nums {
		out[i] = T(d.divide(n - base))
	}
	return out
}

// divider divides multiples of a number exactly, by multiplication: shift out the powers of two,
// then multiply by the inverse of the odd rest modulo 2^64.
type divider struct {
	shift   int
	inverse uint64
}

func newDivider(n uint64) divider {
	d := divider{shift: bits.TrailingZeros64(n)}
	odd := n >> d.shift
	d.inverse = odd
	for range 5 {
		d.inverse *= 2 - odd*d.inverse
	}
	return d
}

func (d divider) divide(multiple uint64) uint64 { return multiple >> d.shift * d.inverse }

// affine finds base, scale and the highest code with which every number is base + scale × code. The
// numbers are int64 in wrapping arithmetic, so codes reach the whole range.
func affine(nums []uint64) (base int64, scale, highest uint64) {
	lo, hi := int64(nums[0]), int64(nums[0])
	for _, n := range nums {
		lo, hi = min(lo, int64(n)), max(hi, int64(n))
	}
	span := uint64(hi) - uint64(lo)
	if span == 0 {
		return lo, 1, 0
	}
	g := span
	d := newDivider(g)
	limit := ^uint64(0) / g
	for _, n := range nums {
		x := n - uint64(lo)
		// A multiple of g divides to at most limit, and only multiples do.
		if x>>d.shift<<d.shift == x && x>>d.shift*d.inverse <= limit {
			continue
		}
		if g = gcd(g, x); g == 1 {
			break
		}
		d = newDivider(g)
		limit = ^uint64(0) / g
	}
	return lo, g, span / g
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
