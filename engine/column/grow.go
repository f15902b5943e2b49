package column

import "math/bits"

// formerBatch remembers how large the columns of a builder's last batch were, so that those of the
// next need not grow step by step, and keeps their hash tables for use again.
type formerBatch struct {
	rows            int
	event, user, id columnSize
	fields          map[string]columnSize
}

type columnSize struct {
	values  int
	strings int
	bytes   int
	table   []uint64
}

// Grow tells the builder, when it is empty, that about so many events come until Finish: their
// columns then start with the capacity that the last batch had for that many events. Without it,
// they grow by doubling.
func (b *Builder) Grow(rows int) {
	if b.batch.Rows > 0 || len(b.batch.Fields) > 0 || rows <= 0 {
		return
	}
	b.expect = rows
	if b.last == nil {
		b.last = &formerBatch{rows: 1}
		return
	}
	b.batch.Time = make([]int64, 0, rows+rows/16)
	b.last.grow(&b.batch.Event, b.last.event, rows)
	b.last.grow(&b.batch.User, b.last.user, rows)
	b.last.grow(&b.batch.ID, b.last.id, rows)
}

func newFormerBatch(b *Batch) *formerBatch {
	if b.Rows == 0 {
		return nil
	}
	f := &formerBatch{
		rows: b.Rows, event: sizeOf(&b.Event), user: sizeOf(&b.User), id: sizeOf(&b.ID),
		fields: make(map[string]columnSize, len(b.Fields)),
	}
	for _, c := range b.Fields {
		if c.Len() > 0 {
			f.fields[c.Name] = sizeOf(c)
		}
	}
	return f
}

func sizeOf(c *Column) columnSize {
	return columnSize{values: len(c.Bits), strings: c.Dict.Len(), bytes: len(c.Dict.bytes), table: c.Dict.table}
}

// grow sets aside what a column of the given former size needs for rows events, and a little more.
func (f *formerBatch) grow(c *Column, size columnSize, rows int) {
	if size.values == 0 {
		return
	}
	scale := func(n int) int {
		n = n * rows / f.rows
		return n + n/16 + 8
	}
	c.Bits = make([]uint64, 0, scale(size.values))
	if size.strings == 0 {
		return
	}
	strings := scale(size.strings)
	c.Dict.bytes = make([]byte, 0, scale(size.bytes))
	c.Dict.ends = make([]uint32, 0, strings)
	tableSize := 1 << max(4, bits.Len(uint(2*strings)))
	if len(size.table) == tableSize {
		clear(size.table)
		c.Dict.table = size.table
	} else {
		c.Dict.table = make([]uint64, tableSize)
	}
}
