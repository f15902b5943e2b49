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

// TestCorruption flips a byte of each stored value of one day: the error names the key, and another
// day stays readable.
func TestCorruption(t *testing.T) {
	for _, space := range []byte{keys.SpaceHot, keys.SpaceManifest, keys.SpaceChunk} {
		t.Run(string(space), func(t *testing.T) { corruptSpace(t, space) })
	}
}

func corruptSpace(t *testing.T, space byte) {
	ctx, fs := context.Background(), vfs.NewMem()
	now := time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)
	opt := Options{FS: fs, Now: func() time.Time { return now }, NoBackground: true}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	var events []event.Event
	for day := range 2 {
		for i := range 6000 {
			events = append(events, event.Event{
				Time: now.UnixNano() - int64(day+1)*24*int64(time.Hour) - int64(i), Name: "x", User: fmt.Sprint("user ", i%100),
				Fields: []event.Field{{Name: "n", Value: event.Int(int64(i * i))}, {Name: "s", Value: event.String(fmt.Sprint(i * 7919))}},
			})
		}
	}
	if _, err := a.Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	if space != keys.SpaceHot {
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := a.settings.Load().calendar.day(now.UnixNano() - 2*24*int64(time.Hour))
	var all []tableEntry
	err = db.store.scan(keys.TenantSpan(space, a.id), func(key, value []byte) error {
		if parseDayOf(key) == first {
			all = append(all, tableEntry{append([]byte(nil), key...), append([]byte(nil), value...)})
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	for _, e := range all {
		for _, at := range []int{0, len(e.value) / 3, len(e.value) - 1} {
			bad := append([]byte(nil), e.value...)
			bad[at] ^= 0x10
			if err := db.store.db.Set(e.key, bad, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = Open("data", opt); err != nil {
				t.Fatal(err)
			}
			a, _ = db.Tenant("a")
			_, err := db.Check(ctx)
			var c *CorruptionError
			if !errors.Is(err, ErrCorrupt) || !errors.As(err, &c) || len(c.Key) == 0 || !strings.Contains(err.Error(), "day=") {
				t.Fatalf("%s byte %d: check says %v", keys.Format(e.key), at, err)
			}
			snap := a.Snapshot()
			n := 0
			err = snap.Scan(ctx, ScanOptions{Range: event.TimeRange{From: first + 24*int64(time.Hour), To: now.UnixNano()}}, func(*event.Event) error { n++; return nil })
			if err != nil || n != 6000 {
				t.Fatalf("%s byte %d: the other day has %d events, %v", keys.Format(e.key), at, n, err)
			}
			if err := scanSafely(snap); err == nil {
				t.Logf("%s byte %d is not needed to read events", keys.Format(e.key), at)
			} else if !errors.Is(err, ErrCorrupt) || !errors.As(err, &c) || !strings.Contains(err.Error(), keys.Format(e.key)) || !strings.Contains(err.Error(), "cairn check") {
				t.Fatalf("%s byte %d: scan says %v", keys.Format(e.key), at, err)
			}
			snap.Close()
			if err := db.Settle(ctx); err != nil && !isContained(err) {
				t.Fatalf("settle: %v", err)
			}
			if err := db.store.db.Set(e.key, e.value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Check(ctx); err != nil {
		t.Fatalf("mended: %v", err)
	}
}

func scanSafely(snap *Snapshot) error {
	return snap.Scan(context.Background(), ScanOptions{Range: event.AllTime}, func(*event.Event) error { return nil })
}

func parseDayOf(key []byte) int64 {
	k, err := keys.ParseHot(append([]byte{keys.SpaceHot}, key[1:23]...))
	if err != nil {
		panic(err)
	}
	return k.Day
}
