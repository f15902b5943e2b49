package ingest

import (
	"fmt"
	"strings"
	"time"
)

// Format is the shape of the bytes that a Scanner or Stream reads.
type Format string

// The formats. FormatAuto tells NDJSON from a JSON array by the first byte that is not white space.
const (
	FormatAuto   Format = ""
	FormatNDJSON Format = "ndjson"
	FormatJSON   Format = "json" // an array of objects, or one object
	FormatCSV    Format = "csv"
	FormatTSV    Format = "tsv"
)

// Options say how bytes become events. The zero value reads Cairn's own shape with the default
// limits; Received must be set for events without a time to be accepted.
type Options struct {
	Format Format
	// Received is the arrival of the events in Unix nanoseconds: the time of those that carry none.
	// 0 rejects them as bad_time.
	Received int64
	// AllowReceived takes the key "received" as the arrival of the event; otherwise it is a field.
	AllowReceived bool
	// TimeMax rejects later events as time_too_new (Unix nanoseconds); 0 does not look.
	TimeMax int64

	// TimeField, EventField, UserField and IDField name the fields, dotted if nested, that hold the
	// attributes of a foreign shape; "" means "time", "event", "user" and "id" at the top level. The
	// sources of time and id are moved; those of event and user stay as fields too, unless they
	// bear the attribute's own name. An event without a named TimeField is rejected as bad_time.
	TimeField, EventField, UserField, IDField string
	// EventName is the name of every event; a key "event" is then an ordinary field.
	EventName string
	// TimeFormat is how times are written: "" RFC 3339 or a number; "auto" also numbers in strings
	// and dates and date-times without an offset; "unix", "unix_ms", "unix_us", "unix_ns"; or a
	// layout of package time, such as "2/1/2006 15:04".
	TimeFormat string
	// Location is the zone of times written without one; nil is UTC.
	Location *time.Location

	// Comma separates the columns of CSV; 0 finds out from the first line (comma, semicolon or tab).
	Comma byte
	// Header names the columns of CSV whose first line is data.
	Header []string
	// NullValues are the texts of unquoted CSV cells that count as empty, such as "?" or "NaN".
	NullValues []string

	// Pace, if set, is called again and again between events, for whoever wants a long body to let others go first.
	Pace func()

	// KeepRaw copies the bytes of rejected events into Reject.Raw.
	KeepRaw bool
	// KeepPositions records where each accepted row came from, for Result.Position.
	KeepPositions bool

	// The limits; 0 means the default.
	EventBytesMax  int // of an event's JSON or CSV record; 1 MiB
	FieldsMax      int // fields of an event; 1,024
	NameBytesMax   int // of a field's dotted name; 256
	StringBytesMax int // of a string; 64 KiB
	DepthMax       int // objects and lists inside each other, the event being the first; 16
	EventNameMax   int // bytes of an event's name; 256
	UserBytesMax   int // 512
	IDBytesMax     int // 256
}

// EnsureDefaults fills what is zero.
func (o *Options) EnsureDefaults() {
	set := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	set(&o.EventBytesMax, 1<<20)
	set(&o.FieldsMax, 1024)
	set(&o.NameBytesMax, 256)
	set(&o.StringBytesMax, 64<<10)
	set(&o.DepthMax, 16)
	set(&o.EventNameMax, 256)
	set(&o.UserBytesMax, 512)
	set(&o.IDBytesMax, 256)
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Comma == 0 && o.Format == FormatTSV {
		o.Comma = '\t'
	}
}

// Validate refuses options that contradict each other.
func (o *Options) Validate() error {
	switch o.Format {
	case FormatAuto, FormatNDJSON, FormatJSON, FormatCSV, FormatTSV:
	default:
		return fmt.Errorf("%w: unknown format %q: expected ndjson, json, csv or tsv", ErrOptions, o.Format)
	}
	if o.EventName != "" && o.EventField != "" {
		return fmt.Errorf("%w: both a fixed event name %q and a field for it %q", ErrOptions, o.EventName, o.EventField)
	}
	if o.EventName != "" && o.EventNameMax > 0 && len(o.EventName) > o.EventNameMax {
		return fmt.Errorf("%w: the event name has %d bytes, more than %d", ErrOptions, len(o.EventName), o.EventNameMax)
	}
	if o.Comma == '"' || o.Comma == '\n' || o.Comma == '\r' {
		return fmt.Errorf("%w: %q cannot separate columns", ErrOptions, o.Comma)
	}
	if !knownTimeFormat(o.TimeFormat) && !strings.ContainsAny(o.TimeFormat, "0123456789") {
		return fmt.Errorf("%w: time format %q: expected auto, unix, unix_ms, unix_us, unix_ns or a layout such as %q",
			ErrOptions, o.TimeFormat, "2/1/2006 15:04")
	}
	return nil
}

// String prints what differs from the zero value, for logs.
func (o Options) String() string {
	var b strings.Builder
	say := func(name string, value any, set bool) {
		if set {
			fmt.Fprintf(&b, " %s=%v", name, value)
		}
	}
	say("format", o.Format, o.Format != "")
	say("time", o.TimeField, o.TimeField != "")
	say("time-format", o.TimeFormat, o.TimeFormat != "")
	say("location", o.Location, o.Location != nil && o.Location != time.UTC)
	say("event", o.EventField, o.EventField != "")
	say("event-name", o.EventName, o.EventName != "")
	say("user", o.UserField, o.UserField != "")
	say("id", o.IDField, o.IDField != "")
	say("comma", string(rune(o.Comma)), o.Comma != 0)
	say("header", strings.Join(o.Header, ","), len(o.Header) > 0)
	return strings.TrimPrefix(b.String(), " ")
}
