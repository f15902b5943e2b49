package protocol

import (
	"time"

	"cairn/engine/ingest"
)

// skewMin is the skew below which a clock is taken to be right: the request was on its way that long.
const skewMin = 5 * time.Second

// Clock turns the times of one request's client into the server's.
type Clock struct {
	Received int64 // Unix nanoseconds
	Skew     int64 // nanoseconds to add to the client's times: received − sent, in whole milliseconds; 0 for none
}

// NewClock returns the clock of a request that says when it was sent. A time that is absent or unreadable
// means no skew.
func NewClock(received time.Time, sent *Value) Clock {
	c := Clock{Received: received.UnixNano()}
	nanos, ok := ingest.ParseTime(sent.Name())
	if !ok {
		return c
	}
	c.Skew = Skew(received, nanos)
	return c
}

// Skew returns what is to be added to the times of a client whose clock read sent (Unix nanoseconds) when
// its request was on its way: received − sent in whole milliseconds, or 0 if that is no more than the way.
func Skew(received time.Time, sent int64) int64 {
	skew := time.Unix(0, received.UnixNano()).Sub(time.Unix(0, sent)).Round(time.Millisecond)
	if skew.Abs() < skewMin {
		return 0
	}
	return int64(skew)
}

// Names of the fields that Cairn adds to events.
const (
	FieldSkew      = "$skew_ms"    // what was added to the client's time
	FieldTimeError = "$time_error" // the client's time, which could not be read; the event has that of its arrival
)
