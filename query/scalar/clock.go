package scalar

import (
	"math"
	"time"

	"cairn/engine/event"
)

// timeLayouts are the texts that stand for an instant; those without an offset are in the query's zone.
// A fraction of the second is taken after every layout with seconds.
var timeLayouts = [...]string{
	time.RFC3339,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04Z07:00",
}

var localLayouts = [...]string{
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// ParseTime reads RFC 3339, or a date or date-time in a zone, as Unix nanoseconds.
func ParseTime(s string, zone *time.Location) (nanos int64, ok bool) {
	if len(s) < len("2006-01-02") || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	if len(s) == len("2006-01-02") {
		t, err := time.Parse("2006-01-02", s)
		if err != nil {
			return 0, false
		}
		return firstInstant(zone, t), true
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return clampNanos(t), true
		}
	}
	for _, layout := range localLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return localInstant(zone, t), true
		}
	}
	return 0, false
}

// firstInstant is the first instant of a date, given as its midnight in UTC, in a zone.
func firstInstant(zone *time.Location, midnight time.Time) int64 {
	wall := clampNanos(midnight)
	if isFar(wall) {
		return wall
	}
	return around(zone, wall).first(wall)
}

// localInstant is when the clock of a zone shows a reading, given as if it were UTC: the earlier of two
// such instants, and of a reading that the clocks skip what the clock before the change calls so.
func localInstant(zone *time.Location, reading time.Time) int64 {
	wall := clampNanos(reading)
	if isFar(wall) {
		return wall
	}
	c := around(zone, wall)
	at := c.first(wall)
	if at+c.span(at).offset != wall {
		at = wall - c.span(at-1).offset
	}
	return at
}

// isFar reports whether a reading of the clock is too near to the ends of time to be moved by a zone.
func isFar(wall int64) bool { return wall < math.MinInt64+dayNanos || wall > math.MaxInt64-dayNanos }

// around is a calendar that knows a zone around an instant.
func around(zone *time.Location, at int64) *Calendar {
	return &Calendar{location: zone, spans: []zoneSpan{lookupSpan(zone, at)}}
}

// time is time(x).
func (c *compiler) time(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindTime:
		return v
	case event.KindString:
		if nanos, ok := ParseTime(v.AsString(), c.calendar.location); ok {
			return event.Time(nanos)
		}
	case event.KindInt:
		if nanos, ok := multiplyInts(v.AsInt(), epochUnit(math.Abs(v.AsFloat()))); ok {
			return event.Time(nanos)
		}
	case event.KindFloat:
		f := v.AsFloat()
		if nanos := math.Round(f * float64(epochUnit(math.Abs(f)))); nanos >= -1<<63 && nanos < 1<<63 {
			return event.Time(int64(nanos))
		}
	}
	return event.Null
}

// epochUnit guesses the unit of a Unix time from its size and returns its nanoseconds.
func epochUnit(size float64) int64 {
	switch {
	case size < 1e11:
		return 1e9
	case size < 1e14:
		return 1e6
	case size < 1e17:
		return 1e3
	}
	return 1
}

func (c *compiler) hour(v event.Value) event.Value {
	if v.Kind() != event.KindTime {
		return event.Null
	}
	return event.Int(c.calendar.clock(v.AsInt()) / int64(time.Hour))
}

func (c *compiler) weekday(v event.Value) event.Value {
	if v.Kind() != event.KindTime {
		return event.Null
	}
	day := floorDiv(v.AsInt()+c.calendar.span(v.AsInt()).offset, dayNanos)
	return event.Int(day + 3 - floorDiv(day+3, 7)*7 + 1)
}
