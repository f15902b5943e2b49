package column

import (
	"math/bits"
	"unsafe"
)

// Dict gives each distinct byte string a number, in order of first appearance. The zero value is
// ready. It is not safe for concurrent use while it grows; reading a Dict that no longer changes is.
type Dict struct {
	bytes []byte
	ends  []uint32 // ends[i] is where string i ends in bytes
	// table is open addressing with linear probing; 0 is free, else hash<<32 | number+1. The slot is
	// taken from the hash's low bits, so that growing does not read the strings.
	table []uint64
}

// Len returns the number of distinct strings.
func (d *Dict) Len() int { return len(d.ends) }

// SizeBytes returns the memory that the dictionary holds.
func (d *Dict) SizeBytes() int { return cap(d.bytes) + 4*cap(d.ends) + 8*cap(d.table) }

// Bytes returns string i. The slice belongs to the dictionary and must not be changed; it stays
// valid until Load.
func (d *Dict) Bytes(i uint32) []byte {
	start := uint32(0)
	if i > 0 {
		start = d.ends[i-1]
	}
	return d.bytes[start:d.ends[i]:d.ends[i]]
}

// String returns string i without copying; it is valid until Load.
func (d *Dict) String(i uint32) string {
	b := d.Bytes(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Intern returns the number of s, adding it if it is new. It keeps no reference to s and, once the
// buffers have grown, allocates nothing.
func (d *Dict) Intern(s []byte) uint32 { return d.InternHash(s, Hash(s)) }

// InternHash is Intern for a caller that knows Hash(s).
func (d *Dict) InternHash(s []byte, hash uint32) uint32 {
	if len(d.ends)*2 >= len(d.table) {
		d.grow()
	}
	table := d.table
	mask := uint32(len(table) - 1)
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		entry := table[slot&mask]
		if entry == 0 {
			d.bytes = append(d.bytes, s...)
			d.ends = append(d.ends, uint32(len(d.bytes)))
			n := uint32(len(d.ends))
			table[slot] = uint64(hash)<<32 | uint64(n)
			return n - 1
		}
		if uint32(entry>>32) == hash && string(d.Bytes(uint32(entry)-1)) == string(s) {
			return uint32(entry) - 1
		}
	}
}

// Find returns the number of s if the dictionary has it. A dictionary without a table (Load without
// one, DropTable) finds nothing.
func (d *Dict) Find(s []byte) (uint32, bool) {
	if len(d.table) == 0 {
		return 0, false
	}
	hash := Hash(s)
	mask := uint32(len(d.table) - 1)
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		entry := d.table[slot]
		if entry == 0 {
			return 0, false
		}
		if uint32(entry>>32) == hash && string(d.Bytes(uint32(entry)-1)) == string(s) {
			return uint32(entry) - 1, true
		}
	}
}

func (d *Dict) grow() {
	size := tableMin
	if len(d.table) > 0 {
		size = len(d.table) * 4
	}
	d.setTable(make([]uint64, size))
}

// setTable moves the entries of the table into an empty one of another size (a power of two).
func (d *Dict) setTable(table []uint64) {
	mask := uint32(len(table) - 1)
	for _, entry := range d.table {
		if entry == 0 {
			continue
		}
		slot := uint32(entry>>32) & mask
		for table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		table[slot] = entry
	}
	d.table = table
}

// dropLast takes back the string added last. Nothing was added to the table after it, so that its
// slot is simply free again.
func (d *Dict) dropLast() {
	n := uint32(len(d.ends))
	hash := Hash(d.Bytes(n - 1))
	mask := uint32(len(d.table) - 1)
	slot := hash & mask
	for uint32(d.table[slot]) != n {
		slot = (slot + 1) & mask
	}
	d.table[slot] = 0
	d.bytes = d.bytes[:len(d.bytes)-len(d.Bytes(n-1))]
	d.ends = d.ends[:n-1]
}

// Load replaces the content with the given strings, laid end to end in data, ends[i] being the end
// of string i; it takes both slices over. It is for decoders of dictionaries already known to be
// free of repeats; Find works afterwards only if withTable is set.
func (d *Dict) Load(data []byte, ends []uint32, withTable bool) {
	d.bytes, d.ends, d.table = data, ends, nil
	if !withTable || len(ends) == 0 {
		return
	}
	d.table = make([]uint64, 1<<max(4, bits.Len(uint(len(ends)*2))))
	mask := uint32(len(d.table) - 1)
	for i := range ends {
		hash := Hash(d.Bytes(uint32(i)))
		slot := hash & mask
		for d.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.table[slot] = uint64(hash)<<32 | uint64(i+1)
	}
}

// DropTable frees the hash table of a dictionary that will only be read by number.
func (d *Dict) DropTable() { d.table = nil }

// Raw returns the strings laid end to end and their ends. Both belong to the dictionary.
func (d *Dict) Raw() (data []byte, ends []uint32) { return d.bytes, d.ends }
