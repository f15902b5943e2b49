package ingest

import (
	"time"
	"unsafe"

	"cairn/engine/event"
)

// anyTime reads times as TimeFormat "auto" does.
var anyTime = timeReader{lenient: true, plain: true, location: time.UTC}

// ParseTime reads an instant as the time format "auto" does: RFC 3339, a date or a date-time without an
// offset (UTC), or a number in seconds, milliseconds, microseconds or nanoseconds by its size.
func ParseTime(text string) (nanos int64, ok bool) {
	return anyTime.text(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// ParseNumber reads a JSON number as a Scanner does: whole numbers within int64 are integers; -0, longer
// ones and whatever has a point or an exponent are floats. It reports false for text that is not a
// number, and for one beyond a float64.
func ParseNumber(text string) (v event.Value, ok bool) {
	kind, bits, n := number(unsafe.Slice(unsafe.StringData(text), len(text)))
	if n <= 0 || n != len(text) {
		return event.Value{}, false
	}
	return event.FromBits(kind, bits, ""), true
}
