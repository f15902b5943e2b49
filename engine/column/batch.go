// Package column holds many events in columns, in memory: what the ingest scanner fills, what a
// frame of the hot log encodes, and what sealing reads.
//
//	Batch   Rows events in order of arrival
//	  Time      []int64           one per row
//	  Event     Column (dense)    names
//	  User, ID  Column (sparse)   absent where a row has none
//	  Fields    []*Column         one per field name; rows without the field are left out
//
// A Column keeps, for each row that has a value, the row number and 64 bits: the integer, the float's
// bits, or the number of a string in the column's own dictionary. Nothing is allocated per value.
package column

import (
	"encoding/binary"
	"slices"
	"strings"

	"cairn/engine/event"
)

// Column is one attribute of a batch. len(Bits) values are present; value i stands in row Rows[i].
type Column struct {
	Name string
	// Rows are the row numbers with a value, ascending. nil means that every row has one.
	Rows []uint32
	// Bits hold a value's 64 bits (event.Value.Bits) or, for strings, lists and objects, its
	// number in Dict.
	Bits []uint64
	// Kinds are the kinds of the values, one each, or nil if all are of Kind.
	Kinds []event.Kind
	Kind  event.Kind
	Dict  Dict

	last  uint32 // the row that last had a value (Builder.Touch), plus one
	added uint32 // the row that last brought a new string into Dict, plus one

	spareRows []uint32 // memory for Rows
}

// Len returns the number of values present.
func (c *Column) Len() int { return len(c.Bits) }

// Row returns the row of value i.
func (c *Column) Row(i int) int {
	if c.Rows == nil {
		return i
	}
	return int(c.Rows[i])
}

// KindAt returns the kind of value i.
func (c *Column) KindAt(i int) event.Kind {
	if c.Kinds == nil {
		return c.Kind
	}
	return c.Kinds[i]
}

// Value returns value i. Its text aliases the dictionary.
func (c *Column) Value(i int) event.Value {
	k := c.KindAt(i)
	switch k {
	case event.KindString, event.KindList, event.KindObject:
		return event.FromBits(k, 0, c.Dict.String(uint32(c.Bits[i])))
	default:
		return event.FromBits(k, c.Bits[i], "")
	}
}

// At returns the value in a row, absent if there is none.
func (c *Column) At(row int) event.Value {
	if c.Rows == nil {
		if row < len(c.Bits) {
			return c.Value(row)
		}
		return event.Value{}
	}
	if i, ok := slices.BinarySearch(c.Rows, uint32(row)); ok {
		return c.Value(i)
	}
	return event.Value{}
}

// SizeBytes returns the memory that the column holds.
func (c *Column) SizeBytes() int {
	return 4*(cap(c.Rows)+cap(c.spareRows)) + 8*cap(c.Bits) + cap(c.Kinds) + c.Dict.SizeBytes() + len(c.Name) + 160
}

// AppendText appends a string, list or object in row.
func (c *Column) AppendText(row uint32, kind event.Kind, text []byte) {
	c.AppendTextHash(row, kind, text, Hash(text))
}

// AppendTextHash is AppendText for a caller that knows Hash(text).
func (c *Column) AppendTextHash(row uint32, kind event.Kind, text []byte, hash uint32) {
	code := uint64(0)
	if n := uint32(len(c.Dict.table)); n > 0 {
		// The string is mostly known: look where it would stand, and only there.
		entry := c.Dict.table[hash&(n-1)]
		if uint32(entry>>32) == hash && entry != 0 && same(c.Dict.Bytes(uint32(entry)-1), text) {
			code = uint64(uint32(entry))
		}
	}
	if code == 0 {
		n := len(c.Dict.ends)
		code = uint64(c.Dict.InternHash(text, hash)) + 1
		if int(code) > n {
			c.added = row + 1
		}
	}
	if kind == c.Kind && c.Kinds == nil {
		switch {
		case c.Rows != nil:
			c.Rows = append(c.Rows, row)
			fallthrough
		case int(row) == len(c.Bits):
			c.Bits = append(c.Bits, code-1)
			return
		}
	}
	c.appendBits(row, kind, code-1)
}

// same reports whether two strings are equal; they nearly always are.
func same(a, b []byte) bool {
	n := len(a)
	if n != len(b) {
		return false
	}
	if n < 8 || n > 16 {
		return string(a) == string(b)
	}
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b) &&
		binary.LittleEndian.Uint64(a[n-8:]) == binary.LittleEndian.Uint64(b[n-8:])
}

// AppendNum appends a null, bool, int or float in row by its bits (event.Value.Bits).
func (c *Column) AppendNum(row uint32, kind event.Kind, bits uint64) { c.appendBits(row, kind, bits) }

func (c *Column) appendBits(row uint32, kind event.Kind, bits uint64) {
	if kind != c.Kind || c.Kinds != nil {
		c.appendKind(kind)
	}
	if c.Rows != nil || int(row) != len(c.Bits) {
		if c.Rows == nil {
			c.makeSparse()
		}
		c.Rows = append(c.Rows, row)
	}
	c.Bits = append(c.Bits, bits)
}

func (c *Column) appendKind(kind event.Kind) {
	switch {
	case len(c.Bits) == 0:
		c.Kind, c.Kinds = kind, nil
	case c.Kinds == nil:
		c.Kinds = make([]event.Kind, len(c.Bits), 2*len(c.Bits)+1)
		for i := range c.Kinds {
			c.Kinds[i] = c.Kind
		}
		fallthrough
	default:
		c.Kinds = append(c.Kinds, kind)
	}
}

// makeSparse writes out the row numbers of a column that so far had a value in every row.
func (c *Column) makeSparse() {
	c.Rows, c.spareRows = c.spareRows[:0:cap(c.spareRows)], nil
	if cap(c.Rows) <= len(c.Bits) {
		c.Rows = make([]uint32, 0, max(16, cap(c.Bits)))
	}
	c.Rows = c.Rows[:len(c.Bits)]
	for i := range c.Rows {
		c.Rows[i] = uint32(i)
	}
}

// rollback takes back the value of the row being built, if there is one, with the string that it
// alone has.
func (c *Column) rollback(row uint32) {
	if c.last != row+1 {
		return
	}
	c.last = 0
	n := len(c.Bits) - 1
	if n < 0 || c.Row(n) != int(row) {
		return
	}
	if isText(c.KindAt(n)) && c.added == row+1 {
		c.Dict.dropLast()
	}
	c.added = 0
	c.Bits = c.Bits[:n]
	if c.Rows != nil {
		c.Rows = c.Rows[:n]
	}
	if c.Kinds != nil {
		c.Kinds = c.Kinds[:n]
	}
}

// finish makes the column fit a batch of rows rows: it is dense exactly if every row has a value,
// and has kinds exactly if they differ.
func (c *Column) finish(rows int) {
	c.last, c.added = 0, 0
	switch {
	case len(c.Bits) == rows:
		c.Rows = nil
	case c.Rows == nil:
		c.makeSparse()
	}
	if len(c.Kinds) > 0 && !slices.ContainsFunc(c.Kinds, func(k event.Kind) bool { return k != c.Kinds[0] }) {
		c.Kind, c.Kinds = c.Kinds[0], nil
	}
	if c.Dict.Len() == 0 {
		c.Dict = Dict{}
	}
}

// Batch is a set of events in order of arrival. Once built it is not changed and may be read from
// several goroutines.
type Batch struct {
	Rows int
	Time []int64 // Unix nanoseconds, one per row
	// Received is the arrival of each row in Unix nanoseconds, or nil: the engine sets one for all.
	Received []int64
	Event    Column // KindString, dense
	User     Column // KindString; absent: no user
	ID       Column // KindString; absent: no insert id
	Fields   []*Column
}

// Field returns the column called name, or nil.
func (b *Batch) Field(name string) *Column {
	for _, c := range b.Fields {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// SizeBytes returns the memory that the batch holds.
func (b *Batch) SizeBytes() int {
	n := 8*cap(b.Time) + 8*cap(b.Received) + b.Event.SizeBytes() + b.User.SizeBytes() + b.ID.SizeBytes() + 256
	for _, c := range b.Fields {
		n += c.SizeBytes()
	}
	return n
}

// Events returns all rows as events that share no memory with the batch.
func (b *Batch) Events() []event.Event {
	events := make([]event.Event, b.Rows)
	for i := range events {
		e := &events[i]
		e.Time = b.Time[i]
		e.Name = strings.Clone(b.Event.At(i).AsString())
		e.User = strings.Clone(b.User.At(i).AsString())
		e.ID = strings.Clone(b.ID.At(i).AsString())
		if b.Received != nil {
			e.Received = b.Received[i]
		}
	}
	for _, c := range b.Fields {
		for i := range c.Bits {
			v := c.Value(i)
			e := &events[c.Row(i)]
			e.Fields = append(e.Fields, event.Field{Name: c.Name, Value: event.FromBits(v.Kind(), v.Bits(), strings.Clone(v.Text()))})
		}
	}
	return events
}

// Select returns a batch of the given rows (ascending), in that order. It shares no slices with b
// that either may change.
func (b *Batch) Select(rows []uint32) *Batch {
	var out Builder
	take := func(dst, src *Column) {
		next := 0
		for i := range src.Bits {
			row := uint32(src.Row(i))
			for next < len(rows) && rows[next] < row {
				next++
			}
			if next == len(rows) {
				return
			}
			if rows[next] != row {
				continue
			}
			switch k := src.KindAt(i); k {
			case event.KindString, event.KindList, event.KindObject:
				dst.AppendText(uint32(next), k, src.Dict.Bytes(uint32(src.Bits[i])))
			default:
				dst.AppendNum(uint32(next), k, src.Bits[i])
			}
		}
	}
	out.batch.Rows = len(rows)
	for _, row := range rows {
		out.batch.Time = append(out.batch.Time, b.Time[row])
		if b.Received != nil {
			out.batch.Received = append(out.batch.Received, b.Received[row])
		}
	}
	take(&out.batch.Event, &b.Event)
	take(&out.batch.User, &b.User)
	take(&out.batch.ID, &b.ID)
	for _, c := range b.Fields {
		dst := &Column{Name: c.Name}
		if take(dst, c); dst.Len() > 0 {
			out.batch.Fields = append(out.batch.Fields, dst)
		}
	}
	return out.Finish()
}
