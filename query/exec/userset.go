package exec

import (
	"math/bits"
	"slices"

	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2"
)

// idSet is a set of numbers below a known bound (dense user ids, interned values): a list while it
// is small, a bitmap of the whole space when that is smaller. The zero value is empty.
type idSet struct {
	list  []uint32 // with repeats while unsorted
	words []uint64 // nil while list is in use
}

// listMax is the number of members up to which a list is smaller than a bitmap of ids below bound.
func listMax(bound int) int { return max(32, bound/64) }

// add adds id; bound is larger than every id that the set will ever see. It returns by how many
// bytes the set grew.
func (s *idSet) add(id uint32, bound int) int { return s.addMost(id, bound, listMax(bound)) }

// addMost is add to a set that becomes a bitmap with more than most members.
func (s *idSet) addMost(id uint32, bound, most int) int {
	if s.words != nil {
		if w := int(id >> 6); w < len(s.words) {
			s.words[w] |= 1 << (id & 63)
			return 0
		}
		return s.addBeyond(id)
	}
	if n := len(s.list); n > 0 && s.list[n-1] == id {
		return 0
	}
	if len(s.list) < cap(s.list) {
		s.list = append(s.list, id)
		return 0
	}
	return s.growFor(id, bound, most)
}

func (s *idSet) growFor(id uint32, bound, most int) int {
	before := s.sizeBytes()
	if len(s.list) >= 32 {
		s.compact()
	}
	switch {
	case len(s.list) > most:
		s.toWords(bound)
		s.words[id>>6] |= 1 << (id & 63)
	case len(s.list) > cap(s.list)/2 || cap(s.list) == 0:
		list := make([]uint32, len(s.list), max(4, 2*cap(s.list)))
		copy(list, s.list)
		s.list = append(list, id)
	default:
		s.list = append(s.list, id)
	}
	return s.sizeBytes() - before
}

func (s *idSet) addBeyond(id uint32) int {
	before := s.sizeBytes()
	s.words = append(s.words, make([]uint64, int(id>>6)+1-len(s.words))...)
	s.words[id>>6] |= 1 << (id & 63)
	return s.sizeBytes() - before
}

// compact sorts the list and drops repeats.
func (s *idSet) compact() {
	slices.Sort(s.list)
	s.list = slices.Compact(s.list)
}

func (s *idSet) toWords(bound int) {
	s.words = make([]uint64, bound/64+1)
	for _, id := range s.list {
		if w := int(id >> 6); w >= len(s.words) {
			s.words = append(s.words, make([]uint64, w+1-len(s.words))...)
		}
		s.words[id>>6] |= 1 << (id & 63)
	}
	s.list = nil
}

// addBitmap adds every member of b.
func (s *idSet) addBitmap(b *roaring.Bitmap, bound int) {
	if s.words == nil && len(s.list)+int(b.GetCardinality()) > listMax(bound) {
		s.toWords(bound)
	}
	if s.words != nil && b.GetCardinality() > uint64(len(s.words)) && int(b.Maximum()>>6) < len(s.words) {
		other := index.TakeWords((len(s.words) + 1023) &^ 1023)
		b.WriteDenseTo(other)
		for i := range s.words {
			s.words[i] |= other[i]
		}
		index.PutWords(other)
		return
	}
	it := b.ManyIterator()
	var buffer [512]uint32
	for n := it.NextMany(buffer[:]); n > 0; n = it.NextMany(buffer[:]) {
		for _, id := range buffer[:n] {
			s.add(id, bound)
		}
	}
}

// merge adds the members of o, which stays as it is.
func (s *idSet) merge(o *idSet, bound int) {
	if o.words == nil {
		for _, id := range o.list {
			s.add(id, bound)
		}
		return
	}
	if s.words == nil {
		s.toWords(max(bound, 64*len(o.words)-1))
	}
	if len(o.words) > len(s.words) {
		s.words = append(s.words, make([]uint64, len(o.words)-len(s.words))...)
	}
	for i, w := range o.words {
		s.words[i] |= w
	}
}

// count returns the number of members.
func (s *idSet) count() int {
	if s.words == nil {
		s.compact()
		return len(s.list)
	}
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// each calls f for every member in ascending order.
func (s *idSet) each(f func(id uint32)) {
	if s.words == nil {
		s.compact()
		for _, id := range s.list {
			f(id)
		}
		return
	}
	for i, w := range s.words {
		for ; w != 0; w &= w - 1 {
			f(uint32(i<<6 + bits.TrailingZeros64(w)))
		}
	}
}

func (s *idSet) sizeBytes() int { return 4*cap(s.list) + 8*cap(s.words) }
