package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
	"cairn/engine/keys"
)

// TestDroppedIDKeepsNewestArrival stores an insert id three times, on two days, with a short window. When
// both days are dropped under a longer one, the id is known by its newest arrival.
func TestDroppedIDKeepsNewestArrival(t *testing.T) {
	const day = 24 * time.Hour
	ctx, now := context.Background(), damagedNow
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return now }, NoBackground: true, DedupWindow: day}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	if err := a.Configure(Settings{RetentionDays: 3}); err != nil {
		t.Fatal(err)
	}
	add := func(user, id string, at, received time.Time, want VerdictKind) {
		t.Helper()
		verdicts, err := a.Append(ctx, []event.Event{{Time: at.UnixNano(), Name: "x", ID: id, User: user, Received: received.UnixNano()}})
		if err != nil || verdicts[0].Kind != want {
			t.Fatal(verdicts, err)
		}
	}
	// Rows are in the order of user numbers: the newest arrival comes first in its day.
	add("first", "", now, now, OK)
	add("second", "id", now, now.Add(-6*day), OK)
	add("second", "id", now.Add(day), now.Add(-3*day), OK)
	add("first", "id", now, now, OK)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	opt.DedupWindow = 14 * day
	if db, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ = db.Tenant("a")
	for range 2 {
		now = now.Add(7 * day / 2) // one day is dropped, then the other
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if snap := a.Snapshot(); snap.Rows() != 0 {
		t.Fatalf("%d rows are left", snap.Rows())
	}
	add("first", "id", now, now.Add(6*day), Duplicate)
	add("first", "id", now, now.Add(7*day+time.Hour), OK)
}

// Ids that format version 1 has written in clear are known all the same, and are hashes from then on.
func TestPlainIDsAreHashed(t *testing.T) {
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
	arrival := binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano()))
	for _, id := range []string{"old", "", "another old one"} {
		if err := db.store.db.Set(keys.ID(a.id, 0, []byte(id)), arrival, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open("data", opt); err != nil {
			t.Fatal(err)
		}
		a, _ = db.Tenant("a")
		for id, want := range map[string]VerdictKind{"old": Duplicate, "another old one": Duplicate} {
			verdicts, err := a.Append(ctx, []event.Event{{Time: now.UnixNano(), Name: "x", ID: id}})
			if err != nil || verdicts[0].Kind != want {
				t.Fatal(id, verdicts, err)
			}
		}
		err := db.store.scan(keys.IDSpan(a.id, 0), func(key, _ []byte) error { return errors.New(keys.Format(key)) })
		if err != nil {
			t.Fatalf("an id in clear: %v", err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
