package column

import (
	"math/bits"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Dict gives each distinct byte string a number, in order of first appearance. The zero value is
// ready. It is not safe for concurrent use while it grows; reading a Dict that no longer changes is.
type Dict struct {
	bytes []byte
	ends  []uint32 // ends[i] is where string i ends in bytes
	table []uint32 // open addressing; 0 is free, else number + 1
	tags  []uint32 // upper hash bits of string i, to skip most comparisons
}

// Len returns the number of distinct strings.
func (d *Dict) Len() int { return len(d.ends) }

// SizeBytes returns the memory that the dictionary holds.
func (d *Dict) SizeBytes() int { return cap(d.bytes) + 4*(cap(d.ends)+cap(d.table)+cap(d.tags)) }

// Bytes returns string i. The slice belongs to the dictionary and must not be changed; it stays
// valid until Reset.
func (d *Dict) Bytes(i uint32) []byte {
	start := uint32(0)
	if i > 0 {
		start = d.ends[i-1]
	}
	return d.bytes[start:d.ends[i]:d.ends[i]]
}

// String returns string i without copying; it is valid until Reset.
func (d *Dict) String(i uint32) string {
	b := d.Bytes(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Intern returns the number of s, adding it if it is new. It keeps no reference to s and, once the
// buffers have grown, allocates nothing.
func (d *Dict) Intern(s []byte) uint32 {
	h := xxhash.Sum64(s)
	if len(d.ends)*2 >= len(d.table) {
		d.grow()
	}
	mask := uint32(len(d.table) - 1)
	tag := uint32(h >> 32)
	for slot := uint32(h) & mask; ; slot = (slot + 1) & mask {
		n := d.table[slot]
		if n == 0 {
			d.bytes = append(d.bytes, s...)
			d.ends = append(d.ends, uint32(len(d.bytes)))
			d.tags = append(d.tags, tag)
			d.table[slot] = uint32(len(d.ends))
			return uint32(len(d.ends)) - 1
		}
		if d.tags[n-1] == tag && string(d.Bytes(n-1)) == string(s) {
			return n - 1
		}
	}
}

// Find returns the number of s if the dictionary has it. A dictionary built by Append alone has no
// table and finds nothing.
func (d *Dict) Find(s []byte) (uint32, bool) {
	if len(d.table) == 0 {
		return 0, false
	}
	h := xxhash.Sum64(s)
	mask := uint32(len(d.table) - 1)
	tag := uint32(h >> 32)
	for slot := uint32(h) & mask; ; slot = (slot + 1) & mask {
		n := d.table[slot]
		if n == 0 {
			return 0, false
		}
		if d.tags[n-1] == tag && string(d.Bytes(n-1)) == string(s) {
			return n - 1, true
		}
	}
}

func (d *Dict) grow() {
	size := 16
	if len(d.table) > 0 {
		size = len(d.table) * 4
	}
	d.table = make([]uint32, size)
	mask := uint32(size - 1)
	for i := range d.ends {
		slot := uint32(xxhash.Sum64(d.Bytes(uint32(i)))) & mask
		for d.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.table[slot] = uint32(i) + 1
	}
}

// Load replaces the content with the given strings, laid end to end in data, ends[i] being the end
// of string i; it takes both slices over. It is for decoders of dictionaries already known to be
// free of repeats; Find works afterwards only if withTable is set.
func (d *Dict) Load(data []byte, ends []uint32, withTable bool) {
	d.bytes, d.ends, d.table, d.tags = data, ends, nil, nil
	if !withTable || len(ends) == 0 {
		return
	}
	d.tags = make([]uint32, len(ends))
	for i := range ends {
		d.tags[i] = uint32(xxhash.Sum64(d.Bytes(uint32(i))) >> 32)
	}
	size := 1 << max(4, bits.Len(uint(len(ends)*2)))
	d.table = make([]uint32, size)
	mask := uint32(size - 1)
	for i := range ends {
		slot := uint32(xxhash.Sum64(d.Bytes(uint32(i)))) & mask
		for d.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.table[slot] = uint32(i) + 1
	}
}

// DropTable frees the hash table of a dictionary that will only be read by number.
func (d *Dict) DropTable() { d.table, d.tags = nil, nil }

// Raw returns the strings laid end to end and their ends. Both belong to the dictionary.
func (d *Dict) Raw() (data []byte, ends []uint32) { return d.bytes, d.ends }
