// Package postings holds many sets of numbers in one run of bytes: for each value of a column the
// rows that have it, for each event name the users who did it.
//
//	number of sets (varint) | length of each set (patched) | sets
//
//	set:  count << 2 | form (varint), then
//	      gaps     the differences between the members, less 1 (patched)
//	      runs     count of runs (varint), gaps before each, lengths - 1 (both patched)
//	      bitmap   a portable roaring bitmap
//
// The shortest form is taken. The set {3, 4, 9} as gaps: 0x0C | patched 3, 0, 4.
package postings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"cairn/index/packed"

	"github.com/RoaringBitmap/roaring/v2"
)

// ErrCorrupt is returned for bytes that are not postings.
var ErrCorrupt = errors.New("postings: corrupt")

const (
	formGaps = iota
	formRuns
	formBitmap
)

// head is the number before a set.
func head(count, form uint64) uint64 { return count<<2 | form }

// Builder encodes sets one after another. The zero value is ready.
type Builder struct {
	lengths []uint64
	body    []byte

	gaps, runLengths []uint64
	members          []uint32
}

// Add appends a set of ascending members.
func (b *Builder) Add(members []uint32) {
	start := len(b.body)
	b.body = b.appendSet(b.body, members)
	b.lengths = append(b.lengths, uint64(len(b.body)-start))
}

// AddRuns appends a set given as runs: the members from firsts[i] up to, not including, ends[i].
// The runs ascend and do not touch.
func (b *Builder) AddRuns(firsts, ends []uint32) {
	n := 0
	for i, end := range ends {
		n += int(end - firsts[i])
	}
	if len(firsts)*3 >= n {
		b.members = slices.Grow(b.members[:0], n)
		for i, end := range ends {
			for m := firsts[i]; m < end; m++ {
				b.members = append(b.members, m)
			}
		}
		b.Add(b.members)
		return
	}
	b.gaps, b.runLengths = slices.Grow(b.gaps[:0], len(firsts)), slices.Grow(b.runLengths[:0], len(firsts))
	next := uint32(0)
	for i, end := range ends {
		b.gaps = append(b.gaps, uint64(firsts[i]-next))
		b.runLengths = append(b.runLengths, uint64(end-firsts[i])-1)
		next = end
	}
	start := len(b.body)
	b.body = b.appendRuns(b.body, uint64(n))
	b.lengths = append(b.lengths, uint64(len(b.body)-start))
}

// appendRuns writes gaps and runLengths as a set of n members.
func (b *Builder) appendRuns(dst []byte, n uint64) []byte {
	dst = binary.AppendUvarint(dst, head(n, formRuns))
	dst = binary.AppendUvarint(dst, uint64(len(b.gaps)))
	return packed.AppendPatched(packed.AppendPatched(dst, b.gaps), b.runLengths)
}

// SizeBytes is about the length of the encoding so far.
func (b *Builder) SizeBytes() int { return len(b.body) + 2*len(b.lengths) }

// Bytes returns the encoding of the sets added.
func (b *Builder) Bytes() []byte {
	out := binary.AppendUvarint(make([]byte, 0, b.SizeBytes()+16), uint64(len(b.lengths)))
	out = packed.AppendPatched(out, b.lengths)
	return append(out, b.body...)
}

func (b *Builder) appendSet(dst []byte, members []uint32) []byte {
	n := uint64(len(members))
	if n == 0 {
		return binary.AppendUvarint(dst, 0)
	}
	runs := 1
	for i := 1; i < len(members); i++ {
		if members[i] != members[i-1]+1 {
			runs++
		}
	}
	start := len(dst)
	if runs*3 < len(members) {
		b.gaps, b.runLengths = slices.Grow(b.gaps[:0], runs), slices.Grow(b.runLengths[:0], runs)
		next, first := uint32(0), 0
		for i := range members {
			if i+1 < len(members) && members[i+1] == members[i]+1 {
				continue
			}
			b.gaps = append(b.gaps, uint64(members[first]-next))
			b.runLengths = append(b.runLengths, uint64(i-first))
			next, first = members[i]+1, i+1
		}
		return b.appendRuns(dst, n)
	}
	b.gaps = slices.Grow(b.gaps[:0], len(members))[:len(members)]
	next := uint32(0)
	for i, m := range members {
		b.gaps[i] = uint64(m - next)
		next = m + 1
	}
	dst = binary.AppendUvarint(dst, head(n, formGaps))
	dst = packed.AppendPatched(dst, b.gaps)
	// A dense set is shorter, or as short and faster to read, as a bitmap.
	if size := len(dst) - start; size > 2048 && size*10 > len(members) {
		set := roaring.New()
		set.AddMany(members)
		set.RunOptimize()
		if int(set.GetSerializedSizeInBytes()) <= size+size/16 {
			dst = binary.AppendUvarint(dst[:start], head(n, formBitmap))
			data, err := set.ToBytes()
			if err != nil {
				panic(err) // writing to memory does not fail
			}
			dst = append(dst, data...)
		}
	}
	return dst
}

// Table gives access to encoded sets. It is safe for concurrent use.
type Table struct {
	limit uint64
	ends  []uint32
	body  []byte
}

// Open reads the table of data, which it keeps. It must hold want sets with members below limit.
func Open(data []byte, want int, limit uint64) (*Table, error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n != uint64(want) || n > uint64(len(data))*64 {
		return nil, ErrCorrupt
	}
	lengths := make([]uint64, n)
	body, ok := packed.Patched(lengths, data[size:])
	if !ok {
		return nil, ErrCorrupt
	}
	t := &Table{limit: limit, ends: make([]uint32, n), body: body}
	end := uint64(0)
	for i, l := range lengths {
		if l > uint64(len(body)) {
			return nil, ErrCorrupt
		}
		if end += l; end > uint64(len(body)) {
			return nil, ErrCorrupt
		}
		t.ends[i] = uint32(end)
	}
	if end != uint64(len(body)) {
		return nil, ErrCorrupt
	}
	return t, nil
}

// Len returns the number of sets.
func (t *Table) Len() int { return len(t.ends) }

// SizeBytes returns the memory that the table holds.
func (t *Table) SizeBytes() int { return len(t.body) + 4*len(t.ends) + 64 }

func (t *Table) set(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.body[start:t.ends[i]:t.ends[i]]
}

// Count returns the number of members of set i without reading them.
func (t *Table) Count(i int) int {
	head, _ := binary.Uvarint(t.set(i))
	return int(head >> 2)
}

// Set returns set i as a new bitmap that shares nothing with the table.
func (t *Table) Set(i int) (*roaring.Bitmap, error) {
	data := t.set(i)
	head, size := binary.Uvarint(data)
	if size <= 0 || head>>2 > t.limit {
		return nil, ErrCorrupt
	}
	data = data[size:]
	n := int(head >> 2)
	if n == 0 {
		return roaring.New(), nil
	}
	switch head & 3 {
	case formGaps:
		return t.gaps(data, n)
	case formRuns:
		return t.runs(data, n)
	case formBitmap:
		set := roaring.New()
		read, err := set.ReadFrom(bytes.NewReader(data))
		if err != nil || read != int64(len(data)) || set.Validate() != nil ||
			set.GetCardinality() != uint64(n) || uint64(set.Maximum()) >= t.limit {
			return nil, ErrCorrupt
		}
		return set, nil
	default:
		return nil, ErrCorrupt
	}
}

func (t *Table) gaps(data []byte, n int) (*roaring.Bitmap, error) {
	// 128 gaps take at least two bytes.
	if n > 64*len(data) {
		return nil, ErrCorrupt
	}
	gaps := make([]uint64, n)
	rest, ok := packed.Patched(gaps, data)
	if !ok || len(rest) > 0 {
		return nil, ErrCorrupt
	}
	var a assembler
	next := uint64(0)
	first := uint64(0) // of the run being collected: first to next-1
	for i, gap := range gaps {
		if gap >= t.limit || next+gap >= t.limit {
			return nil, ErrCorrupt
		}
		if gap > 0 && i > 0 {
			a.add(uint32(first), uint32(next-1))
		}
		if gap > 0 || i == 0 {
			first = next + gap
		}
		next += gap + 1
	}
	a.add(uint32(first), uint32(next-1))
	return a.bitmap()
}

func (t *Table) runs(data []byte, n int) (*roaring.Bitmap, error) {
	count, size := binary.Uvarint(data)
	if size <= 0 || count > uint64(n) || count > 64*uint64(len(data)) {
		return nil, ErrCorrupt
	}
	gaps, lengths := make([]uint64, count), make([]uint64, count)
	rest, ok := packed.Patched(gaps, data[size:])
	if ok {
		rest, ok = packed.Patched(lengths, rest)
	}
	if !ok || len(rest) > 0 {
		return nil, ErrCorrupt
	}
	var a assembler
	next, sum := uint64(0), uint64(0)
	for i, gap := range gaps {
		length := lengths[i]
		if gap >= t.limit || length >= t.limit || next+gap+length >= t.limit {
			return nil, ErrCorrupt
		}
		if gap == 0 && i > 0 {
			return nil, ErrCorrupt
		}
		next += gap
		a.add(uint32(next), uint32(next+length))
		next += length + 1
		sum += length + 1
	}
	if sum != uint64(n) {
		return nil, ErrCorrupt
	}
	return a.bitmap()
}
