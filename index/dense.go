package index

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// denseMin is the size of the smallest set, in bytes, from which sets are intersected as plain bitmaps.
// Postings of columns that are constant within a session are mostly short runs, through which a roaring
// intersection goes run by run, with a binary search for each.
const denseMin = 1024

// denseWords is how many words a segment of rows rows takes: whole containers.
func denseWords(rows int) int { return (rows + 1<<16 - 1) >> 16 << 10 }

var densePool sync.Pool // of *[]uint64

// TakeWords returns n zeroed words; give them back with PutWords, unless they are kept.
func TakeWords(n int) []uint64 {
	if p, ok := densePool.Get().(*[]uint64); ok && cap(*p) >= n {
		words := (*p)[:n]
		clear(words)
		return words
	}
	return make([]uint64, n)
}

// PutWords gives words back for another use.
func PutWords(words []uint64) { densePool.Put(&words) }

// spread writes a set out. The words belong to the caller.
func (s Rows) spread(rows int) []uint64 {
	words := TakeWords(denseWords(rows))
	switch {
	case s.words != nil:
		copy(words, s.words)
	case s.bits != nil:
		s.bits.WriteDenseTo(words)
	}
	if s.not {
		for i := range words {
			words[i] = ^words[i]
		}
		trim(words, rows)
	}
	return words
}

// trim clears the bits of rows that the segment does not have.
func trim(words []uint64, rows int) {
	last := rows >> 6
	if last < len(words) {
		words[last] &= 1<<(rows&63) - 1
		clear(words[last+1:])
	}
}

// intersectDense returns the rows that are in all of the sets.
func intersectDense(sets []Rows, rows int) []uint64 {
	words := sets[0].spread(rows)
	for _, s := range sets[1:] {
		other := s.spread(rows)
		for i, w := range other[:len(words)] {
			words[i] &= w
		}
		PutWords(other)
	}
	return words
}

func countDense(words []uint64) int {
	n := 0
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Intersect returns the rows that are in all of the sets, which come by size.
func Intersect(sets []Rows, rows int) Rows {
	if len(sets) == 1 {
		return sets[0]
	}
	if sets[0].SizeBytes() < denseMin {
		set := sets[0]
		for _, o := range sets[1:] {
			set = set.And(o)
		}
		return set
	}
	words := intersectDense(sets, rows)
	return Rows{words: words, size: countDense(words)}
}

// IntersectCount returns how many rows are in all of the sets.
func IntersectCount(sets []Rows, rows int) int {
	n := len(sets)
	if sets[0].SizeBytes() < denseMin {
		set := sets[0]
		for _, o := range sets[1 : n-1] {
			set = set.And(o)
		}
		return set.AndCount(sets[n-1], rows)
	}
	words := intersectDense(sets, rows)
	defer PutWords(words)
	return countDense(words)
}

// roaring turns a plain bitmap into the other form.
func (s Rows) roaring() Rows {
	if s.words == nil {
		return s
	}
	return Rows{bits: roaring.FromDense(s.words, false), not: s.not}
}

// appendBits appends the set bits of rows [from, to), relative to from, which is a multiple of 64.
func appendBits(dst []uint16, words []uint64, from, to int) []uint16 {
	words = words[from>>6 : (to+63)>>6]
	n := len(dst)
	for i, w := range words {
		if w == 0 {
			continue
		}
		if i == len(words)-1 && to&63 != 0 {
			w &= 1<<(to&63) - 1
		}
		if n+64 > cap(dst) {
			dst = slices.Grow(dst[:n], 64+len(dst)/2)
		}
		room := dst[n : n+64]
		members := bits.OnesCount64(w)
		for k := range members {
			room[k&63] = uint16(i<<6 + bits.TrailingZeros64(w))
			w &= w - 1
		}
		n += members
	}
	return dst[:n]
}

// appendUnset is appendBits of the bits that are not set.
func appendUnset(dst []uint16, words []uint64, from, to int) []uint16 {
	for row := from; row < to; row++ {
		if words[row>>6]&(1<<(row&63)) == 0 {
			dst = append(dst, uint16(row-from))
		}
	}
	return dst
}

// Union returns the rows of a segment of rows rows that are in any of the sets, as a plain bitmap.
func Union(sets []Rows, rows int) Rows {
	words := TakeWords(denseWords(rows))
	for _, s := range sets {
		if s.bits == nil || s.not || s.bits.GetCardinality() > uint64(len(words)) {
			other := s.spread(rows)
			for i, w := range other[:len(words)] {
				words[i] |= w
			}
			PutWords(other)
			continue
		}
		it := s.bits.ManyIterator()
		var buffer [512]uint32
		for n := it.NextMany(buffer[:]); n > 0; n = it.NextMany(buffer[:]) {
			for _, row := range buffer[:n] {
				words[row>>6] |= 1 << (row & 63)
			}
		}
	}
	return Rows{words: words, size: countDense(words)}
}

// Plain reports whether the set is held as a plain bitmap; see AppendBetween.
func (s Rows) Plain() bool { return s.words != nil && !s.not }

// AppendBetween appends the rows [from, to) of a plain bitmap to dst, relative to origin. No row may lie
// 65,536 or more behind origin.
func (s Rows) AppendBetween(dst []uint16, from, to, origin int) []uint16 {
	if from >= to {
		return dst
	}
	first, last := from>>6, (to-1)>>6
	n := len(dst)
	if cap(dst)-n < to-from+64 {
		dst = slices.Grow(dst, to-from+64)
	}
	dst = dst[:cap(dst)]
	for i := first; i <= last; i++ {
		w := s.words[i]
		if i == first {
			w &= ^uint64(0) << (from & 63)
		}
		if i == last && to&63 != 0 {
			w &= 1<<(to&63) - 1
		}
		room := dst[n : n+64]
		base := i<<6 - origin
		members := bits.OnesCount64(w)
		for k := range members {
			room[k&63] = uint16(base + bits.TrailingZeros64(w))
			w &= w - 1
		}
		n += members
	}
	return dst[:n]
}
