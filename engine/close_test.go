package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
	"cairn/engine/keys"
)

// TestCloseBesideReads closes while queries, look-ups and checks are running: each ends well or with
// ErrClosed.
func TestCloseBesideReads(t *testing.T) {
	ctx, fs := context.Background(), vfs.NewMem()
	opt := Options{FS: fs, Now: func() time.Time { return damagedNow }, CacheBytes: 1, NoBackground: true}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	if _, err := a.Append(ctx, damagedEvents(damagedNow, 20_000)); err != nil {
		t.Fatal(err)
	}
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		var wait sync.WaitGroup
		a, _ := db.Tenant("a")
		snap := a.Snapshot()
		reads := []func() error{
			func() error { return scanSafely(snap) },
			func() error { _, err := db.Check(ctx); return err },
			func() error { _, _, err := snap.UserID(fmt.Sprint("user ", round)); return err },
			func() error { _, err := snap.UserNames([]uint32{1, 50, 100}); return err },
			func() error { db.Stats(); return db.store.err() },
		}
		for _, read := range reads {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					if err := read(); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					if db.store.closed.Load() {
						return
					}
				}
			}()
		}
		time.Sleep(time.Duration(round) * 2 * time.Millisecond)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
		if db, err = Open("data", opt); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCloseWaitsForScan closes inside a scan of the store, which then still comes to its end.
func TestCloseWaitsForScan(t *testing.T) {
	db, err := Open("data", Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	for i := range 3 {
		if _, err := a.Append(context.Background(), []event.Event{{Time: damagedNow.UnixNano(), Name: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	closed := make(chan error, 1)
	frames := 0
	err = db.store.scan(keys.TenantSpan(keys.SpaceHot, a.id), func(_, _ []byte) error {
		if frames++; frames == 1 {
			go func() { closed <- db.Close() }()
			for !db.store.closed.Load() {
				time.Sleep(time.Millisecond)
			}
		}
		if _, err := db.store.get(keys.Meta("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("get after close: %v", err)
		}
		select {
		case err := <-closed:
			t.Fatalf("closed beside a scan: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		return nil
	})
	if err != nil || frames != 3 {
		t.Fatal(frames, err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

// TestCloseReportsBackgroundErrors has sealing and merging fail: Close returns what nobody else has.
func TestCloseReportsBackgroundErrors(t *testing.T) {
	trouble, merging := errors.New("trouble"), errors.New("merging")
	for _, c := range []struct {
		name string
		do   func(db *DB)
		want error
	}{
		{"none", func(*DB) {}, nil},
		{"sealing", func(db *DB) { db.worker.fail(loopSeal, trouble) }, trouble},
		{"merging", func(db *DB) { db.worker.fail(loopMerge, merging); db.worker.note(loopSeal, nil) }, merging},
		{"gone", func(db *DB) { db.worker.fail(loopSeal, trouble); db.worker.note(loopSeal, nil) }, nil},
		{"reported", func(db *DB) { db.worker.fail(loopSeal, trouble); _ = db.worker.err() }, nil},
		{"settled", func(db *DB) {
			db.worker.fail(loopMerge, trouble)
			if err := db.Settle(context.Background()); err != nil {
				t.Error(err)
			}
		}, nil},
		{"corruption", func(db *DB) {
			db.worker.fail(loopMerge, &CorruptionError{Key: keys.Meta("x"), Err: trouble})
			db.worker.note(loopMerge, nil)
		}, ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := Open("data", Options{FS: vfs.NewMem(), NoBackground: true})
			if err != nil {
				t.Fatal(err)
			}
			c.do(db)
			err = db.Close()
			if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrBackground) {
				t.Fatalf("close: %v, want %v", err, c.want)
			}
			if err := db.Close(); !errors.Is(err, ErrClosed) {
				t.Fatalf("close again: %v", err)
			}
		})
	}
}
