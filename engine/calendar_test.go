package engine

import (
	"math"
	"testing"
	"time"
)

func TestCalendarDays(t *testing.T) {
	for _, c := range []struct {
		zone, at, from, to string
	}{
		{"", "2025-06-01T12:00:00Z", "2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z"},
		{"Asia/Shanghai", "2025-06-01T15:59:59Z", "2025-05-31T16:00:00Z", "2025-06-01T16:00:00Z"},
		{"Europe/Berlin", "2025-03-30T12:00:00Z", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"},     // 23 hours
		{"Europe/Berlin", "2025-10-26T12:00:00Z", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z"},     // 25 hours
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no midnight
		{"America/Havana", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"},    // midnight twice
		{"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},      // the 30th never was
		{"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		cal, err := newCalendar([]era{{From: math.MinInt64, Zone: c.zone}})
		if err != nil {
			t.Fatal(err)
		}
		from, to := cal.day(instant(t, c.at))
		if from != instant(t, c.from) || to != instant(t, c.to) {
			t.Errorf("%s day of %s: %s to %s, want %s to %s", c.zone, c.at,
				time.Unix(0, from).UTC(), time.Unix(0, to).UTC(), c.from, c.to)
		}
	}
}

func TestCalendarTiles(t *testing.T) {
	for _, zone := range []string{"", "America/Havana", "Pacific/Apia", "Africa/Cairo", "America/Sao_Paulo", "Asia/Kathmandu"} {
		cal, err := newCalendar([]era{{From: math.MinInt64, Zone: zone}})
		if err != nil {
			t.Fatal(err)
		}
		end := instant(t, "2030-01-01T00:00:00Z")
		for at := instant(t, "2005-01-01T00:00:00Z"); at < end; {
			from, to := cal.day(at)
			if from != at && at != instant(t, "2005-01-01T00:00:00Z") {
				t.Fatalf("%s: day at %v starts at %v", zone, time.Unix(0, at), time.Unix(0, from))
			}
			if f2, t2 := cal.day(to - 1); f2 != from || t2 != to {
				t.Fatalf("%s: the last instant of %v is in another day", zone, time.Unix(0, from))
			}
			at = to
		}
	}
}

func TestCalendarChange(t *testing.T) {
	cal, err := newCalendar(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, end := cal.day(instant(t, "2025-06-01T12:00:00Z"))
	cal, err = cal.change("America/New_York", end)
	if err != nil {
		t.Fatal(err)
	}
	if from, to := cal.day(instant(t, "2025-06-01T12:00:00Z")); to != end || from != instant(t, "2025-06-01T00:00:00Z") {
		t.Errorf("the day with data has moved: %v to %v", from, to)
	}
	if from, to := cal.day(end); from != end || to != instant(t, "2025-06-02T04:00:00Z") {
		t.Errorf("the day between the zones: %v to %v", time.Unix(0, from).UTC(), time.Unix(0, to).UTC())
	}
	if from, _ := cal.day(instant(t, "2025-06-02T12:00:00Z")); from != instant(t, "2025-06-02T04:00:00Z") {
		t.Errorf("the first day of the new zone: %v", time.Unix(0, from).UTC())
	}
}

func instant(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}
