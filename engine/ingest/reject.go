package ingest

import (
	"fmt"
	"sort"

	"cairn/engine/column"
)

// The reasons of a Reject.
const (
	BadJSON        = "bad_json"
	BadCSV         = "bad_csv"
	BadEvent       = "bad_event"
	BadTime        = "bad_time"
	TimeTooNew     = "time_too_new"
	EventTooLarge  = "event_too_large"
	TooManyFields  = "too_many_fields"
	NameTooLong    = "name_too_long"
	ValueTooLong   = "value_too_long"
	UserTooLong    = "user_too_long"
	IDTooLong      = "id_too_long"
	TooDeep        = "too_deep"
	DuplicateField = "duplicate_field"
)

// Reject is an event that was not taken, and why.
type Reject struct {
	Line    int    // of the event's first byte, from 1
	Index   int    // of the event among all events, from 0; blank lines do not count
	Offset  int64  // of the wrong byte, from the beginning of the input
	Reason  string // one of the reasons
	Field   string // the field at fault, or ""
	Message string // for people: "expected a string, found a number"
	Raw     []byte // the event's bytes if Options.KeepRaw; owned by the Reject
}

func (r Reject) String() string {
	if r.Field != "" {
		return fmt.Sprintf("line %d: %s: field %q: %s", r.Line, r.Reason, r.Field, r.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", r.Line, r.Reason, r.Message)
}

// Result is what came of one chunk or body. It shares no memory with the bytes scanned.
type Result struct {
	Batch   *column.Batch // the events taken, in order; Rows may be 0. nil: it is that of several bodies
	Rejects []Reject      // by ascending Index
	Events  int           // taken and rejected
	Lines   int           // line ends passed
	Bytes   int64         // scanned

	first     position   // where the chunk begins, after Move
	positions []position // of each row, if Options.KeepPositions
}

type position struct {
	line   int
	index  int
	offset int64
}

// Move tells the result where in the input its chunk began: the number of lines, events and bytes
// before it. Results of chunks scanned in parallel are moved in order by whoever collects them.
func (r *Result) Move(lines, events int, offset int64) {
	r.first = position{line: r.first.line + lines, index: r.first.index + events, offset: r.first.offset + offset}
	for i := range r.Rejects {
		r.Rejects[i].Line += lines
		r.Rejects[i].Index += events
		r.Rejects[i].Offset += offset
	}
}

// Index returns the index in the input of the event in a row of the batch.
func (r *Result) Index(row int) int {
	index := r.first.index + row
	// Rejects[i].Index-i rows stand before reject i, so that number never falls.
	return index + sort.Search(len(r.Rejects), func(i int) bool { return r.Rejects[i].Index-i > index })
}

// Position returns line and byte offset of the event in a row of the batch; ok is false without
// Options.KeepPositions.
func (r *Result) Position(row int) (line int, offset int64, ok bool) {
	if row >= len(r.positions) {
		return 0, 0, false
	}
	p := r.positions[row]
	return r.first.line + p.line, r.first.offset + p.offset, true
}
