package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

func TestCheckpoint(t *testing.T) {
	fs, clock := vfs.NewMem(), enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, NoBackground: true, BlockRows: 64}
	db := open(t, fs, opt)
	defer db.Close()
	a := tenant(t, db, "a")
	g := enginetest.NewGenerator(5)
	g.IDs = 0
	events := g.Events(500, clock.Now())
	appendAll(t, a, events[:300])
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	appendAll(t, a, events[300:])
	if err := db.Checkpoint("backup"); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint("backup"); err == nil {
		t.Error("a checkpoint over another one")
	}
	appendAll(t, a, g.Events(100, clock.Now()))
	opt.FS = fs
	copied, err := engine.Open("backup", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	enginetest.Compare(t, tenant(t, copied, "a"), events)
	checkAll(t, copied)
}

func TestUnsynced(t *testing.T) {
	fs, clock := vfs.NewCrashableMem(), enginetest.NewClock()
	db := open(t, fs, engine.Options{Now: clock.Now, NoBackground: true})
	defer db.Close()
	a := tenant(t, db, "a")
	send := func(id string, opt engine.AppendOptions) *engine.Result {
		t.Helper()
		var b column.Builder
		b.AppendEvent(&event.Event{Time: clock.Now().UnixNano(), Name: "x", ID: id})
		r, err := a.AppendBatch(ctx, b.Finish(), opt)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	send("1", engine.AppendOptions{Unsynced: true})
	if n := rowsAfterCrash(t, fs); n != 0 {
		t.Errorf("%d unsynced events survive the loss of all that is not synced", n)
	}
	// A repeat with a sync makes the first one durable: its sender may now forget it.
	if r := send("1", engine.AppendOptions{}); r.Duplicates != 1 {
		t.Errorf("repeat: %+v", r)
	}
	if n := rowsAfterCrash(t, fs); n != 1 {
		t.Errorf("%d events after a synced repeat, want 1", n)
	}
}

func rowsAfterCrash(t *testing.T, fs *vfs.MemFS) int {
	t.Helper()
	db := open(t, fs.CrashClone(vfs.CrashCloneCfg{}), engine.Options{NoBackground: true})
	defer db.Close()
	snap := tenant(t, db, "a").Snapshot()
	defer snap.Close()
	return snap.Rows()
}

func TestZoneChange(t *testing.T) {
	fs, clock := vfs.NewMem(), enginetest.NewClock()
	db := open(t, fs, engine.Options{Now: clock.Now, NoBackground: true})
	a := tenant(t, db, "a")
	at := func(text string) event.Event {
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return event.Event{Time: instant.UnixNano(), Name: text}
	}
	events := []event.Event{at("2025-06-14T23:00:00Z"), at("2025-06-15T01:00:00Z")}
	appendAll(t, a, events)
	if err := a.Configure(engine.Settings{Zone: "Asia/Tokyo", WeekStart: time.Monday}); err != nil {
		t.Fatal(err)
	}
	if err := a.Configure(engine.Settings{Zone: "Mars/Base"}); err == nil {
		t.Error("a zone that is not there")
	}
	more := []event.Event{at("2025-06-15T23:00:00Z"), at("2025-06-16T01:00:00Z"), at("2025-06-13T20:00:00Z")}
	appendAll(t, a, more)
	parts, err := a.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parts {
		got = append(got, fmt.Sprint(time.Unix(0, p.From).UTC().Format("02T15"), "-", time.Unix(0, p.To).UTC().Format("02T15"), ":", p.Rows))
	}
	if want := "[13T00-14T00:1 14T00-15T00:1 15T00-16T00:2 16T00-16T15:1]"; fmt.Sprint(got) != want {
		t.Errorf("partitions %v, want %s", got, want)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs, engine.Options{Now: clock.Now, NoBackground: true})
	defer db.Close()
	a = tenant(t, db, "a")
	if a.Settings().Zone != "Asia/Tokyo" {
		t.Errorf("settings %+v", a.Settings())
	}
	enginetest.Compare(t, a, append(events, more...))
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	enginetest.Compare(t, a, append(events, more...))
	checkAll(t, db)
}

func TestScanSelects(t *testing.T) {
	clock := enginetest.NewClock()
	db := open(t, vfs.NewMem(), engine.Options{Now: clock.Now, NoBackground: true})
	defer db.Close()
	a := tenant(t, db, "a")
	g := enginetest.NewGenerator(9)
	g.IDs = 0
	events := g.Events(800, clock.Now())
	appendAll(t, a, events[:500])
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	appendAll(t, a, events[500:])
	snap := a.Snapshot()
	defer snap.Close()
	day := 24 * int64(time.Hour)
	r := event.TimeRange{From: clock.Now().UnixNano() - 3*day, To: clock.Now().UnixNano() - day}
	for _, opt := range []engine.ScanOptions{
		{Range: r},
		{Range: r, Events: []string{"event_1", "event_2", "none"}},
		{Range: r, Users: []string{"user-3", "user-4", "nobody"}},
		{Range: r, Users: []string{"nobody"}},
		{Range: r, Events: []string{"event_0"}, Select: func(e *event.Event) bool { return len(e.Fields) > 2 }},
	} {
		var want, got []event.Event
		for _, e := range events {
			if r.Contains(e.Time) && has(opt.Events, e.Name) && has(opt.Users, e.User) && (opt.Select == nil || opt.Select(&e)) {
				want = append(want, e)
			}
		}
		if err := snap.Scan(ctx, opt, func(e *event.Event) error { got = append(got, *e); return nil }); err != nil {
			t.Fatal(err)
		}
		enginetest.CompareTexts(t, enginetest.Texts(got), enginetest.Texts(want))
	}
	stop := errors.New("stop")
	if err := snap.Scan(ctx, engine.ScanOptions{Range: r}, func(*event.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("scan ended with %v", err)
	}
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return list == nil
}

// TestConcurrent lets many goroutines append single events and small batches to a few tenants, with
// queries, sealing and settling between.
func TestConcurrent(t *testing.T) {
	db := open(t, vfs.NewMem(), engine.Options{HotBytes: 256 << 10, SealIdle: 50 * time.Millisecond})
	defer db.Close()
	now := time.Now()
	var wait sync.WaitGroup
	const writers, rounds = 8, 60
	for w := range writers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			a := tenant(t, db, fmt.Sprint("tenant ", w%3))
			for i := range rounds {
				var events []event.Event
				for j := range 1 + i%5 {
					// Half of the ids are also sent by another writer of the tenant.
					events = append(events, event.Event{Time: now.UnixNano() - int64(j)*1e12, Name: "x", User: fmt.Sprint(i), ID: fmt.Sprintf("%d-%d-%d", w%(writers-2), i, j)})
				}
				if _, err := a.Append(ctx, events); err != nil {
					t.Error(err)
					return
				}
				if i%20 == 0 {
					snap := a.Snapshot()
					if _, err := snap.Segments(ctx, event.AllTime); err != nil {
						t.Error(err)
					}
					snap.Close()
				}
				if i%30 == 7 && w == 0 {
					if err := db.Settle(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wait.Wait()
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	for k := range 3 {
		ids := map[string]bool{}
		for w := range writers {
			for i := range rounds {
				for j := range 1 + i%5 {
					if w%3 == k {
						ids[fmt.Sprintf("%d-%d-%d", w%(writers-2), i, j)] = true
					}
				}
			}
		}
		got := map[string]bool{}
		for _, e := range enginetest.Dump(t, tenant(t, db, fmt.Sprint("tenant ", k))) {
			if got[e.ID] {
				t.Fatalf("%s is stored twice", e.ID)
			}
			got[e.ID] = true
		}
		if len(got) != len(ids) {
			t.Errorf("tenant %d has %d events, want %d", k, len(got), len(ids))
		}
	}
	checkAll(t, db)
}
