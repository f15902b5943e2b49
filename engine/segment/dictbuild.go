package segment

import (
	"math"
	"slices"

	"cairn/engine/event"

	"github.com/cespare/xxhash/v2"
)

// dictBuilder collects the values of a column under provisional numbers and then ranks them.
// Texts and the other values are numbered apart; the latter carry numberFlag.
type dictBuilder struct {
	texts []string
	// textKinds are the kinds of texts; nil while all are strings.
	textKinds []event.Kind
	table     []uint32 // open addressing over texts: index + 1
	hashes    []uint32
	// repeats counts texts that the table already had; once they turn out to be rare texts are
	// no longer looked up, and sorting removes the repeats.
	repeats, asked int
	unique         bool

	nums numTable

	textRank, numRank []uint32
}

const numberFlag = 1 << 31

// text returns the provisional number of a text, which is kept without copying.
func (b *dictBuilder) text(kind event.Kind, s string) uint32 {
	if !b.unique {
		b.asked++
		if len(b.texts)*2 >= len(b.table) {
			b.grow()
		}
		h := xxhash.Sum64String(s) + uint64(kind)*0x9E3779B97F4A7C15
		mask := uint32(len(b.table) - 1)
		slot := uint32(h) & mask
		for ; b.table[slot] != 0; slot = (slot + 1) & mask {
			i := b.table[slot] - 1
			if b.hashes[i] == uint32(h>>32) && b.texts[i] == s && b.textKind(i) == kind {
				b.repeats++
				return i
			}
		}
		b.table[slot] = uint32(len(b.texts)) + 1
		b.hashes = append(b.hashes, uint32(h>>32))
		if b.asked >= 8192 && b.repeats*4 < b.asked {
			b.unique = true
			b.table, b.hashes = nil, nil
		}
	}
	if kind != event.KindString && b.textKinds == nil {
		b.textKinds = make([]event.Kind, len(b.texts), len(b.texts)+16)
		for i := range b.textKinds {
			b.textKinds[i] = event.KindString
		}
	}
	if b.textKinds != nil {
		b.textKinds = append(b.textKinds, kind)
	}
	b.texts = append(b.texts, s)
	return uint32(len(b.texts)) - 1
}

func (b *dictBuilder) textKind(i uint32) event.Kind {
	if b.textKinds == nil {
		return event.KindString
	}
	return b.textKinds[i]
}

func (b *dictBuilder) grow() {
	size := max(64, 4*len(b.table))
	b.table = make([]uint32, size)
	mask := uint32(size - 1)
	for i, s := range b.texts {
		h := xxhash.Sum64String(s) + uint64(b.textKind(uint32(i)))*0x9E3779B97F4A7C15
		slot := uint32(h) & mask
		for b.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		b.table[slot] = uint32(i) + 1
	}
}

// number returns the provisional number of a null, bool, int or float.
func (b *dictBuilder) number(kind event.Kind, bits uint64) uint32 {
	i, _ := b.nums.add(kind, bits, math.MaxInt32)
	return i | numberFlag
}

// value returns the provisional number of any value.
func (b *dictBuilder) value(v event.Value) uint32 {
	switch k := v.Kind(); k {
	case event.KindString, event.KindList, event.KindObject:
		return b.text(k, v.Text())
	default:
		return b.number(k, v.Bits())
	}
}

// finish sorts the values into a dictionary. Afterwards code maps provisional numbers. An error
// means that the texts are too long for one dictionary.
func (b *dictBuilder) finish() (*Dictionary, error) {
	d := &Dictionary{}
	d.kinds, d.nums, b.numRank = b.nums.sorted()
	base := uint32(len(d.kinds))
	d.lists, d.objects = base, base
	if len(b.texts) == 0 {
		return d, nil
	}
	b.textRank = make([]uint32, len(b.texts))
	size := 0
	for _, s := range b.texts {
		size += len(s)
	}
	if size > maxDictBytes {
		return nil, errTooLarge
	}
	d.blob = make([]byte, 0, size)
	d.offsets = make([]uint32, 1, len(b.texts)+1)
	for _, kind := range []event.Kind{event.KindString, event.KindList, event.KindObject} {
		var numbers []uint32
		switch {
		case b.textKinds == nil && kind == event.KindString:
			numbers = make([]uint32, len(b.texts))
			for i := range numbers {
				numbers[i] = uint32(i)
			}
		case b.textKinds != nil:
			for i, k := range b.textKinds {
				if k == kind {
					numbers = append(numbers, uint32(i))
				}
			}
		}
		switch kind {
		case event.KindList:
			d.lists = uint32(d.Len())
		case event.KindObject:
			d.objects = uint32(d.Len())
		}
		for i, n := range sortTexts(b.texts, numbers) {
			if i == 0 || b.texts[n] != b.texts[numbers[i-1]] {
				d.blob = append(d.blob, b.texts[n]...)
				d.offsets = append(d.offsets, uint32(len(d.blob)))
			}
			b.textRank[n] = uint32(d.Len()) - 1
		}
	}
	if len(d.offsets)*2 < cap(d.offsets) || len(d.blob)*2 < cap(d.blob) {
		d.offsets, d.blob = slices.Clone(d.offsets), slices.Clone(d.blob)
	}
	return d, nil
}

// code maps a provisional number to a code after finish.
func (b *dictBuilder) code(provisional uint32) uint32 {
	if provisional&numberFlag != 0 {
		return b.numRank[provisional&^numberFlag]
	}
	return b.textRank[provisional]
}

// numTable numbers distinct (kind, bits) pairs in order of appearance.
type numTable struct {
	kinds []event.Kind
	bits  []uint64
	table []uint32 // index + 1
}

// add returns the number of the pair; false if it would be the one after limit pairs.
func (t *numTable) add(kind event.Kind, bits uint64, limit int) (uint32, bool) {
	if len(t.bits)*2 >= len(t.table) {
		t.grow()
	}
	mask := uint32(len(t.table) - 1)
	slot := hashNum(kind, bits) & mask
	for ; t.table[slot] != 0; slot = (slot + 1) & mask {
		if i := t.table[slot] - 1; t.bits[i] == bits && t.kinds[i] == kind {
			return i, true
		}
	}
	if len(t.bits) >= limit {
		return 0, false
	}
	t.bits = append(t.bits, bits)
	t.kinds = append(t.kinds, kind)
	t.table[slot] = uint32(len(t.bits))
	return uint32(len(t.bits)) - 1, true
}

func hashNum(kind event.Kind, bits uint64) uint32 {
	return uint32((bits + uint64(kind)) * 0x9E3779B97F4A7C15 >> 32)
}

func (t *numTable) grow() {
	size := max(64, 4*len(t.table))
	t.table = make([]uint32, size)
	mask := uint32(size - 1)
	for i, bits := range t.bits {
		slot := hashNum(t.kinds[i], bits) & mask
		for t.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.table[slot] = uint32(i) + 1
	}
}

// sorted returns the pairs in the order of values and the place of each in it.
func (t *numTable) sorted() (kinds []event.Kind, bits []uint64, rank []uint32) {
	n := len(t.bits)
	order := make([]uint32, n)
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return compareNums(t.kinds[a], t.bits[a], t.kinds[b], t.bits[b])
	})
	kinds, bits, rank = make([]event.Kind, n), make([]uint64, n), make([]uint32, n)
	for i, j := range order {
		kinds[i], bits[i], rank[j] = t.kinds[j], t.bits[j], uint32(i)
	}
	return kinds, bits, rank
}

// compareNums is event.Compare, made a total order on bits: -0.0 and 0.0 differ.
func compareNums(ka event.Kind, a uint64, kb event.Kind, b uint64) int {
	if c := event.Compare(event.FromBits(ka, a, ""), event.FromBits(kb, b, "")); c != 0 || a == b {
		return c
	}
	if a > b {
		return 1
	}
	return -1
}
