package scalar

import (
	"math"
	"sort"
	"time"

	"cairn/query/syntax"
)

const (
	dayNanos = 24 * int64(time.Hour)
	// farNanos is more than clocks were ever moved; further from a change the day is an ordinary one.
	farNanos = 50 * int64(time.Hour)
	// secondsMax is the last Unix second whose nanoseconds fit in an int64.
	secondsMax = math.MaxInt64 / int64(time.Second)
)

// Calendar knows the wall clock of a zone: days, weeks, months. It is immutable and safe for
// concurrent use. Instants are Unix nanoseconds.
type Calendar struct {
	location *time.Location
	week     time.Weekday
	// spans are the stretches of constant offset between known[0] and the last one's end; earlier and
	// later instants ask the location.
	spans []zoneSpan
}

// zoneSpan is a stretch [from, to) in which the clock shows UTC + offset.
type zoneSpan struct{ from, to, offset int64 }

// NewCalendar makes the calendar of a zone with weeks that begin on a day; a nil zone is UTC.
func NewCalendar(location *time.Location, week time.Weekday) *Calendar {
	if location == nil {
		location = time.UTC
	}
	c := &Calendar{location: location, week: week}
	const firstKnown, lastKnown = 1262304000, 2051222400 // 2010 to 2035, where events are
	for at := int64(firstKnown * 1e9); at < int64(lastKnown*1e9); {
		s := lookupSpan(location, at)
		c.spans = append(c.spans, s)
		at = s.to
	}
	return c
}

// Location returns the zone.
func (c *Calendar) Location() *time.Location { return c.location }

// Week returns the first day of the week.
func (c *Calendar) Week() time.Weekday { return c.week }

func lookupSpan(location *time.Location, at int64) zoneSpan {
	t := time.Unix(0, at).In(location)
	_, seconds := t.Zone()
	s := zoneSpan{math.MinInt64, math.MaxInt64, int64(seconds) * 1e9}
	start, end := t.ZoneBounds()
	if !start.IsZero() && start.Unix() > -secondsMax {
		s.from = start.Unix() * 1e9
	}
	if !end.IsZero() && end.Unix() < secondsMax {
		s.to = end.Unix() * 1e9
	}
	return s
}

// span returns the stretch of constant offset around an instant.
func (c *Calendar) span(at int64) zoneSpan {
	n := len(c.spans)
	if at < c.spans[0].from || at >= c.spans[n-1].to {
		return lookupSpan(c.location, at)
	}
	lo, hi := 0, n
	for hi-lo > 1 {
		mid := int(uint(lo+hi) >> 1)
		if c.spans[mid].from <= at {
			lo = mid
		} else {
			hi = mid
		}
	}
	return c.spans[lo]
}

// first returns the earliest instant at which the wall clock has reached wall, which is a clock
// reading as if it were UTC.
func (c *Calendar) first(wall int64) int64 {
	s := c.span(wall + 18*int64(time.Hour))
	for s.from != math.MinInt64 {
		before := c.span(s.from - 1)
		if s.from+before.offset <= wall {
			break
		}
		s = before
	}
	return max(s.from, wall-s.offset)
}

// floor returns the latest multiple of step on the wall clock that has been reached at an instant.
func (c *Calendar) floor(at, step int64) (wall, start int64) {
	s := c.span(at)
	wall = floorDiv(at+s.offset, step) * step
	start = wall - s.offset
	if start-farNanos >= s.from || s.from == math.MinInt64 {
		return wall, start
	}
	start = c.first(wall)
	for next := c.first(wall + step); next <= at; next = c.first(wall + step) {
		wall, start = wall+step, next
	}
	return wall, start
}

// Day returns the number of the local day of an instant, counted from 1970-01-01.
func (c *Calendar) Day(at int64) int64 {
	wall, _ := c.floor(at, dayNanos)
	return wall / dayNanos
}

// DayStart returns the first instant of a day by its number; for days of which time has no instants, and
// those next to them, the end of time that is nearer.
func (c *Calendar) DayStart(day int64) int64 {
	const daysMax = math.MaxInt64/dayNanos - 2
	switch {
	case day > daysMax:
		return math.MaxInt64
	case day < -daysMax:
		return math.MinInt64
	}
	return c.first(day * dayNanos)
}

// clock returns the wall clock's reading in nanoseconds since its midnight.
func (c *Calendar) clock(at int64) int64 {
	local := at + c.span(at).offset
	return local - floorDiv(local, dayNanos)*dayNanos
}

// Instant returns what an instant of a query text stands for.
func (c *Calendar) Instant(i syntax.Instant, now int64) int64 {
	switch i.Kind {
	case syntax.InstantNow:
		return now
	case syntax.InstantDate:
		return firstInstant(c.location, i.Wall)
	case syntax.InstantExact:
		return clampNanos(i.Wall)
	default:
		return localInstant(c.location, i.Wall)
	}
}

// clampNanos returns Unix nanoseconds, or the nearest that there are for years outside 1677…2262.
func clampNanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s >= secondsMax:
		return math.MaxInt64
	case s <= -secondsMax:
		return math.MinInt64
	}
	return t.UnixNano()
}

// unitOf returns the number of the calendar unit that a day lies in: days, weeks, months, quarters or
// years, counted from that of 1970-01-01.
func (c *Calendar) unitOf(unit syntax.Unit, day int64) int64 {
	switch unit {
	case syntax.Day:
		return day
	case syntax.Week:
		return floorDiv(day+c.weekShift(), 7)
	}
	year, month := civil(day)
	switch unit {
	case syntax.Month:
		return (year-1970)*12 + month
	case syntax.Quarter:
		return (year-1970)*4 + month/3
	default:
		return year - 1970
	}
}

// firstDay returns the first day of a unit by its number.
func (c *Calendar) firstDay(unit syntax.Unit, n int64) int64 {
	switch unit {
	case syntax.Day:
		return n
	case syntax.Week:
		return n*7 - c.weekShift()
	case syntax.Month:
		return dayOf(1970+floorDiv(n, 12), n-floorDiv(n, 12)*12)
	case syntax.Quarter:
		return dayOf(1970+floorDiv(n, 4), (n-floorDiv(n, 4)*4)*3)
	default:
		return dayOf(1970+n, 0)
	}
}

// weekShift is how many days of its week 1970-01-01, a Thursday, had behind it.
func (c *Calendar) weekShift() int64 { return int64(time.Thursday-c.week+7) % 7 }

// civil returns the year and the month (0 … 11) of a day of the proleptic Gregorian calendar, and
// dayOf the first day of a month; after Howard Hinnant's chrono-compatible date algorithms.
func civil(day int64) (year, month int64) {
	z := day + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	year = yoe + era*400
	if mp < 10 {
		return year, mp + 2
	}
	return year + 1, mp - 10
}

func dayOf(year, month int64) int64 {
	month++
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yoe := year - era*400
	mp := (month + 9) % 12
	doy := (153*mp + 2) / 5
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Bins cuts time into the buckets of a span. It is immutable and safe for concurrent use.
type Bins struct {
	calendar *Calendar
	span     syntax.Span
	origin   int64 // the number of the unit that several units are counted from
}

// Bins returns the buckets of a span; rangeFirst is the first instant of the query's range, from whose
// unit several calendar units are counted, or math.MinInt64 when the range has none.
func (c *Calendar) Bins(span syntax.Span, rangeFirst int64) *Bins {
	b := &Bins{calendar: c, span: span}
	if span.Calendar() && span.Count > 1 && rangeFirst != math.MinInt64 {
		b.origin = c.unitOf(span.Unit, c.Day(rangeFirst))
	}
	return b
}

// Start returns the first instant of the bucket that an instant lies in. It can lie before the range.
func (b *Bins) Start(at int64) int64 {
	c := b.calendar
	if b.span.Calendar() {
		if b.span.Unit == syntax.Day && b.span.Count == 1 {
			_, start := c.floor(at, dayNanos)
			return start
		}
		return c.DayStart(c.firstDay(b.span.Unit, b.first(at)))
	}
	step := b.span.Elapsed()
	if step > int64(time.Hour) {
		_, start := c.floor(at, step)
		return start
	}
	_, midnight := c.floor(at, dayNanos)
	return midnight + (at-midnight)/step*step
}

// first returns the number of the first unit of the bucket.
func (b *Bins) first(at int64) int64 {
	n := b.calendar.unitOf(b.span.Unit, b.calendar.Day(at))
	return b.origin + floorDiv(n-b.origin, b.span.Count)*b.span.Count
}

// End returns the first instant after the bucket that an instant lies in.
func (b *Bins) End(at int64) int64 {
	c := b.calendar
	if b.span.Calendar() {
		n := b.first(at)
		for {
			n += b.span.Count
			if end := c.DayStart(c.firstDay(b.span.Unit, n)); end > at {
				return end // a day that the zone skipped is no bucket
			}
		}
	}
	step := b.span.Elapsed()
	if step > int64(time.Hour) {
		wall, _ := c.floor(at, step)
		for {
			wall += step
			if end := c.first(wall); end > at {
				return end
			}
		}
	}
	wall, midnight := c.floor(at, dayNanos)
	return min(midnight+(at-midnight)/step*step+step, c.first(wall+dayNanos))
}

// Starts returns the starts of all buckets that share an instant with [from, to), in order. The first
// can lie before from. It stops with ok = false when there are more than most of them.
func (b *Bins) Starts(from, to int64, most int) (starts []int64, ok bool) {
	for at := from; at < to; {
		if len(starts) == most {
			return starts, false
		}
		starts = append(starts, b.Start(at))
		at = b.End(at)
	}
	return starts, true
}

// Find returns the number of the bucket in starts, made by Starts, that an instant lies in.
func Find(starts []int64, at int64) int {
	return sort.Search(len(starts), func(i int) bool { return starts[i] > at }) - 1
}
