package segment

import (
	"strings"

	"cairn/engine/event"
)

// KindSet is a set of event.Kind.
type KindSet uint16

// Has reports whether the set contains k.
func (s KindSet) Has(k event.Kind) bool { return s&(1<<k) != 0 }

// Only reports whether the set is exactly {k}.
func (s KindSet) Only(k event.Kind) bool { return s == 1<<k }

// Numbers reports whether the set holds nothing but ints and floats, at least one.
func (s KindSet) Numbers() bool {
	const numbers = 1<<event.KindInt | 1<<event.KindFloat
	return s != 0 && s&^numbers == 0
}

func (s KindSet) String() string {
	var names []string
	for k := event.KindAbsent; k <= event.KindDuration; k++ {
		if s.Has(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, "|")
}

// Info is what a segment says about itself without its columns being read.
type Info struct {
	Rows, Blocks             int
	BlockRows                int
	TimeMin, TimeMax         int64 // inclusive
	ReceivedMin, ReceivedMax int64 // inclusive
	UserMin, UserMax         uint32
	Users                    int // distinct users, without NoUser
	RowsWithoutUser          int
	// Columns are the fields by name, hidden ones included. In a hot segment only Name, Present
	// and Kinds are filled in here; Column.Info has the rest.
	Columns []ColumnInfo
	Events  []EventInfo // by name; the index is the dictionary code of the event column
	Bytes   BytesInfo   // encoded sizes; zero for a hot segment
}

// EventInfo counts one event name in a segment.
type EventInfo struct {
	Name        string
	Rows, Users int
}

// BytesInfo tells where the bytes of a sealed segment are. When a small segment is compressed as a
// whole the parts are given before compression and Total after it.
type BytesInfo struct {
	Directory, Data, Dicts, Postings, Blooms, Users, Total int
}

// ColumnInfo describes a column of a segment.
type ColumnInfo struct {
	Name     string
	Present  int // rows with a value, nulls included
	Nulls    int
	Distinct int // distinct values; for a raw numeric column 0: not counted
	Kinds    KindSet
	// Min and Max bound the values in the order of event.Compare, inclusive. An absent Max means
	// not known (a very long string).
	Min, Max event.Value
	Numeric  bool // no dictionary: numbers as such
	Indexed  bool // Postings answers
	Filtered bool // MayContain asks a bloom filter
	Encoding string
	Bytes    BytesInfo
}
