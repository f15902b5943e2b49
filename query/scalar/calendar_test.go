package scalar

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/query/syntax"
)

func zone(t testing.TB, name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func at(t testing.TB, s string) int64 {
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixNano()
}

func TestBinStartAndEnd(t *testing.T) {
	none := int64(math.MinInt64)
	for _, c := range []struct {
		zone, at, start, end string
		span                 syntax.Span
		week                 time.Weekday
	}{
		{"Europe/Berlin", "2025-03-30T12:00:00+02:00", "2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		{"Europe/Berlin", "2025-10-26T12:00:00+01:00", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		{"Europe/Berlin", "2025-10-26T02:30:00+01:00", "2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00", syntax.Span{Count: 1, Unit: syntax.Hour}, 1},
		{"Europe/Berlin", "2025-10-26T02:30:00+02:00", "2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00", syntax.Span{Count: 1, Unit: syntax.Hour}, 1},
		{"Europe/Berlin", "2025-03-30T03:10:00+02:00", "2025-03-30T03:00:00+02:00", "2025-03-30T04:00:00+02:00", syntax.Span{Count: 2, Unit: syntax.Hour}, 1},
		{"Europe/Berlin", "2025-10-26T02:30:00+01:00", "2025-10-26T02:00:00+02:00", "2025-10-26T04:00:00+01:00", syntax.Span{Count: 2, Unit: syntax.Hour}, 1},
		{"Europe/Berlin", "2025-10-26T20:00:00+01:00", "2025-10-26T12:00:00+01:00", "2025-10-27T00:00:00+01:00", syntax.Span{Count: 12, Unit: syntax.Hour}, 1},
		// the clocks of São Paulo skipped midnight; those of Havana repeat the hour after it
		{"America/Sao_Paulo", "2018-11-04T05:00:00-02:00", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		{"America/Havana", "2024-11-03T00:30:00-05:00", "2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		// St. John's went back from 00:01 to 23:01 of the day before: the day has begun by then
		{"America/St_Johns", "2010-11-06T23:30:00-03:30", "2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		// Samoa had no 30 December 2011
		{"Pacific/Apia", "2011-12-29T23:00:00-10:00", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", syntax.Span{Count: 1, Unit: syntax.Day}, 1},
		{"Asia/Shanghai", "2025-06-01T03:07:12+08:00", "2025-06-01T03:05:00+08:00", "2025-06-01T03:10:00+08:00", syntax.Span{Count: 5, Unit: syntax.Minute}, 1},
		{"Asia/Kolkata", "2025-06-01T03:07:12+05:30", "2025-06-01T03:00:00+05:30", "2025-06-01T04:00:00+05:30", syntax.Span{Count: 1, Unit: syntax.Hour}, 1},
		{"UTC", "2025-06-01T03:00:00Z", "2025-05-26T00:00:00Z", "2025-06-02T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Week}, 1},
		{"UTC", "2025-06-01T03:00:00Z", "2025-06-01T00:00:00Z", "2025-06-08T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Week}, 0},
		{"UTC", "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Month}, 1},
		{"UTC", "2024-02-29T23:59:59Z", "2024-01-01T00:00:00Z", "2024-04-01T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Quarter}, 1},
		{"UTC", "2024-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Year}, 1},
		{"UTC", "1969-12-31T23:59:59Z", "1969-10-01T00:00:00Z", "1970-01-01T00:00:00Z", syntax.Span{Count: 1, Unit: syntax.Quarter}, 1},
		{"UTC", "1970-01-02T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-03T00:00:00Z", syntax.Span{Count: 2, Unit: syntax.Day}, 1},
	} {
		bins := NewCalendar(zone(t, c.zone), c.week).Bins(c.span, none)
		show := func(n int64) string { return time.Unix(0, n).In(zone(t, c.zone)).Format(time.RFC3339) }
		if got := show(bins.Start(at(t, c.at))); got != c.start {
			t.Errorf("%s %v %s: start %s, want %s", c.zone, c.span, c.at, got, c.start)
		}
		if got := show(bins.End(at(t, c.at))); got != c.end {
			t.Errorf("%s %v %s: end %s, want %s", c.zone, c.span, c.at, got, c.end)
		}
	}
}

func TestSeveralUnitsCountFromTheRange(t *testing.T) {
	c := NewCalendar(time.UTC, time.Monday)
	bins := c.Bins(syntax.Span{Count: 3, Unit: syntax.Day}, at(t, "2025-06-02T10:00:00Z"))
	starts, ok := bins.Starts(at(t, "2025-06-02T10:00:00Z"), at(t, "2025-06-09T00:00:00Z"), 10)
	if !ok || len(starts) != 3 || starts[0] != at(t, "2025-06-02T00:00:00Z") || starts[1] != at(t, "2025-06-05T00:00:00Z") {
		t.Fatal(starts, ok)
	}
	if Find(starts, at(t, "2025-06-05T00:00:00Z")) != 1 || Find(starts, at(t, "2025-06-04T23:59:59Z")) != 0 {
		t.Fatal("Find")
	}
}

// Buckets cover time without gaps or overlaps, whatever the zone does.
func TestBinsPartitionTime(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
		"America/Havana", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "Africa/Cairo",
	}
	spans := []syntax.Span{
		{Count: 1, Unit: syntax.Second},
		{Count: 5, Unit: syntax.Minute},
		{Count: 1, Unit: syntax.Hour},
		{Count: 2, Unit: syntax.Hour},
		{Count: 12, Unit: syntax.Hour},
		{Count: 24, Unit: syntax.Hour},
		{Count: 1, Unit: syntax.Day},
		{Count: 3, Unit: syntax.Day},
		{Count: 1, Unit: syntax.Week},
		{Count: 2, Unit: syntax.Week},
		{Count: 1, Unit: syntax.Month},
		{Count: 5, Unit: syntax.Month},
		{Count: 1, Unit: syntax.Quarter},
		{Count: 1, Unit: syntax.Year},
	}
	calendars := map[string]*Calendar{}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		week := rapid.IntRange(0, 6).Draw(t, "week")
		key := name + string(rune('0'+week))
		if calendars[key] == nil {
			l, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			calendars[key] = NewCalendar(l, time.Weekday(week))
		}
		c := calendars[key]
		span := rapid.SampledFrom(spans).Draw(t, "span")
		nanos := rapid.Int64Range(-1e18, 3e18).Draw(t, "at")
		if rapid.Bool().Draw(t, "near a change") {
			s := c.span(nanos)
			if s.from > math.MinInt64/2 {
				nanos = s.from + rapid.Int64Range(-3*int64(time.Hour), 3*int64(time.Hour)).Draw(t, "off")
			}
		}
		bins := c.Bins(span, rapid.SampledFrom([]int64{math.MinInt64, 1.7e18}).Draw(t, "origin"))
		start, end := bins.Start(nanos), bins.End(nanos)
		if start > nanos || end <= nanos {
			t.Fatalf("%d not in [%d, %d)", nanos, start, end)
		}
		if bins.Start(start) != start || bins.Start(end-1) != start || bins.End(start) != end {
			t.Fatalf("bucket [%d, %d) does not agree with itself", start, end)
		}
		if bins.Start(end) != end || bins.End(start-1) != start {
			t.Fatalf("a gap after %d or before %d", end, start)
		}
	})
}

func TestCivil(t *testing.T) {
	for day := int64(-200000); day < 200000; day += 17 {
		want := time.Unix(day*86400, 0).UTC()
		year, month := civil(day)
		if year != int64(want.Year()) || month != int64(want.Month())-1 {
			t.Fatal(day, year, month)
		}
		if got := dayOf(year, month); got != time.Date(want.Year(), want.Month(), 1, 0, 0, 0, 0, time.UTC).Unix()/86400 {
			t.Fatal(day, got)
		}
	}
}

func BenchmarkBinStart(b *testing.B) {
	c := NewCalendar(zone(b, "America/New_York"), time.Monday)
	bins := c.Bins(syntax.Span{Count: 1, Unit: syntax.Day}, math.MinInt64)
	n := int64(1750000000e9)
	for b.Loop() {
		if n += 977e9; n > 1790000000e9 {
			n = 1750000000e9
		}
		bins.Start(n)
	}
}

func BenchmarkNewCalendar(b *testing.B) {
	l := zone(b, "America/New_York")
	for b.Loop() {
		NewCalendar(l, time.Monday)
	}
}

// Time ends in April 2262: the bucket in which it does has no end before.
func TestBinsEndWithTime(t *testing.T) {
	for _, span := range []syntax.Span{{Count: 1, Unit: syntax.Year}, {Count: 500, Unit: syntax.Year}, {Count: 1, Unit: syntax.Quarter}, {Count: 1, Unit: syntax.Month}} {
		bins := NewCalendar(zone(t, "Europe/Berlin"), time.Monday).Bins(span, math.MinInt64)
		if end := bins.End(at(t, "2262-04-01T10:00:00Z")); end != math.MaxInt64 {
			t.Errorf("%v: end %d", span, end)
		}
	}
}
