package scalar

import (
	"math"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// Resolve returns the instants of a written range; a nil one is all of time. Units that reach back
// beyond all time begin there. A range that ends before it begins is an error at its end.
func Resolve(r *syntax.Range, calendar *Calendar, now int64) (event.TimeRange, error) {
	if r == nil {
		return event.AllTime, nil
	}
	switch r.Kind {
	case syntax.RangeOn:
		day := calendar.Day(calendar.Instant(r.From, now))
		if r.From.Kind == syntax.InstantDate {
			day = floorDiv(clampNanos(r.From.Wall), dayNanos) // also one that the zone skipped
		}
		return event.TimeRange{From: calendar.DayStart(day), To: calendar.DayStart(day + 1)}, nil
	case syntax.RangeBetween:
		got := event.TimeRange{From: calendar.Instant(r.From, now), To: calendar.Instant(r.To, now)}
		if got.From > got.To {
			return got, syntax.Errorf(r.To.Pos, "expected an end of the range after its beginning")
		}
		return got, nil
	}
	return event.TimeRange{From: calendar.back(now, r.Last), To: now}, nil
}

// back returns the beginning of `last span`.
func (c *Calendar) back(now int64, span syntax.Span) int64 {
	if !span.Calendar() {
		if span.Count > math.MaxInt64/span.Unit.Elapsed() || now < math.MinInt64+span.Elapsed() {
			return math.MinInt64
		}
		return now - span.Elapsed()
	}
	day := c.firstDay(span.Unit, c.unitOf(span.Unit, c.Day(now))-min(span.Count, 1<<20)+1)
	if day < math.MinInt64/dayNanos+3 {
		return math.MinInt64
	}
	return c.DayStart(day)
}
