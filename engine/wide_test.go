package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// TestLargeDaysStandAlone settles large days among small ones: only small days are put together, and
// never across a large one.
func TestLargeDaysStandAlone(t *testing.T) {
	clock := enginetest.NewClock()
	day := func(d int) int64 { return clock.Now().Add(time.Duration(d-20) * 24 * time.Hour).UnixNano() }
	const large, small = 6000, 100
	days := make([][]event.Event, 20)
	for d := range days {
		n := large
		if d%5 < 2 {
			n = small
		}
		for i := range n {
			days[d] = append(days[d], event.Event{Time: day(d) + int64(i), Name: "x", User: fmt.Sprint("u", i%300)})
		}
	}
	db := open(t, vfs.NewMem(), engine.Options{Now: clock.Now, NoBackground: true})
	defer db.Close()
	a := tenant(t, db, "a")
	for _, events := range days {
		appendAll(t, a, events)
	}
	for range 2 {
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := a.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	wide := 0
	for _, p := range parts {
		if p.To-p.From > int64(24*time.Hour) {
			wide++
			if p.Rows != 2*small {
				t.Errorf("a partition of %v has %d rows", time.Duration(p.To-p.From), p.Rows)
			}
		}
	}
	if wide != 4 || len(parts) != 4+12 {
		t.Errorf("%d partitions, %d of them wide", len(parts), wide)
	}
}

// TestWidePartitionsStaySmall loads months user by user, so that each day is small whenever it is
// sealed: the wide partitions of the beginning must not swallow all that follows.
func TestWidePartitionsStaySmall(t *testing.T) {
	clock := enginetest.NewClock()
	db := open(t, vfs.NewMem(), engine.Options{Now: clock.Now, NoBackground: true, HotBytes: 1 << 20})
	defer db.Close()
	a := tenant(t, db, "a")
	const users, days = 12000, 40
	var events []event.Event
	for u := range users {
		for d := range days {
			events = append(events, event.Event{
				Time: clock.Now().Add(-time.Duration(d+1) * 24 * time.Hour).UnixNano(), Name: "x", User: fmt.Sprint("user ", u),
			})
		}
		if len(events) >= 6000 {
			appendAll(t, a, events)
			events = events[:0]
		}
	}
	appendAll(t, a, events)
	for range 2 {
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := a.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, p := range parts {
		rows += p.Rows
		if p.To-p.From > int64(24*time.Hour) && p.Rows > 1<<17 {
			t.Errorf("a partition of %v has %d rows", time.Duration(p.To-p.From), p.Rows)
		}
	}
	if rows != users*days {
		t.Errorf("%d rows of %d", rows, users*days)
	}
	checkAll(t, db)
}
