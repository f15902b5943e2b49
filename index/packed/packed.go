// Package packed writes integers in few bits.
//
// Packed: value i takes bits i×width to (i+1)×width of the bytes, lowest bit first, so three values
// of 4 bits 1, 2, 3 are the bytes 0x21 0x03.
//
// Patched: numbers that are mostly small, in groups of 128 (the last may be shorter), each group with
// its own width; the few that need more bits are patched:
//
//	width byte | exceptions byte | packed low bits
//	| positions of the exceptions, a byte each | their upper bits, varints
//
// The numbers 1, 2, 1000, 3 are 02 01 | 0xC9 (1, 2, 0, 3) | 02 | 0xFA 0x01 (250 = 1000 >> 2).
package packed

import (
	"encoding/binary"
	"math/bits"
)

// Uint is any unsigned integer.
type Uint interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Len is the number of bytes of n values of width bits.
func Len(n, width int) int { return (n*width + 7) / 8 }

// Append packs the low width bits of value - base.
func Append[T Uint](dst []byte, values []T, base T, width int) []byte {
	if width == 0 {
		return dst
	}
	start := len(dst)
	dst = grow(dst, Len(len(values), width)+8)
	out := dst[start:]
	acc, filled, at := uint64(0), 0, 0
	mask := ^uint64(0) >> (64 - width)
	for _, x := range values {
		v := uint64(x-base) & mask
		acc |= v << filled
		filled += width
		if filled >= 64 {
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += 8
			filled -= 64
			acc = v >> (width - filled) // 0 when filled is 0 and width 64: shifts of 64 give 0
		}
	}
	if filled > 0 {
		binary.LittleEndian.PutUint64(out[at:], acc)
	}
	return dst[:start+Len(len(values), width)]
}

// Unpack fills out with values of width bits, plus base. len(src) is Len(len(out), width).
func Unpack[T Uint](out []T, src []byte, base T, width int) {
	if width == 0 {
		for i := range out {
			out[i] = base
		}
		return
	}
	n := 0
	switch {
	case width == 8:
		for i, b := range src[:len(out)] {
			out[i] = base + T(b)
		}
		return
	case width < 8:
		n = unpackSmall(out, src, base, width)
	case width <= 56:
		n = unpackWide(out, src, base, width)
	}
	unpackTail(out, src, base, width, n)
}

// unpackSmall unpacks eight values at a time from one load; it returns how many it did.
func unpackSmall[T Uint](out []T, src []byte, base T, width int) int {
	mask := uint64(1)<<width - 1
	w := uint(width)
	n := 0
	for n+8 <= len(out) && len(src) >= 8 {
		x := binary.LittleEndian.Uint64(src)
		o := out[n : n+8 : n+8]
		o[0] = base + T(x&mask)
		o[1] = base + T(x>>w&mask)
		o[2] = base + T(x>>(2*w)&mask)
		o[3] = base + T(x>>(3*w)&mask)
		o[4] = base + T(x>>(4*w)&mask)
		o[5] = base + T(x>>(5*w)&mask)
		o[6] = base + T(x>>(6*w)&mask)
		o[7] = base + T(x>>(7*w)&mask)
		src = src[width:]
		n += 8
	}
	return n
}

// unpackWide unpacks eight values at a time, one load each.
func unpackWide[T Uint](out []T, src []byte, base T, width int) int {
	mask := uint64(1)<<width - 1
	var at [8]int
	var shift [8]uint
	for i := range 8 {
		at[i], shift[i] = i*width>>3, uint(i*width&7)
	}
	last := at[7] + 8
	n := 0
	for n+8 <= len(out) && len(src) >= last {
		o := out[n : n+8 : n+8]
		s := src[:last]
		o[0] = base + T(binary.LittleEndian.Uint64(s)&mask)
		o[1] = base + T(binary.LittleEndian.Uint64(s[at[1]:])>>shift[1]&mask)
		o[2] = base + T(binary.LittleEndian.Uint64(s[at[2]:])>>shift[2]&mask)
		o[3] = base + T(binary.LittleEndian.Uint64(s[at[3]:])>>shift[3]&mask)
		o[4] = base + T(binary.LittleEndian.Uint64(s[at[4]:])>>shift[4]&mask)
		o[5] = base + T(binary.LittleEndian.Uint64(s[at[5]:])>>shift[5]&mask)
		o[6] = base + T(binary.LittleEndian.Uint64(s[at[6]:])>>shift[6]&mask)
		o[7] = base + T(binary.LittleEndian.Uint64(s[at[7]:])>>shift[7]&mask)
		src = src[width:]
		n += 8
	}
	return n
}

// unpackTail unpacks the values from n on one by one. n is a multiple of eight.
func unpackTail[T Uint](out []T, src []byte, base T, width, n int) {
	bit := n * width
	mask := ^uint64(0) >> (64 - width)
	for ; n < len(out); n++ {
		at, shift := bit>>3, bit&7
		var x uint64
		if at+8 <= len(src) {
			x = binary.LittleEndian.Uint64(src[at:]) >> shift
			if shift+width > 64 {
				x |= uint64(src[at+8]) << (64 - shift)
			}
		} else {
			for i := len(src) - 1; i >= at; i-- {
				x = x<<8 | uint64(src[i])
			}
			x >>= shift
		}
		out[n] = base + T(x&mask)
		bit += width
	}
}

// miniRows is the number of values that share a width in patched numbers.
const miniRows = 128

// AppendPatched encodes numbers that are mostly small.
func AppendPatched(dst []byte, values []uint64) []byte {
	for len(values) > 0 {
		n := min(miniRows, len(values))
		dst = appendGroup(dst, values[:n])
		values = values[n:]
	}
	return dst
}

func appendGroup(dst []byte, group []uint64) []byte {
	width, exceptions := patchedWidth(group)
	dst = append(dst, byte(width), byte(exceptions))
	dst = Append(dst, group, 0, width)
	if exceptions == 0 {
		return dst
	}
	for i, x := range group {
		if bits.Len64(x) > width {
			dst = append(dst, byte(i))
		}
	}
	for _, x := range group {
		if bits.Len64(x) > width {
			dst = binary.AppendUvarint(dst, x>>width)
		}
	}
	return dst
}

// patchedWidth chooses the width with the fewest bytes.
func patchedWidth(group []uint64) (width, exceptions int) {
	var wider [66]int // values longer than i bits
	longest := 0
	for _, x := range group {
		n := bits.Len64(x)
		wider[n]++
		longest = max(longest, n)
	}
	sum := 0
	for i := longest; i >= 0; i-- {
		sum, wider[i] = sum+wider[i], sum
	}
	width = longest
	best := Len(len(group), longest)
	for w := longest - 1; w >= 0; w-- {
		cost := Len(len(group), w) + wider[w]
		for l := w; l < longest; l += 7 {
			cost += wider[l]
		}
		if cost < best {
			best, width = cost, w
		}
		if wider[w] > len(group)/2 {
			break
		}
	}
	return width, wider[width]
}

// Patched decodes len(out) numbers written by AppendPatched and returns what follows them. ok is
// false if src is not such numbers.
func Patched(out []uint64, src []byte) (rest []byte, ok bool) {
	for len(out) > 0 {
		group := out[:min(miniRows, len(out))]
		if len(src) < 2 {
			return nil, false
		}
		width, exceptions := int(src[0]), int(src[1])
		size := 2 + Len(len(group), width)
		if width > 64 || exceptions > len(group) || len(src) < size+exceptions {
			return nil, false
		}
		Unpack(group, src[2:size], 0, width)
		positions := src[size : size+exceptions]
		src = src[size+exceptions:]
		for _, p := range positions {
			upper, n := binary.Uvarint(src)
			if n <= 0 || int(p) >= len(group) || width == 64 {
				return nil, false
			}
			src = src[n:]
			group[p] |= upper << width
		}
		out = out[len(group):]
	}
	return src, true
}

// grow lengthens dst by n.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		bigger := make([]byte, len(dst), 2*len(dst)+n)
		copy(bigger, dst)
		dst = bigger
	}
	return dst[:len(dst)+n]
}
