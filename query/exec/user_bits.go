package exec

import (
	"math/bits"

	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2"
)

// userBits is a set of dense user ids, a bit each. nil is the empty set; the others of a query have one
// length.
type userBits []uint64

// userBitsWords is the length of sets of users up to one: whole containers of a roaring bitmap.
func userBitsWords(last uint32) int { return (int(last>>16) + 1) << 10 }

// with returns the set with the members of a bitmap; words is the length of sets.
func (s userBits) with(b *roaring.Bitmap, words int) userBits {
	switch {
	case b.IsEmpty():
		return s
	case s == nil:
		s = make(userBits, words)
		b.WriteDenseTo(s)
		return s
	case b.GetCardinality() < uint64(words):
		it := b.ManyIterator()
		var buffer [512]uint32
		for n := it.NextMany(buffer[:]); n > 0; n = it.NextMany(buffer[:]) {
			for _, id := range buffer[:n] {
				s[id>>6] |= 1 << (id & 63)
			}
		}
		return s
	}
	other := index.TakeWords(words)
	b.WriteDenseTo(other)
	s.or(other)
	index.PutWords(other)
	return s
}

// or adds the members of another set, which may be empty; s may not.
func (s userBits) or(o userBits) {
	if o == nil {
		return
	}
	o = o[:len(s)]
	for i := range s {
		s[i] |= o[i]
	}
}

// union returns the members of both sets, in one of them if the other is empty.
func (s userBits) union(o userBits) userBits {
	if s == nil || o == nil {
		if s == nil {
			return o
		}
		return s
	}
	both := append(userBits(nil), s...)
	both.or(o)
	return both
}

// and keeps the members that another set has.
func (s userBits) and(o userBits) {
	if o == nil {
		clear(s)
		return
	}
	o = o[:len(s)]
	for i := range s {
		s[i] &= o[i]
	}
}

func (s userBits) count() int64 {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}

// countBoth counts the members that another set has too.
func (s userBits) countBoth(o userBits) int64 {
	if s == nil || o == nil {
		return 0
	}
	o = o[:len(s)]
	n := 0
	for i, w := range s {
		n += bits.OnesCount64(w & o[i])
	}
	return int64(n)
}

// eachBoth calls f for the members that another set has too, in ascending order.
func (s userBits) eachBoth(o userBits, f func(id uint32)) {
	if s == nil || o == nil {
		return
	}
	for i, w := range s {
		for w &= o[i]; w != 0; w &= w - 1 {
			f(uint32(i<<6 + bits.TrailingZeros64(w)))
		}
	}
}

// span returns the words [from, to) outside of which the set is empty.
func (s userBits) span() (from, to int) {
	to = len(s)
	for from < to && s[from] == 0 {
		from++
	}
	for to > from && s[to-1] == 0 {
		to--
	}
	return from, to
}

// part is the words [from, to) of a set, nil of none.
func (s userBits) part(from, to int) userBits {
	if s == nil {
		return nil
	}
	return s[from:to]
}
