package exec

import (
	"math/bits"

	"cairn/engine/event"
)

// interner numbers distinct values from 0 in order of first appearance. Values are canonical, so
// that 1 and 1.0 have one number, unless they are to be exact; absent is null. Not safe for concurrent use.
type interner struct {
	numbers map[event.Value]uint32
	values  []event.Value
	account account
	exact   bool // 1 and 1.0 are two values
	apart   bool // absent and null are two values
}

// internedBytes is about what one entry costs beside its text.
const internedBytes = 96

func newInterner(budget *Budget, purpose string) *interner {
	return &interner{numbers: map[event.Value]uint32{}, account: account{budget: budget, purpose: purpose}}
}

// intern returns the number of v.
func (in *interner) intern(v event.Value) uint32 {
	if !in.exact {
		v = v.Canonical()
	}
	if !v.Exists() && !in.apart {
		v = event.Null
	}
	if n, ok := in.numbers[v]; ok {
		return n
	}
	n := uint32(len(in.values))
	in.numbers[v] = n
	in.values = append(in.values, v)
	in.account.add(internedBytes + len(v.Text()))
	return n
}

// pairTable numbers distinct pairs from 0 in order of first appearance. The zero value is ready.
type pairTable struct{ pairs numberMap }

func (t *pairTable) number(a, b uint32) uint32 { return t.pairs.number(uint64(a)<<32 | uint64(b)) }

// pair returns the two numbers behind a number.
func (t *pairTable) pair(n uint32) (a, b uint32) {
	p := t.pairs.keys[n]
	return uint32(p >> 32), uint32(p)
}

func (t *pairTable) len() int { return len(t.pairs.keys) }

func (t *pairTable) sizeBytes() int { return 4*len(t.pairs.slots) + 8*cap(t.pairs.keys) }

func hashKey(key uint64) uint32 {
	high, low := bits.Mul64(key^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return uint32(high ^ low)
}

// numberMap numbers distinct 64-bit keys from 0 in order of first appearance; raw numeric columns are
// grouped by it. The zero value is ready.
type numberMap struct {
	slots []uint32 // number + 1, 0 is free
	keys  []uint64
}

func (t *numberMap) number(key uint64) uint32 {
	if len(t.keys)*2 >= len(t.slots) {
		t.grow()
	}
	mask := uint32(len(t.slots) - 1)
	for slot := hashKey(key) & mask; ; slot = (slot + 1) & mask {
		n := t.slots[slot]
		if n == 0 {
			t.keys = append(t.keys, key)
			t.slots[slot] = uint32(len(t.keys))
			return uint32(len(t.keys)) - 1
		}
		if t.keys[n-1] == key {
			return n - 1
		}
	}
}

func (t *numberMap) grow() {
	size := max(64, 4*len(t.slots))
	t.slots = make([]uint32, size)
	mask := uint32(size - 1)
	for i, key := range t.keys {
		slot := hashKey(key) & mask
		for t.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.slots[slot] = uint32(i) + 1
	}
}
