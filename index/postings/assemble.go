package postings

import (
	"bytes"
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"
)

// assembler writes a bitmap in roaring's portable format out of ascending runs of members, and has
// the library read it. Adding tens of thousands of runs to a bitmap one by one would take seconds.
type assembler struct {
	keys    []uint16
	counts  []int
	isRun   []bool
	data    []byte
	ends    []int    // of each container in data
	pending []uint16 // runs of the current container: start, last
	count   int
	key     int
}

// The portable format: see https://github.com/RoaringBitmap/RoaringFormatSpec.
const (
	cookieRuns  = 12347
	cookie      = 12346
	offsetsFrom = 4 // containers from which the format with runs has offsets
	arrayMax    = 4096
	bitmapBytes = 8192
)

// add appends the members from first to last, which are beyond all before.
func (a *assembler) add(first, last uint32) {
	for {
		key := int(first >> 16)
		if key != a.key {
			a.flush()
			a.key = key
		}
		end := min(last, first|0xFFFF)
		a.pending = append(a.pending, uint16(first), uint16(end))
		a.count += int(end-first) + 1
		if end == last {
			return
		}
		first = end + 1
	}
}

// flush writes the current container.
func (a *assembler) flush() {
	if a.count == 0 {
		return
	}
	runs := len(a.pending) / 2
	flat := min(2*a.count, bitmapBytes)
	isRun := 2+4*runs < flat
	switch {
	case isRun:
		a.data = binary.LittleEndian.AppendUint16(a.data, uint16(runs))
		for i := 0; i < len(a.pending); i += 2 {
			a.data = binary.LittleEndian.AppendUint16(a.data, a.pending[i])
			a.data = binary.LittleEndian.AppendUint16(a.data, a.pending[i+1]-a.pending[i])
		}
	case a.count <= arrayMax:
		for i := 0; i < len(a.pending); i += 2 {
			for m := int(a.pending[i]); m <= int(a.pending[i+1]); m++ {
				a.data = binary.LittleEndian.AppendUint16(a.data, uint16(m))
			}
		}
	default:
		start := len(a.data)
		a.data = append(a.data, make([]byte, bitmapBytes)...)
		bitmap := a.data[start:]
		for i := 0; i < len(a.pending); i += 2 {
			for m := int(a.pending[i]); m <= int(a.pending[i+1]); m++ {
				bitmap[m>>3] |= 1 << (m & 7)
			}
		}
	}
	a.keys = append(a.keys, uint16(a.key))
	a.counts = append(a.counts, a.count)
	a.isRun = append(a.isRun, isRun)
	a.ends = append(a.ends, len(a.data))
	a.pending, a.count = a.pending[:0], 0
}

// bitmap returns the members added.
func (a *assembler) bitmap() (*roaring.Bitmap, error) {
	a.flush()
	n := len(a.keys)
	set := roaring.New()
	if n == 0 {
		return set, nil
	}
	runs := false
	marks := make([]byte, (n+7)/8)
	for i, r := range a.isRun {
		if r {
			runs = true
			marks[i>>3] |= 1 << (i & 7)
		}
	}
	out := make([]byte, 0, len(a.data)+8*n+len(marks)+8)
	if runs {
		out = binary.LittleEndian.AppendUint32(out, cookieRuns|uint32(n-1)<<16)
		out = append(out, marks...)
	} else {
		out = binary.LittleEndian.AppendUint32(out, cookie)
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	for i, key := range a.keys {
		out = binary.LittleEndian.AppendUint16(out, key)
		out = binary.LittleEndian.AppendUint16(out, uint16(a.counts[i]-1))
	}
	if !runs || n >= offsetsFrom {
		at := len(out) + 4*n
		for i := range n {
			start := 0
			if i > 0 {
				start = a.ends[i-1]
			}
			out = binary.LittleEndian.AppendUint32(out, uint32(at+start))
		}
	}
	out = append(out, a.data...)
	if _, err := set.ReadFrom(bytes.NewReader(out)); err != nil {
		return nil, err
	}
	return set, nil
}
