package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
	"cairn/engine/keys"
)

var damagedNow = time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)

// damagedEvents are n events of a day, with strings to give them a size.
func damagedEvents(day time.Time, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Time: day.UnixNano() + int64(i), Name: "x", User: fmt.Sprint("user ", i%100),
			Fields: []event.Field{{Name: "s", Value: event.String(strings.Repeat("s", 100) + fmt.Sprint(i))}},
		}
	}
	return events
}

// openDamaged opens a directory in which the second of three frames of the day of damagedNow cannot
// be read, and returns that frame's key.
func openDamaged(t *testing.T, opt Options) (*DB, *Tenant, []byte) {
	t.Helper()
	ctx := context.Background()
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	for range 3 {
		if _, err := a.Append(ctx, damagedEvents(damagedNow, 500)); err != nil {
			t.Fatal(err)
		}
	}
	var frames []tableEntry
	err = db.store.scan(keys.TenantSpan(keys.SpaceHot, a.id), func(key, value []byte) error {
		frames = append(frames, tableEntry{append([]byte(nil), key...), append([]byte(nil), value...)})
		return nil
	})
	if err != nil || len(frames) != 3 {
		t.Fatal(len(frames), err)
	}
	bad := frames[1]
	bad.value[len(bad.value)/2] ^= 0x10
	if err := db.store.db.Set(bad.key, bad.value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	a, _ = db.Tenant("a")
	return db, a, bad.key
}

// TestDamagedDayIsSealed appends far more to a day with an unreadable frame than memory has room for:
// no append waits, and the frame and all readable events are still there in the end.
func TestDamagedDayIsSealed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, HotBytes: 1 << 20}
	db, a, key := openDamaged(t, opt)
	b, _ := db.Tenant("b")
	for range 30 {
		for _, tenant := range []*Tenant{a, b} {
			if _, err := tenant.Append(ctx, damagedEvents(damagedNow, 1000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		if hot := db.Stats().HotBytes; hot != 0 {
			t.Fatalf("%d bytes are not sealed", hot)
		}
		if value, err := db.store.get(key); err != nil || value == nil {
			t.Fatalf("the damaged frame is gone: %v", err)
		}
		snap := a.Snapshot()
		if got, want := snap.Rows(), 31_000; got != want {
			t.Fatalf("%d rows, want %d", got, want)
		}
		if err := scanSafely(snap); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), keys.Format(key)) {
			t.Fatalf("scan: %v", err)
		}
		snap.Close()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if db, err = Open("data", opt); err != nil {
			t.Fatal(err)
		}
		a, _ = db.Tenant("a")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUnloadableTenantHoldsNobodyBack opens a directory in which a tenant with a large hot log cannot
// be loaded: others append as if it were not there.
func TestUnloadableTenantHoldsNobodyBack(t *testing.T) {
	for _, noBackground := range []bool{false, true} {
		t.Run(fmt.Sprint(noBackground), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, HotBytes: 8 << 20, NoBackground: noBackground}
			db, err := Open("data", opt)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := db.Tenant("a")
			if _, err := a.Append(ctx, damagedEvents(damagedNow, 2000)); err != nil {
				t.Fatal(err)
			}
			key := keys.Manifest(a.id, 0, damagedNow.UnixNano(), 1)
			if err := db.store.db.Set(key[:len(key)-1], nil, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			opt.HotBytes = 64 << 10
			if db, err = Open("data", opt); err != nil {
				t.Fatal(err)
			}
			b, _ := db.Tenant("b")
			for range 20 {
				if _, err := b.Append(ctx, damagedEvents(damagedNow, 300)); err != nil {
					t.Fatal(err)
				}
			}
			a, _ = db.Tenant("a")
			if _, err := a.Append(ctx, damagedEvents(damagedNow, 1)); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("append to the tenant: %v", err)
			}
			if err := db.Settle(ctx); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("settle: %v", err)
			}
			if hot := db.Stats().HotBytes; hot != 0 {
				t.Fatalf("%d bytes are counted", hot)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRetentionDropsDamagedDays damages a frame, a manifest entry or a chunk of a day; once the day is
// past retention, queries over all time work again and nothing of it is left.
func TestRetentionDropsDamagedDays(t *testing.T) {
	for _, space := range []byte{keys.SpaceHot, keys.SpaceManifest, keys.SpaceChunk} {
		t.Run(string(space), func(t *testing.T) {
			ctx, now := context.Background(), damagedNow
			opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return now }, NoBackground: true}
			db, err := Open("data", opt)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := db.Tenant("a")
			if err := a.Configure(Settings{RetentionDays: 3}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Append(ctx, damagedEvents(damagedNow, 6000)); err != nil {
				t.Fatal(err)
			}
			if space != keys.SpaceHot {
				if err := db.Settle(ctx); err != nil {
					t.Fatal(err)
				}
			}
			var all []tableEntry
			err = db.store.scan(keys.TenantSpan(space, a.id), func(key, value []byte) error {
				all = append(all, tableEntry{append([]byte(nil), key...), append([]byte(nil), value...)})
				return nil
			})
			if err != nil || len(all) == 0 {
				t.Fatal(len(all), err)
			}
			for _, e := range all {
				e.value[10] ^= 0x10
				if err := db.store.db.Set(e.key, e.value, pebble.Sync); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = Open("data", opt); err != nil {
				t.Fatal(err)
			}
			a, _ = db.Tenant("a")
			snap := a.Snapshot()
			if err := scanSafely(snap); !isContained(err) {
				t.Fatalf("scan: %v", err)
			}
			snap.Close()
			now = damagedNow.AddDate(0, 0, 5)
			if _, err := a.Append(ctx, damagedEvents(now, 10)); err != nil {
				t.Fatal(err)
			}
			if err := db.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				snap := a.Snapshot()
				if err := scanSafely(snap); err != nil || snap.Rows() != 10 {
					t.Fatalf("%d rows, %v", snap.Rows(), err)
				}
				snap.Close()
				if _, err := db.Check(ctx); err != nil {
					t.Fatal(err)
				}
				for _, e := range all {
					if value, err := db.store.get(e.key); err != nil || value != nil {
						t.Fatalf("%s is still there: %v", keys.Format(e.key), err)
					}
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				if db, err = Open("data", opt); err != nil {
					t.Fatal(err)
				}
				a, _ = db.Tenant("a")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestDamagedWidePartition damages the summary, and then also the directory, of a partition of many
// days: a query of any of them says so, and days further away stay readable.
func TestDamagedWidePartition(t *testing.T) {
	ctx, now := context.Background(), damagedNow
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return now }, NoBackground: true}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	for day := range 10 {
		if _, err := a.Append(ctx, damagedEvents(damagedNow.AddDate(0, 0, -20+day), 10)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Append(ctx, damagedEvents(damagedNow.AddDate(-2, 0, 0), 10)); err != nil {
		t.Fatal(err)
	}
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append(ctx, damagedEvents(damagedNow, 10)); err != nil {
		t.Fatal(err)
	}
	var last tableEntry
	err = db.store.scan(keys.TenantSpan(keys.SpaceManifest, a.id), func(key, value []byte) error {
		last = tableEntry{append([]byte(nil), key...), append([]byte(nil), value...)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{5, len(last.value) - 1} { // the second time both
		last.value[at] ^= 0x10
		if err := db.store.db.Set(last.key, last.value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open("data", opt); err != nil {
			t.Fatal(err)
		}
		a, _ = db.Tenant("a")
		snap := a.Snapshot()
		count := func(from, to int) (n int, err error) {
			r := event.TimeRange{From: damagedNow.AddDate(0, 0, from).UnixNano(), To: damagedNow.AddDate(0, 0, to).UnixNano()}
			err = snap.Scan(ctx, ScanOptions{Range: r}, func(*event.Event) error { n++; return nil })
			return n, err
		}
		for day := range 10 {
			if _, err := count(-20+day, -19+day); !errors.Is(err, ErrCorrupt) {
				t.Errorf("day %d: %v", day, err)
			}
		}
		if n, err := count(-1000, -100); err != nil || n != 10 {
			t.Errorf("two years ago: %v", err)
		}
		if n, err := count(0, 1); (err != nil || n != 10) && at == 5 {
			t.Errorf("today: %v", err)
		}
		snap.Close()
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
