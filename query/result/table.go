// Package result holds the answer to a query, a Table of typed values with what is to be known
// about it, and writes it as JSON, NDJSON, CSV, a text table or, where its rows are those of a funnel,
// a retention and the like, a picture made of text.
//
// Every writer is an append-style function: it adds the encoded table to a byte slice and returns
// it. The rules all writers share:
//
//   - An absent value is written as null is: null in JSON, an empty cell in CSV, "–" in text. Only
//     NDJSON tells them apart: its rows leave out what is absent, so raw events keep their shape.
//   - A time is RFC 3339 in the table's zone with as many digits of the second as it needs.
//   - A duration is a number of seconds; the text table writes it for people (1m30s, 2d 4h).
//   - JSON numbers are finite. An integer beyond ±2^53 is a string. A whole float keeps its ".0",
//     so that what was stored as a float is read back as one.
//   - A list is its JSON text as it was stored; in JSON with integers beyond ±2^53 as strings.
//
// CSV keeps null apart from the empty string: null is an empty cell, "" is a quoted one.
package result

import (
	"time"

	"cairn/engine/event"
)

// Type names what a column holds.
type Type string

// The column types. Float also covers a column that mixes integers and floats; Mixed any other mix
// of kinds; Null a column without one value.
const (
	TypeString   Type = "string"
	TypeInt      Type = "int"
	TypeFloat    Type = "float"
	TypeBool     Type = "bool"
	TypeTime     Type = "time"
	TypeDuration Type = "duration"
	TypeList     Type = "list"
	TypeMixed    Type = "mixed"
	TypeNull     Type = "null"
)

// Column is the name and the type of one column. Names in a Table are distinct.
type Column struct {
	Name string
	Type Type
}

// Table is an answer: len(row) == len(Columns) for every row.
type Table struct {
	Columns []Column
	Rows    [][]event.Value
	Shape   Shape
	Meta    Meta
}

// Meta says what an answer rests on.
type Meta struct {
	Snapshot      string         // names the state of the store that was read; "" when there is none
	Location      *time.Location // the query's zone, used for every time written; nil is UTC
	CompleteUntil int64          // events up to here (Unix nanoseconds) have all arrived; 0 is unknown
	Exact         bool           // no figure is an estimate
	ErrorBound    float64        // the relative error of estimates, when not Exact
	Partial       bool           // a part of the data could not be read
	Truncated     bool           // rows were left out because of a limit outside the query
	Segments      int            // segments read
	RowsRead      int64          // rows of which at least one value was looked at
	BytesRead     int64          // bytes of stored data decoded
	Elapsed       time.Duration  // from the text's arrival to the last row
	Warnings      []string       // sentences for a person, in a stable order
}

// Zone returns the table's zone; never nil.
func (m *Meta) Zone() *time.Location {
	if m.Location == nil {
		return time.UTC
	}
	return m.Location
}

// Index returns the number of the column called name, or -1.
func (t *Table) Index(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// Infer sets the type of every column from the values in it.
func (t *Table) Infer() {
	for c := range t.Columns {
		var seen [event.KindDuration + 1]bool
		for _, row := range t.Rows {
			seen[row[c].Kind()] = true
		}
		t.Columns[c].Type = typeOf(seen)
	}
}

func typeOf(seen [event.KindDuration + 1]bool) Type {
	if seen[event.KindInt] && seen[event.KindFloat] {
		seen[event.KindInt] = false
	}
	found := TypeNull
	for kind := event.KindBool; kind <= event.KindDuration; kind++ {
		if !seen[kind] {
			continue
		}
		if found != TypeNull {
			return TypeMixed
		}
		found = kindTypes[kind]
	}
	return found
}

var kindTypes = [...]Type{
	event.KindAbsent:   TypeNull,
	event.KindNull:     TypeNull,
	event.KindBool:     TypeBool,
	event.KindInt:      TypeInt,
	event.KindFloat:    TypeFloat,
	event.KindString:   TypeString,
	event.KindList:     TypeList,
	event.KindObject:   TypeMixed,
	event.KindTime:     TypeTime,
	event.KindDuration: TypeDuration,
}
