package segment

import (
	"encoding/binary"
	"slices"
	"sync"

	"cairn/engine/event"
	"cairn/index/packed"
)

// appendNums writes numbers in the shortest way. cut is nil where the values of one user are not
// near each other, so that differences need not be tried.
func appendNums(dst []byte, nums []uint64, kind event.Kind, cut stretches) []byte {
	if len(nums) == 0 {
		return append(dst, valuesNone)
	}
	exp := uint8(0)
	if kind == event.KindFloat {
		if ints, e, ok := decimals(nums); ok {
			nums, exp = ints, e
		} else {
			exp = rawExp
		}
	}
	base, scale, highest := affine(nums)
	head := func(form byte) []byte {
		h := append(make([]byte, 0, 32), form, exp)
		h = binary.AppendUvarint(h, zigzag(base))
		h = binary.AppendUvarint(h, scale)
		return binary.AppendUvarint(h, highest)
	}
	if highest == 0 {
		return append(dst, head(numsAffine)...)
	}
	codes := affineCodes[uint64](nums, uint64(base), scale)
	plain := packed.AppendPatched(head(numsAffine), codes)
	if cut == nil || len(cut) == len(nums) {
		return append(dst, plain...)
	}
	firsts, steps := make([]uint64, 0, len(cut)), make([]uint64, 0, len(nums)-len(cut))
	ascending := true
	from := uint32(0)
	for _, end := range cut {
		firsts = append(firsts, codes[from])
		for i := from + 1; i < end; i++ {
			step := codes[i] - codes[i-1]
			ascending = ascending && codes[i] >= codes[i-1]
			steps = append(steps, step)
		}
		from = end
	}
	form := byte(numsAscending)
	if !ascending {
		form = numsByUser
		for i, s := range steps {
			steps[i] = zigzag(int64(s))
		}
	}
	byUser := packed.AppendPatched(packed.AppendPatched(head(form), firsts), steps)
	if len(byUser) < len(plain) {
		return append(dst, byUser...)
	}
	return append(dst, plain...)
}

// nums reads numbers into v, whose Len and Kind are set.
func (c *cursor) nums(v *Vector, cut func() (stretches, error)) error {
	form := c.byte()
	v.Scale = 1
	if form == valuesNone {
		v.Form = FormConst
		if v.Len != 0 {
			c.fail()
		}
		return c.err
	}
	exp := c.byte()
	v.Base, v.Scale = unzigzag(c.uvarint()), int64(c.uvarint())
	highest := c.uvarint()
	switch {
	case exp == rawExp && v.Kind == event.KindFloat:
		v.RawBits = true
	case exp > maxDecimalExp || exp > 0 && v.Kind != event.KindFloat:
		c.fail()
	default:
		v.Exp = exp
	}
	if v.Len == 0 {
		c.fail()
	}
	if c.err != nil || highest == 0 {
		v.Form = FormConst
		return c.err
	}
	// The codes are decoded in a borrowed buffer unless they stay as wide as they are.
	buffer := numBuffers.Get().(*numBuffer)
	defer numBuffers.Put(buffer)
	codes := buffer.codes[:v.Len]
	switch form {
	case numsAffine:
		c.patched(codes)
	case numsByUser, numsAscending:
		ends, err := cut()
		if err != nil {
			return err
		}
		if len(ends) == 0 || int(ends[len(ends)-1]) != v.Len {
			c.fail()
			return c.err
		}
		firsts, steps := buffer.steps[:len(ends)], buffer.steps[len(ends):v.Len]
		c.patched(firsts)
		c.patched(steps)
		undoSteps(codes, firsts, steps, ends, form == numsByUser)
	default:
		c.fail()
	}
	if c.err != nil {
		return c.err
	}
	for _, x := range codes {
		if x > highest {
			c.fail()
			return c.err
		}
	}
	switch {
	case highest < 1<<8:
		v.Form, v.U8 = Form8, narrow[uint8](codes)
	case highest < 1<<16:
		v.Form, v.U16 = Form16, narrow[uint16](codes)
	case highest < 1<<32:
		v.Form, v.U32 = Form32, narrow[uint32](codes)
	default:
		v.Form, v.U64 = Form64, slices.Clone(codes)
	}
	return nil
}

// numBuffer has room for the numbers of a block.
type numBuffer struct{ codes, steps [BlockRows]uint64 }

var numBuffers = sync.Pool{New: func() any { return new(numBuffer) }}

func undoSteps(codes, firsts, steps []uint64, ends stretches, signed bool) {
	from := uint32(0)
	for i, end := range ends {
		x := firsts[i]
		codes[from] = x
		run := steps[:end-from-1]
		steps = steps[end-from-1:]
		out := codes[from+1 : end]
		if signed {
			for j, s := range run {
				x += uint64(unzigzag(s))
				out[j] = x
			}
		} else {
			for j, s := range run {
				x += s
				out[j] = x
			}
		}
		from = end
	}
}
