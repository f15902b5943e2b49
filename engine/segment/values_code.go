package segment

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"cairn/index/packed"
)

// How the values of a block are written: a byte, then
//
//	valuesNone     nothing: the block has no values
//	valuesConst    the code
//	valuesPacked   lowest code, width, codes less the lowest in bits
//	valuesRuns     count, codes of the runs (as packed), lengths - 1 (patched)
//	valuesByUser   one code for each user's stretch of values: count, codes (as packed)
//	valuesBytes    lowest code, codes less the lowest in a byte each: for compression
//	numsAffine     decimal exponent, base (zigzag), scale, highest code, codes (patched)
//	numsByUser     the same; codes as the first of each user's stretch (patched), then the
//	               differences within the stretches, zigzag (patched)
//	numsAscending  the same, but differences are never negative and stand as they are
const (
	valuesNone = iota
	valuesConst
	valuesPacked
	valuesRuns
	valuesByUser
	valuesBytes
	numsAffine
	numsByUser
	numsAscending
)

// rawExp as decimal exponent says that the numbers are the bits of floats.
const rawExp = 0xFF

// stretches cuts the values of a block by user: ends[i] is where the values of the i-th user that
// has any end. For a column with a value in every row they are the users' runs.
type stretches []uint32

// stretchesOf finds the stretches of the values in a block from the block-relative ends of its
// users' runs.
func stretchesOf(userEnds []uint32, present *Presence) stretches {
	if present == nil {
		return userEnds
	}
	out := make(stretches, 0, len(userEnds))
	last := uint32(0)
	for _, end := range userEnds {
		n := uint32(present.Count)
		if int(end>>6) < len(present.Words) {
			w := present.Words[end>>6]
			n = uint32(present.Rank[end>>6]) + uint32(bits.OnesCount64(w&(1<<(end&63)-1)))
		}
		if n > last {
			out = append(out, n)
			last = n
		}
	}
	return out
}

// appendPackedCodes writes lowest, width and packed codes.
func appendPackedCodes(dst []byte, codes []uint32) []byte {
	lo, hi := codes[0], codes[0]
	for _, c := range codes {
		lo, hi = min(lo, c), max(hi, c)
	}
	dst = binary.AppendUvarint(dst, uint64(lo))
	width := bits.Len32(hi - lo)
	dst = append(dst, byte(width))
	return packed.Append(dst, codes, lo, width)
}

// packedCodes reads n codes below limit.
func packedCodes[T uints](c *cursor, n, limit int) []T {
	lo := c.count(limit)
	width := int(c.byte())
	if width > 32 {
		c.fail()
	}
	src := c.bytes(packed.Len(n, width))
	if c.err != nil {
		return nil
	}
	out := make([]T, n)
	packed.Unpack(out, src, T(lo), width)
	if uint64(lo)+1<<width > uint64(limit) {
		for _, x := range out {
			if uint64(x) >= uint64(limit) {
				c.fail()
				return nil
			}
		}
	}
	return out
}

// appendCodesValues writes dictionary codes in the shortest way.
func appendCodesValues(dst []byte, codes []uint32, cut stretches) []byte {
	if len(codes) == 0 {
		return append(dst, valuesNone)
	}
	runs := 1
	lo, hi := codes[0], codes[0]
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			runs++
		}
		lo, hi = min(lo, codes[i]), max(hi, codes[i])
	}
	if runs == 1 {
		return binary.AppendUvarint(append(dst, valuesConst), uint64(codes[0]))
	}
	width := bits.Len32(hi - lo)
	flat := packed.Len(len(codes), width)
	byUser := len(cut) < len(codes) && sameInStretches(codes, cut)
	if byUser && (len(cut) <= runs || len(cut)*width <= runs*(width+4)) && packed.Len(len(cut), width) < flat {
		firsts := make([]uint32, 0, len(cut))
		from := uint32(0)
		for _, end := range cut {
			firsts = append(firsts, codes[from])
			from = end
		}
		dst = binary.AppendUvarint(append(dst, valuesByUser), uint64(len(cut)))
		return appendPackedCodes(dst, firsts)
	}
	if runs*(width+2)/8 < flat {
		run := appendRuns(nil, codes, runs)
		if len(run) < flat+6 {
			return append(dst, run...)
		}
	}
	return appendPackedCodes(append(dst, valuesPacked), codes)
}

func appendRuns(dst []byte, codes []uint32, runs int) []byte {
	runCodes, lengths := make([]uint32, 0, runs), make([]uint64, 0, runs)
	for i, c := range codes {
		if i > 0 && c == codes[i-1] {
			lengths[len(lengths)-1]++
			continue
		}
		runCodes, lengths = append(runCodes, c), append(lengths, 0)
	}
	dst = binary.AppendUvarint(append(dst, valuesRuns), uint64(runs))
	return packed.AppendPatched(appendPackedCodes(dst, runCodes), lengths)
}

func sameInStretches(codes []uint32, cut stretches) bool {
	from := uint32(0)
	for _, end := range cut {
		for i := from + 1; i < end; i++ {
			if codes[i] != codes[from] {
				return false
			}
		}
		from = end
	}
	return true
}

// codesValues reads dictionary codes below limit into v, whose Len is set.
func (c *cursor) codesValues(v *Vector, limit int, cut func() (stretches, error)) error {
	switch c.byte() {
	case valuesNone:
		v.Form = FormConst
		if v.Len != 0 {
			c.fail()
		}
	case valuesConst:
		v.Form, v.Const = FormConst, c.uvarint()
		if v.Const >= uint64(limit) {
			c.fail()
		}
	case valuesPacked:
		switch {
		case limit <= 1<<8:
			v.Form, v.U8 = Form8, packedCodes[uint8](c, v.Len, limit)
		case limit <= 1<<16:
			v.Form, v.U16 = Form16, packedCodes[uint16](c, v.Len, limit)
		default:
			v.Form, v.U32 = Form32, packedCodes[uint32](c, v.Len, limit)
		}
	case valuesBytes:
		lo := uint32(c.count(limit))
		src := c.bytes(v.Len)
		if c.err != nil {
			return c.err
		}
		highest := byte(0)
		for _, b := range src {
			highest = max(highest, b)
		}
		switch {
		case int(lo)+int(highest) >= limit:
			c.fail()
		case limit <= 1<<8 && lo == 0:
			v.Form, v.U8 = Form8, slices.Clone(src)
		case limit <= 1<<8:
			v.Form, v.U8 = Form8, shifted[uint8](src, lo)
		case limit <= 1<<16:
			v.Form, v.U16 = Form16, shifted[uint16](src, lo)
		default:
			v.Form, v.U32 = Form32, shifted[uint32](src, lo)
		}
	case valuesRuns:
		return c.runs(v, limit)
	case valuesByUser:
		n := c.count(v.Len)
		ends, err := cut()
		if err != nil {
			return err
		}
		if n != len(ends) || n == 0 || int(ends[n-1]) != v.Len {
			c.fail()
			return c.err
		}
		v.setRuns(ends, packedCodes[uint32](c, n, limit))
	default:
		c.fail()
	}
	return c.err
}

func shifted[T uints](src []byte, lo uint32) []T {
	out := make([]T, len(src))
	for i, b := range src {
		out[i] = T(b) + T(lo)
	}
	return out
}

func (c *cursor) runs(v *Vector, limit int) error {
	n := c.count(v.Len)
	codes := packedCodes[uint32](c, n, limit)
	lengths := make([]uint64, n)
	c.patched(lengths)
	if c.err != nil {
		return c.err
	}
	ends := make([]uint32, n)
	end := uint64(0)
	for i, l := range lengths {
		if l >= uint64(v.Len) {
			c.fail()
			return c.err
		}
		end += l + 1
		ends[i] = uint32(min(end, 1<<31))
	}
	if end != uint64(v.Len) {
		c.fail()
		return c.err
	}
	v.setRuns(ends, codes)
	return c.err
}

// setRuns stores runs, as such if they are long enough to save memory. Neighbours of one code are
// joined.
func (v *Vector) setRuns(ends, codes []uint32) {
	if len(codes) != len(ends) || len(codes) == 0 {
		return // the cursor has failed
	}
	runs := 1
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			runs++
		}
	}
	if runs > 1 && runs*4 > v.Len {
		all := make([]uint32, v.Len)
		from := uint32(0)
		for i, end := range ends {
			for j := from; j < end; j++ {
				all[j] = codes[i]
			}
			from = end
		}
		v.setCodes(all)
		return
	}
	if runs == 1 {
		v.Form, v.Const = FormConst, uint64(codes[0])
		return
	}
	v.Form = FormRuns
	v.Ends, v.RunCodes = make([]uint32, 0, runs), make([]uint32, 0, runs)
	for i, code := range codes {
		if n := len(v.Ends); n > 0 && v.RunCodes[n-1] == code {
			v.Ends[n-1] = ends[i]
			continue
		}
		v.Ends, v.RunCodes = append(v.Ends, ends[i]), append(v.RunCodes, code)
	}
}
