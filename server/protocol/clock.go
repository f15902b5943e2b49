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
	skew := time.Unix(0, c.Received).Sub(time.Unix(0, nanos)).Round(time.Millisecond)
	if skew.Abs() >= skewMin {
		c.Skew = int64(skew)
	}
	return c
}

// Names of the fields that Cairn adds to events.
const (
	FieldSkew      = "$skew_ms"    // what was added to the client's time
	FieldTimeError = "$time_error" // the client's time, which could not be read; the event has that of its arrival
)
