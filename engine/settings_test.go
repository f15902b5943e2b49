package engine

import (
	"math"
	"testing"
	"time"
)

func TestRetainedFrom(t *testing.T) {
	s, err := newSettings(tenantRecord{RetentionDays: 2, Eras: []era{{From: math.MinInt64, Zone: "Europe/Berlin"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ now, want string }{
		{"2025-03-31T21:59:59Z", "2025-03-28T23:00:00Z"}, // over the beginning of summer time
		{"2025-03-31T00:00:00Z", "2025-03-28T23:00:00Z"},
		{"2025-03-31T22:00:00Z", "2025-03-29T23:00:00Z"},
		{"2025-03-30T22:30:00Z", "2025-03-28T23:00:00Z"}, // a clock set back
		{"2025-03-30T21:30:00Z", "2025-03-27T23:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(0, s.retainedFrom(now.UnixNano())).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("at %s kept from %s, want %s", c.now, got, c.want)
		}
	}
}

// BenchmarkRetainedFrom is part of every append.
func BenchmarkRetainedFrom(b *testing.B) {
	s, err := newSettings(tenantRecord{RetentionDays: 365, Eras: []era{{From: math.MinInt64, Zone: "Europe/Berlin"}}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.retainedFrom(1750000000e9)
	}
}
