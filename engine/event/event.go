// Package event holds the plain types that every other package speaks: an Event, its fields, and
// the Value of a field. It does no I/O and imports nothing of ours.
package event

import "time"

// Event is one thing that a user did. The zero value of an optional attribute means absent.
type Event struct {
	Time     int64  // Unix time in nanoseconds
	Name     string // what happened; never empty in a stored event
	User     string // who did it; "" when absent
	ID       string // insert id, for exact de-duplication; "" when absent
	Received int64  // the server's clock on arrival, Unix nanoseconds; 0 lets the engine set it
	// Fields are in the order of arrival. A name occurs once. Nested objects are dotted
	// (payload.action); see FieldDots for keys that carry a dot themselves.
	Fields []Field
}

// Field is a named value of an event.
type Field struct {
	Name  string
	Value Value
}

// Get returns the value of the field called name, or an absent Value.
func (e *Event) Get(name string) Value {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value
		}
	}
	return Value{}
}

// FieldDots is the name of a hidden field that lists, a line each and sorted (see FormatDots), the names
// in an event whose dots are part of a JSON key rather than a step into a nested object. It keeps
// {"a.b": 1} apart from {"a": {"b": 1}} when an event is written out again; queries never see it.
const FieldDots = "\x00dots"

// TimeRange is the half-open span [From, To) in Unix nanoseconds.
type TimeRange struct{ From, To int64 }

// AllTime covers every representable instant.
var AllTime = TimeRange{From: -1 << 63, To: 1<<63 - 1}

// Contains reports whether t lies in the range.
func (r TimeRange) Contains(t int64) bool { return r.From <= t && t < r.To }

// Overlaps reports whether the inclusive span [first, last] shares an instant with the range.
func (r TimeRange) Overlaps(first, last int64) bool { return first < r.To && last >= r.From }

// Empty reports whether no instant lies in the range.
func (r TimeRange) Empty() bool { return r.From >= r.To }

// Duration returns the length of the range.
func (r TimeRange) Duration() time.Duration { return time.Duration(r.To - r.From) }
