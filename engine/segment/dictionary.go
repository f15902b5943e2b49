package segment

import (
	"sort"
	"strings"
	"unsafe"

	"cairn/engine/event"
)

// Dictionary holds the distinct values of a column in one segment. The code of a value is its
// place in the order of event.Compare, so ranges and prefixes are ranges of codes. It is immutable.
type Dictionary struct {
	kinds []event.Kind // nulls, bools and numbers: codes 0 to len(kinds)-1
	nums  []uint64     // their bits
	// Texts come after: strings, then lists, then objects.
	blob           []byte
	offsets        []uint32 // of text i in blob; one more than there are texts
	lists, objects uint32   // code of the first list, of the first object
}

// Len returns the number of values.
func (d *Dictionary) Len() int {
	if len(d.offsets) == 0 {
		return len(d.kinds)
	}
	return len(d.kinds) + len(d.offsets) - 1
}

// Value returns the value with the code. A string in it shares the dictionary's memory and stays
// valid for as long as it is referred to.
func (d *Dictionary) Value(code uint32) event.Value {
	if int(code) < len(d.kinds) {
		return event.FromBits(d.kinds[code], d.nums[code], "")
	}
	return event.FromBits(d.textKind(code), 0, d.text(code))
}

// Number returns the kind and the bits (event.Value.Bits) of the value with the code if it is a null, a
// bool or a number, else KindAbsent; also for AbsentCode.
func (d *Dictionary) Number(code uint32) (event.Kind, uint64) {
	if int(code) < len(d.kinds) {
		return d.kinds[code], d.nums[code]
	}
	return event.KindAbsent, 0
}

func (d *Dictionary) textKind(code uint32) event.Kind {
	switch {
	case code < d.lists:
		return event.KindString
	case code < d.objects:
		return event.KindList
	default:
		return event.KindObject
	}
}

func (d *Dictionary) text(code uint32) string {
	i := int(code) - len(d.kinds)
	start, end := d.offsets[i], d.offsets[i+1]
	if start == end {
		return ""
	}
	return unsafe.String(&d.blob[start], int(end-start))
}

// Kind returns the kind of the value with the code.
func (d *Dictionary) Kind(code uint32) event.Kind {
	if int(code) < len(d.kinds) {
		return d.kinds[code]
	}
	return d.textKind(code)
}

// StringRange returns the codes [from, to) of the strings.
func (d *Dictionary) StringRange() (from, to uint32) { return uint32(len(d.kinds)), d.lists }

// KindRange returns the codes [from, to) of the values of a kind. Ints and floats mix in one range,
// which is returned for either.
func (d *Dictionary) KindRange(k event.Kind) (from, to uint32) {
	n := uint32(len(d.kinds))
	switch k {
	case event.KindString:
		return n, d.lists
	case event.KindList:
		return d.lists, d.objects
	case event.KindObject:
		return d.objects, uint32(d.Len())
	case event.KindInt, event.KindFloat:
		lo := sort.Search(int(n), func(i int) bool { return d.kinds[i] >= event.KindInt })
		return uint32(lo), n
	}
	lo := sort.Search(int(n), func(i int) bool { return d.kinds[i] >= k })
	hi := sort.Search(int(n), func(i int) bool { return d.kinds[i] > k })
	return uint32(lo), uint32(hi)
}

// Search returns the code of the first value that is not less than v in the order of
// event.Compare; Len if there is none.
func (d *Dictionary) Search(v event.Value) uint32 {
	if v.Kind() == event.KindString {
		lo, hi := d.StringRange()
		return d.searchText(lo, hi, v.Text())
	}
	return uint32(sort.Search(d.Len(), func(i int) bool { return event.Compare(d.Value(uint32(i)), v) >= 0 }))
}

func (d *Dictionary) searchText(lo, hi uint32, s string) uint32 {
	for lo < hi {
		mid := lo + (hi-lo)/2
		if d.text(mid) < s {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Find returns the code of exactly v, kind included: Int(1) does not find Float(1).
func (d *Dictionary) Find(v event.Value) (code uint32, ok bool) {
	n := uint32(d.Len())
	for code = d.Search(v); code < n; code++ {
		got := d.Value(code)
		if got == v {
			return code, true
		}
		if event.Compare(got, v) != 0 { // 0.0 and -0.0 compare equal
			break
		}
	}
	return 0, false
}

// PrefixRange returns the codes [from, to) of the strings that begin with prefix.
func (d *Dictionary) PrefixRange(prefix string) (from, to uint32) {
	lo, hi := d.StringRange()
	from = d.searchText(lo, hi, prefix)
	end := sort.Search(int(hi-from), func(i int) bool { return !strings.HasPrefix(d.text(from+uint32(i)), prefix) })
	return from, from + uint32(end)
}

// SizeBytes returns the memory that the dictionary holds.
func (d *Dictionary) SizeBytes() int {
	return 136 + cap(d.kinds) + 8*cap(d.nums) + cap(d.blob) + 4*cap(d.offsets)
}

// kindSet returns the kinds that occur, and how many values are null (0 or 1).
func (d *Dictionary) kindSet() KindSet {
	var s KindSet
	for _, k := range d.kinds {
		s |= 1 << k
	}
	n := uint32(len(d.kinds))
	if n < d.lists {
		s |= 1 << event.KindString
	}
	if d.lists < d.objects {
		s |= 1 << event.KindList
	}
	if int(d.objects) < d.Len() {
		s |= 1 << event.KindObject
	}
	return s
}
