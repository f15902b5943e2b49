package query

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"cairn/engine/event"
	"cairn/query/exec"
)

// Options say how a query is run. The zero value works.
type Options struct {
	// Now is the clock of `last 30d` and `now`; default the time of the call.
	Now time.Time
	// Location and WeekStart stand in for the tenant's; `set tz` and `set week` in the text go first.
	Location  *time.Location
	WeekStart *time.Weekday
	// Range is the time range of a query whose text has none; nil is all of time.
	Range *event.TimeRange
	// Workers is how many goroutines read segments; default GOMAXPROCS.
	Workers int
	// MemoryBytes is how much the query may hold; default 512 MiB, negative for no limit.
	MemoryBytes int64
	// Timeout ends the query with ErrTimeout; 0 for none.
	Timeout time.Duration
	// Limit is how many rows the answer may have, 0 for any number; Meta.Truncated says that it had more.
	Limit int
	// RawLimit stands in for Limit where Stream writes raw events, of which it holds few at a time; 0 for
	// Limit.
	RawLimit int
	// Knobs turn optimisations off, for tests.
	Knobs exec.Knobs
}

// DefaultMemoryBytes is what a query may hold unless Options say otherwise.
const DefaultMemoryBytes = 512 << 20

// EnsureDefaults fills in what is not set.
func (o *Options) EnsureDefaults() {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.MemoryBytes == 0:
		o.MemoryBytes = DefaultMemoryBytes
	case o.MemoryBytes < 0:
		o.MemoryBytes = 0 // exec: no limit
	}
}

// Validate refuses what cannot be meant.
func (o *Options) Validate() error {
	switch {
	case o.Workers < 0:
		return fmt.Errorf("query: %d workers", o.Workers)
	case o.Timeout < 0:
		return fmt.Errorf("query: a timeout of %v", o.Timeout)
	case o.Limit < 0:
		return fmt.Errorf("query: a limit of %d rows", o.Limit)
	case o.Range != nil && o.Range.To < o.Range.From:
		return errors.New("query: the range ends before it begins")
	}
	return nil
}

// String prints the options that differ from their defaults.
func (o Options) String() string {
	return fmt.Sprintf("workers=%d memory=%d timeout=%v limit=%d", o.Workers, o.MemoryBytes, o.Timeout, o.Limit)
}

// rangeOutside is the range given beside the text.
func (o *Options) rangeOutside() event.TimeRange {
	if o.Range == nil {
		return event.AllTime
	}
	return *o.Range
}
