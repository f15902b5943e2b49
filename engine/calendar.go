package engine

import (
	"fmt"
	"math"
	"sort"
	"time"
	_ "time/tzdata" // a static binary knows every zone
)

const (
	// timeMin and timeMax bound event times so that every day has its bounds in an int64.
	timeMin = math.MinInt64 + 400*24*int64(time.Hour)
	timeMax = math.MaxInt64 - 400*24*int64(time.Hour)
)

// era is the time from From on, in which days are those of one zone.
type era struct {
	From int64 // Unix nanoseconds; the first era starts at math.MinInt64
	Zone string

	location *time.Location
}

// calendar cuts time into a tenant's days. A change of zone starts a new era behind the days that have
// data, so a day, once used, keeps its bounds. Immutable.
type calendar []era

func newCalendar(eras []era) (calendar, error) {
	if len(eras) == 0 {
		eras = []era{{From: math.MinInt64}}
	}
	c := append(calendar(nil), eras...)
	for i := range c {
		location, err := loadLocation(c[i].Zone)
		if err != nil {
			return nil, err
		}
		c[i].location = location
	}
	return c, nil
}

func loadLocation(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	if zone == "Local" {
		return nil, fmt.Errorf("engine: time zone %q is not an IANA name", zone)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("engine: time zone %q: %w", zone, err)
	}
	return location, nil
}

// current returns the zone of the last era.
func (c calendar) current() *time.Location { return c[len(c)-1].location }

// day returns the bounds [from, to) of the day that holds t.
func (c calendar) day(t int64) (from, to int64) {
	i := sort.Search(len(c), func(i int) bool { return c[i].From > t }) - 1
	location := c[i].location
	y, m, d := time.Unix(0, t).In(location).Date()
	from, to = startOfDay(y, m, d, location), startOfDay(y, m, d+1, location)
	from = max(from, c[i].From)
	if i+1 < len(c) {
		to = min(to, c[i+1].From)
	}
	return from, to
}

// startOfDay returns the first instant whose date is not before the given one.
func startOfDay(year int, month time.Month, day int, location *time.Location) int64 {
	wall := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if location == time.UTC {
		return wall.UnixNano()
	}
	guess := time.Date(year, month, day, 0, 0, 0, 0, location)
	best := guess.UnixNano()
	found := false
	for _, at := range []time.Time{guess.Add(-26 * time.Hour), guess, guess.Add(26 * time.Hour)} {
		_, offset := at.Zone()
		start := wall.Add(-time.Duration(offset) * time.Second)
		local, before := start.In(location), start.Add(-1).In(location)
		if !beforeDate(local, wall) && beforeDate(before, wall) && (!found || start.UnixNano() < best) {
			best, found = start.UnixNano(), true
		}
	}
	return best
}

// beforeDate reports whether t's date is before that of wall.
func beforeDate(t, wall time.Time) bool {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Before(wall)
}

// change returns the calendar with the zone from the first day that starts at or after dataEnd.
func (c calendar) change(zone string, dataEnd int64) (calendar, error) {
	location, err := loadLocation(zone)
	if err != nil {
		return nil, err
	}
	if c[len(c)-1].Zone == zone {
		return c, nil
	}
	next := era{From: math.MinInt64, Zone: zone, location: location}
	kept := calendar{}
	if dataEnd > math.MinInt64 {
		y, m, d := time.Unix(0, dataEnd).In(location).Date()
		next.From = startOfDay(y, m, d, location)
		if next.From < dataEnd {
			next.From = startOfDay(y, m, d+1, location)
		}
		for _, e := range c {
			if e.From < next.From {
				kept = append(kept, e)
			}
		}
	}
	return append(kept, next), nil
}
