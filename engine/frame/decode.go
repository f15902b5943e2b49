package frame

import (
	"encoding/binary"
	"math"

	"cairn/engine/column"
	"cairn/engine/event"
)

// decoder reads a payload. After the first error, which it keeps, it returns empty values.
type decoder struct {
	in  []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = corrupt(format, args...)
	}
	d.in = nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.in)
	if n <= 0 {
		d.fail("a number is cut off")
		return 0
	}
	d.in = d.in[n:]
	return v
}

func (d *decoder) count(limit int, what string) int {
	v := d.uvarint()
	if v > uint64(limit) {
		d.fail("%d %s where %d is the most", v, what, limit)
		return 0
	}
	return int(v)
}

func (d *decoder) byte() byte {
	if len(d.in) == 0 {
		d.fail("the payload ends early")
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.in) {
		d.fail("%d bytes wanted, %d left", n, len(d.in))
		return nil
	}
	b := d.in[:n]
	d.in = d.in[n:]
	return b
}

func (d *decoder) batch() *column.Batch {
	b := &column.Batch{Rows: d.count(RowsMax, "rows")}
	b.Time = d.times(b.Rows)
	switch d.byte() {
	case 0:
	case 1:
		b.Received = d.times(b.Rows)
	default:
		d.fail("received flag")
	}
	d.column(&b.Event, b.Rows)
	d.column(&b.User, b.Rows)
	d.column(&b.ID, b.Rows)
	if d.err == nil && (len(b.Event.Bits) != b.Rows || b.Rows > 0 && !onlyStrings(&b.Event)) {
		d.fail("an event without a name")
	}
	if d.err == nil && !(onlyStrings(&b.User) && onlyStrings(&b.ID)) {
		d.fail("a user or insert id that is not a string")
	}
	fields := d.count(len(d.in), "fields")
	seen := make(map[string]struct{}, fields)
	b.Fields = make([]*column.Column, 0, fields)
	for range fields {
		c := &column.Column{}
		d.column(c, b.Rows)
		if d.err != nil {
			return nil
		}
		if _, twice := seen[c.Name]; twice {
			d.fail("field %q twice", c.Name)
			return nil
		}
		seen[c.Name] = struct{}{}
		b.Fields = append(b.Fields, c)
	}
	return b
}

func onlyStrings(c *column.Column) bool {
	return len(c.Bits) == 0 || c.Kinds == nil && c.Kind == event.KindString
}

func (d *decoder) column(c *column.Column, rows int) {
	c.Name = string(d.bytes(d.count(len(d.in), "bytes of a name")))
	flags := d.byte()
	c.Kind = event.Kind(d.byte())
	if flags&^(flagSparse|flagMixed) != 0 {
		d.fail("column flags %#x", flags)
	}
	n := rows
	if flags&flagSparse != 0 {
		n = d.count(rows, "values")
		c.Rows = d.rows(n, rows)
	}
	if flags&flagMixed != 0 {
		kinds := d.bytes(n)
		c.Kinds = make([]event.Kind, len(kinds))
		for i, k := range kinds {
			if k == 0 || k > byte(event.KindObject) {
				d.fail("kind %d", k)
				return
			}
			c.Kinds[i] = event.Kind(k)
		}
	} else if n > 0 && (c.Kind == 0 || c.Kind > event.KindObject) {
		d.fail("kind %d", c.Kind)
	}
	d.dict(&c.Dict)
	c.Bits = d.numbers(n)
	if d.err == nil {
		d.checkText(c)
	}
}

// checkText makes sure that every text value is in the dictionary.
func (d *decoder) checkText(c *column.Column) {
	limit := uint64(c.Dict.Len())
	switch {
	case c.Kinds == nil && !isText(c.Kind):
	case c.Kinds == nil:
		var high uint64
		for _, v := range c.Bits {
			high = max(high, v)
		}
		if len(c.Bits) > 0 && high >= limit {
			d.fail("string %d of %d", high, limit)
		}
	default:
		for i, v := range c.Bits {
			if isText(c.Kinds[i]) && v >= limit {
				d.fail("string %d of %d", v, limit)
				return
			}
		}
	}
}

func (d *decoder) dict(dict *column.Dict) {
	n := d.count(len(d.in), "strings")
	if n == 0 {
		return
	}
	sizes := d.small(n)
	ends := make([]uint32, len(sizes))
	total := uint64(0)
	for i, size := range sizes {
		total += uint64(size)
		ends[i] = uint32(total)
	}
	if total > uint64(len(d.in)) {
		d.fail("strings of %d bytes, %d left", total, len(d.in))
		return
	}
	data := d.bytes(int(total))
	dict.Load(append(make([]byte, 0, len(data)), data...), ends, false)
}

func (d *decoder) rows(n, limit int) []uint32 {
	rows := d.small(n)
	if d.err != nil {
		return nil
	}
	next := uint64(0)
	for i, gap := range rows {
		row := next + uint64(gap)
		if row >= uint64(limit) {
			d.fail("row %d of %d", row, limit)
			return nil
		}
		rows[i] = uint32(row)
		next = row + 1
	}
	if rows == nil {
		rows = []uint32{} // sparse without a value, not dense
	}
	return rows
}

// small reads numbers below 2^32 whose base is 0.
func (d *decoder) small(n int) []uint32 {
	width, base := d.width()
	if base != 0 || width > 4 {
		d.fail("width %d and base %d of 32-bit numbers", width, base)
	}
	in := d.bytes(width * n)
	if d.err != nil {
		return nil
	}
	out := make([]uint32, n)
	switch width {
	case 1:
		for i := range out {
			out[i] = uint32(in[i])
		}
	case 2:
		for i := range out {
			out[i] = uint32(binary.LittleEndian.Uint16(in[2*i:]))
		}
	case 4:
		for i := range out {
			out[i] = binary.LittleEndian.Uint32(in[4*i:])
		}
	}
	return out
}

func (d *decoder) numbers(n int) []uint64 {
	width, base := d.width()
	in := d.bytes(width * n)
	if d.err != nil {
		return nil
	}
	out := make([]uint64, n)
	switch width {
	case 0:
		for i := range out {
			out[i] = base
		}
	case 1:
		for i := range out {
			out[i] = base + uint64(in[i])
		}
	case 2:
		for i := range out {
			out[i] = base + uint64(binary.LittleEndian.Uint16(in[2*i:]))
		}
	case 4:
		for i := range out {
			out[i] = base + uint64(binary.LittleEndian.Uint32(in[4*i:]))
		}
	case 8:
		for i := range out {
			out[i] = base + binary.LittleEndian.Uint64(in[8*i:])
		}
	}
	return out
}

func (d *decoder) width() (int, uint64) {
	width := int(d.byte())
	switch width {
	case 0, 1, 2, 4, 8:
	default:
		d.fail("width %d", width)
		return 0, 0
	}
	base := d.bytes(8)
	if base == nil {
		return 0, 0
	}
	return width, binary.LittleEndian.Uint64(base)
}

func (d *decoder) times(n int) []int64 {
	exponent := d.byte()
	if exponent > 9 || exponent%3 != 0 {
		d.fail("time unit 10^%d", exponent)
		return nil
	}
	unit := timeUnits[exponent/3]
	scaled := d.numbers(n)
	out := make([]int64, len(scaled))
	for i, v := range scaled {
		t := int64(v)
		if t > math.MaxInt64/unit || t < math.MinInt64/unit {
			d.fail("time %d × %d", t, unit)
			return nil
		}
		out[i] = t * unit
	}
	return out
}
