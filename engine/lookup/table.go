// Package lookup holds side tables: rows that a query joins to events by a key, such as the campaigns of a
// shop. A Table is immutable, finds a row by its key, and has a stored form.
//
// The stored form is a record of the engine of the kind RecordKind. Little is kept beside it in a record of
// the kind InfoKind, so that tables can be listed without being read. A table is stored as
//
//	version u8 = 1, body (snappy block), CRC32C u32 of all before
//
// and the body, column after column, as
//
//	columns uvarint, keys uvarint, rows uvarint
//	key columns: number uvarint each, in the order of the key
//	names: length uvarint, bytes
//	values: of each column in turn, of each row in turn, a tag and what belongs to it
//	    0 null, 1 false, 2 true, 3 zig-zag varint, 4 float64 in 8 bytes, 5 length uvarint and bytes
//
// {"id":1,"name":"a"} with the key id is, before snappy,
//
//	02 01 01 00 02 'id' 04 'name' 03 02 05 01 'a'
package lookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"cairn/engine/event"
)

const (
	// RecordKind is the kind of the engine's records that hold tables, by tenant and name.
	RecordKind = "lookup"
	// InfoKind is the kind of those that hold an Info of each, as JSON.
	InfoKind = "lookup-info"
)

// ColumnsMax is the most columns a table may have.
const ColumnsMax = 1000

// ErrInvalid is in every error about rows that cannot be a table.
var ErrInvalid = errors.New("not a side table")

// Info describes a table in a list.
type Info struct {
	Keys    []string `json:"keys"`
	Columns []string `json:"columns"`
	Rows    int      `json:"rows"`
	Bytes   int      `json:"bytes"`   // of the stored form
	Updated int64    `json:"updated"` // Unix nanoseconds
}

// Table is a side table. It is immutable and safe for concurrent use. Its values are null, booleans,
// numbers and strings.
type Table struct {
	columns []string
	keys    []int // columns of the key
	rows    int
	values  []event.Value // row after row

	first map[uint64]int32 // the first row of a key's hash
	next  []int32          // the next row of the same hash; -1: none
}

// RowError says which row cannot be one of a table. errors.Is(err, ErrInvalid) holds.
type RowError struct {
	Row     int // from 0
	Other   int // the row that has the same key; -1: that is not it
	Message string
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %s", e.Row+1, e.Message) }

// Is makes it an ErrInvalid.
func (e *RowError) Is(target error) bool { return target == ErrInvalid }

// New makes a table of its columns, the names of its key and its values, row after row, which it keeps. A
// row without a value of the key, or with the key of another, is a *RowError.
func New(columns, keys []string, values []event.Value) (*Table, error) {
	t := &Table{columns: columns, values: values}
	switch {
	case len(columns) == 0:
		return nil, fmt.Errorf("%w: it has no columns", ErrInvalid)
	case len(columns) > ColumnsMax:
		return nil, fmt.Errorf("%w: it has %d columns, at most %d are possible", ErrInvalid, len(columns), ColumnsMax)
	case len(keys) == 0:
		return nil, fmt.Errorf("%w: it has no key", ErrInvalid)
	}
	for i, name := range columns {
		switch {
		case name == "" || !utf8.ValidString(name):
			return nil, fmt.Errorf("%w: column %d has no name in UTF-8", ErrInvalid, i+1)
		case slices.Index(columns, name) < i:
			return nil, fmt.Errorf("%w: two columns are called %q", ErrInvalid, name)
		}
	}
	for i, key := range keys {
		column := slices.Index(columns, key)
		switch {
		case column < 0:
			return nil, fmt.Errorf("%w: there is no column %q for the key", ErrInvalid, key)
		case slices.Index(keys, key) < i:
			return nil, fmt.Errorf("%w: the key has the column %q twice", ErrInvalid, key)
		}
		t.keys = append(t.keys, column)
	}
	if len(values)%len(columns) != 0 || len(values)/len(columns) > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d values do not make rows of %d", ErrInvalid, len(values), len(columns))
	}
	t.rows = len(values) / len(columns)
	return t, t.index()
}

// index makes the keys findable and checks them.
func (t *Table) index() error {
	t.first = make(map[uint64]int32, t.rows)
	t.next = make([]int32, t.rows)
	key := make([]event.Value, len(t.keys))
	var text []byte
	for row := range t.rows {
		values := t.Row(row)
		for i, column := range t.keys {
			if key[i] = values[column]; !key[i].Exists() {
				return &RowError{Row: row, Other: -1, Message: fmt.Sprintf("the key's %q has no value", t.columns[column])}
			}
		}
		if other, found := t.Find(key); found {
			return &RowError{Row: row, Other: other, Message: fmt.Sprintf("the key is that of row %d too", other+1)}
		}
		var hash uint64
		hash, text = hashKey(text, key)
		t.next[row] = -1
		if before, ok := t.first[hash]; ok {
			t.next[row] = before
		}
		t.first[hash] = int32(row)
	}
	return nil
}

// hashKey returns the hash of a key. Values that are equal in the language are one.
func hashKey(text []byte, key []event.Value) (uint64, []byte) {
	text = text[:0]
	for _, v := range key {
		v = v.Canonical()
		text = append(text, byte(v.Kind()))
		text = binary.LittleEndian.AppendUint64(text, v.Bits())
		text = binary.AppendUvarint(text, uint64(len(v.Text())))
		text = append(text, v.Text()...)
	}
	return xxhash.Sum64(text), text
}

// Find returns the row of a key, whose values are in the order of Keys. 1 and 1.0 are the same.
func (t *Table) Find(key []event.Value) (int, bool) {
	if len(key) != len(t.keys) {
		return 0, false
	}
	var space [64]byte
	hash, _ := hashKey(space[:0], key)
	row, ok := t.first[hash]
	for ok && row >= 0 {
		values, same := t.Row(int(row)), true
		for i, column := range t.keys {
			same = same && values[column].Canonical() == key[i].Canonical()
		}
		if same {
			return int(row), true
		}
		row = t.next[row]
	}
	return 0, false
}

// Columns returns the names of the columns, those of the key among them. The slice is the table's.
func (t *Table) Columns() []string { return t.columns }

// Keys returns the names of the columns of the key, in their order.
func (t *Table) Keys() []string {
	out := make([]string, len(t.keys))
	for i, column := range t.keys {
		out[i] = t.columns[column]
	}
	return out
}

// Rows returns the number of rows.
func (t *Table) Rows() int { return t.rows }

// Row returns the values of a row, one for each column. The slice is the table's.
func (t *Table) Row(row int) []event.Value {
	n := len(t.columns)
	return t.values[row*n : (row+1)*n : (row+1)*n]
}
