package frame

import (
	"encoding/binary"
	"math"

	"cairn/engine/column"
)

func encodePayload(dst []byte, b *column.Batch) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.Rows))
	dst = appendTimes(dst, b.Time)
	if b.Received != nil {
		dst = appendTimes(append(dst, 1), b.Received)
	} else {
		dst = append(dst, 0)
	}
	dst = appendColumn(dst, &b.Event)
	dst = appendColumn(dst, &b.User)
	dst = appendColumn(dst, &b.ID)
	dst = binary.AppendUvarint(dst, uint64(len(b.Fields)))
	for _, c := range b.Fields {
		dst = appendColumn(dst, c)
	}
	return dst
}

func appendColumn(dst []byte, c *column.Column) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.Name)))
	dst = append(dst, c.Name...)
	var flags byte
	if c.Rows != nil {
		flags |= flagSparse
	}
	if c.Kinds != nil {
		flags |= flagMixed
	}
	dst = append(dst, flags, byte(c.Kind))
	if c.Rows != nil {
		dst = binary.AppendUvarint(dst, uint64(len(c.Rows)))
		dst = appendRows(dst, c.Rows)
	}
	for _, k := range c.Kinds {
		dst = append(dst, byte(k))
	}
	data, ends := c.Dict.Raw()
	dst = binary.AppendUvarint(dst, uint64(len(ends)))
	if len(ends) > 0 {
		dst = appendSizes(dst, ends)
		dst = append(dst, data...)
	}
	return appendNumbers(dst, c.Bits)
}

// appendNumbers writes values as differences from the smallest, by signed order, so that small
// negative numbers stay narrow.
func appendNumbers(dst []byte, values []uint64) []byte {
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range values {
		low, high = min(low, int64(v)), max(high, int64(v))
	}
	if len(values) == 0 {
		low, high = 0, 0
	}
	width := widthOf(uint64(high) - uint64(low))
	base := uint64(low)
	dst = append(dst, byte(width))
	dst = binary.LittleEndian.AppendUint64(dst, base)
	at := len(dst)
	dst = grow(dst, width*len(values))
	out := dst[at:]
	switch width {
	case 1:
		for i, v := range values {
			out[i] = byte(v - base)
		}
	case 2:
		for i, v := range values {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(v-base))
		}
	case 4:
		for i, v := range values {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(v-base))
		}
	case 8:
		for i, v := range values {
			binary.LittleEndian.PutUint64(out[8*i:], v-base)
		}
	}
	return dst
}

// appendRows writes ascending row numbers as the first row and then gaps less one.
func appendRows(dst []byte, rows []uint32) []byte {
	gap := func(i int) uint32 {
		if i == 0 {
			return rows[0]
		}
		return rows[i] - rows[i-1] - 1
	}
	var high uint32
	for i := range rows {
		high = max(high, gap(i))
	}
	return appendSmall(dst, len(rows), high, gap)
}

func appendSizes(dst []byte, ends []uint32) []byte {
	size := func(i int) uint32 {
		if i == 0 {
			return ends[0]
		}
		return ends[i] - ends[i-1]
	}
	var high uint32
	for i := range ends {
		high = max(high, size(i))
	}
	return appendSmall(dst, len(ends), high, size)
}

func appendSmall(dst []byte, n int, high uint32, at func(int) uint32) []byte {
	width := widthOf(uint64(high))
	dst = append(dst, byte(width))
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	start := len(dst)
	dst = grow(dst, width*n)
	out := dst[start:]
	switch width {
	case 1:
		for i := range n {
			out[i] = byte(at(i))
		}
	case 2:
		for i := range n {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(at(i)))
		}
	case 4:
		for i := range n {
			binary.LittleEndian.PutUint32(out[4*i:], at(i))
		}
	}
	return dst
}

// timeUnits are the powers of ten by which times are divided when all of them allow it.
var timeUnits = [...]int64{1, 1e3, 1e6, 1e9}

func appendTimes(dst []byte, times []int64) []byte {
	unit := len(timeUnits) - 1
	for _, t := range times {
		for t%timeUnits[unit] != 0 {
			unit--
		}
	}
	dst = append(dst, byte(3*unit))
	scaled := make([]uint64, len(times))
	divisor := timeUnits[unit]
	for i, t := range times {
		scaled[i] = uint64(t / divisor)
	}
	return appendNumbers(dst, scaled)
}

func widthOf(high uint64) int {
	switch {
	case high == 0:
		return 0
	case high < 1<<8:
		return 1
	case high < 1<<16:
		return 2
	case high < 1<<32:
		return 4
	}
	return 8
}

func grow(dst []byte, n int) []byte {
	for cap(dst)-len(dst) < n {
		dst = append(dst[:cap(dst)], 0)[:len(dst)]
	}
	return dst[: len(dst)+n : cap(dst)]
}
