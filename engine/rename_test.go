package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// contentOf is all that answers of a snapshot depend on.
func contentOf(t testing.TB, s *engine.Snapshot) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, s.Location(), s.WeekStart())
	err := s.Scan(context.Background(), engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
		fmt.Fprintf(&b, "%s\n", event.AppendJSON(nil, e))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"event_0", "event_1"} {
		users, err := s.ExpiredUsers(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, name, users)
	}
	return b.String()
}

// Snapshots of one name have the same content: after whatever was done, restarts included. What does not
// change the content keeps the name.
func TestSnapshotsOfOneNameAreTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := enginetest.NewClock()
		opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true, BlockRows: 16}
		db := open(t, opt.FS, opt)
		defer func() { db.Close() }()
		g := enginetest.NewGenerator(rapid.Uint64().Draw(rt, "seed"))
		g.Names, g.Users = 2, 5
		contents := map[string]string{}
		last, lastContent := "", ""
		look := func(action string, same bool) {
			snapshot := tenant(t, db, "a").Snapshot()
			defer snapshot.Close()
			id, content := snapshot.ID(), contentOf(t, snapshot)
			if before, ok := contents[id]; ok && before != content {
				rt.Fatalf("after %s: %s names\n%s\nand named\n%s", action, id, content, before)
			}
			if same && (id != last || content != lastContent) {
				rt.Fatalf("after %s: %s became %s", action, last, id)
			}
			contents[id], last, lastContent = content, id, content
		}
		// The zone is set first: it names days from the first one without data on.
		if err := tenant(t, db, "a").Configure(engine.Settings{Zone: "Asia/Shanghai", WeekStart: time.Monday, RetentionDays: 4}); err != nil {
			rt.Fatal(err)
		}
		look("configure", false)
		for range rapid.IntRange(1, 14).Draw(rt, "actions") {
			switch action := rapid.SampledFrom([]string{"append", "append", "seal", "reopen", "erase", "week", "days pass"}).Draw(rt, "action"); action {
			case "append":
				appendAll(t, tenant(t, db, "a"), g.Events(rapid.IntRange(1, 9).Draw(rt, "events"), clock.Now()))
				look(action, false)
			case "seal":
				settle(t, db)
				look(action, false) // erased users' rows may go, and old days
				settle(t, db)
				look("another settle", true)
			case "reopen":
				if err := db.Close(); err != nil {
					rt.Fatal(err)
				}
				db = open(t, opt.FS, opt)
				look(action, false)
			case "erase":
				erase(t, tenant(t, db, "a"), engine.EraseOptions{User: fmt.Sprintf("user-%d", rapid.IntRange(0, 4).Draw(rt, "user"))})
				look(action, false)
			case "week":
				s := tenant(t, db, "a").Settings()
				s.WeekStart = time.Weekday(rapid.IntRange(0, 6).Draw(rt, "week"))
				if err := tenant(t, db, "a").Configure(s); err != nil {
					rt.Fatal(err)
				}
				look(action, false)
			case "days pass":
				clock.Advance(time.Duration(rapid.IntRange(1, 3).Draw(rt, "days")) * 24 * time.Hour)
				look(action, true)
				settle(t, db)
				look("retention", false)
			}
		}
	})
}

// A name survives sealing, merging and a restart, where nothing is dropped.
func TestSnapshotKeepsItsName(t *testing.T) {
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true}
	db := open(t, opt.FS, opt)
	a := tenant(t, db, "a")
	appendAll(t, a, enginetest.NewGenerator(1).Events(100, clock.Now()))
	id := a.Snapshot().ID()
	settle(t, db)
	if got := a.Snapshot().ID(); got != id {
		t.Errorf("sealed: %s, was %s", got, id)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, opt.FS, opt)
	if got := tenant(t, db, "a").Snapshot().ID(); got != id {
		t.Errorf("opened again: %s, was %s", got, id)
	}
	// Retention gives another name, which lasts too.
	if err := tenant(t, db, "a").Configure(engine.Settings{RetentionDays: 1, WeekStart: time.Monday}); err != nil {
		t.Fatal(err)
	}
	configured := tenant(t, db, "a").Snapshot().ID()
	clock.Advance(3 * 24 * time.Hour)
	settle(t, db)
	dropped := tenant(t, db, "a").Snapshot().ID()
	if configured == id || dropped == configured {
		t.Errorf("names %s, %s, %s", id, configured, dropped)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, opt.FS, opt)
	defer db.Close()
	if got := tenant(t, db, "a").Snapshot().ID(); got == id || got == configured {
		t.Errorf("after retention and a restart: %s, as before", got)
	}
}
