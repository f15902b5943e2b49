package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
)

// TestPanicEndsOnePieceOfWork has one of several pieces panic: it is that one's error, and a second try finds all as
// it was.
func TestPanicEndsOnePieceOfWork(t *testing.T) {
	db := &DB{}
	for try := range 2 {
		var done atomic.Int64
		err := db.parallel(t.Context(), 2, 3, func(i int) error {
			done.Add(1)
			if i == 1 {
				var none []int
				done.Add(int64(none[i]))
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "contain_test.go") {
			t.Errorf("error %v: want what happened, and where", err)
		}
		if n := db.counters.panics.Load(); n != int64(try+1) || done.Load() < 2 {
			t.Errorf("try %d: %d panics counted, %d pieces begun", try, n, done.Load())
		}
	}
}

// TestPanicBehindTheScenes has sealing panic outside of work that can be thrown away. The store takes no more
// events, says why, answers questions, and has everything when it is opened again.
func TestPanicBehindTheScenes(t *testing.T) {
	fs := vfs.NewMem()
	var armed atomic.Bool
	now := func() time.Time {
		if armed.Load() {
			panic("the clock is broken")
		}
		return time.Now()
	}
	open := func() *DB {
		db, err := Open("data", Options{FS: fs, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	stored := func(db *DB) int {
		tenant, err := db.Tenant("t")
		if err != nil {
			t.Fatal(err)
		}
		s, err := tenant.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return s.Rows
	}
	db := open()
	tenant, err := db.Tenant("t")
	if err != nil {
		t.Fatal(err)
	}
	some := []event.Event{{Time: time.Now().UnixNano(), Name: "e", User: "u"}, {Time: time.Now().UnixNano(), Name: "e", User: "v"}}
	if _, err := tenant.Append(t.Context(), some); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	signal(db.worker.wake)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for db.Err() == nil && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	armed.Store(false)
	failure := db.Err()
	if !errors.Is(failure, ErrFailed) || !strings.Contains(fmt.Sprint(failure), "the clock is broken") {
		t.Fatalf("after a panic: %v", failure)
	}
	if n := db.Stats().Panics; n < 1 {
		t.Errorf("%d panics counted", n)
	}
	if n := stored(db); n != 2 {
		t.Errorf("after a panic there are %d events to be read, want 2", n)
	}
	if _, err := tenant.Append(t.Context(), some); !errors.Is(err, ErrFailed) {
		t.Errorf("an append after a panic: %v", err)
	}
	if err := db.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
	db = open()
	if n := stored(db); n != 2 {
		t.Errorf("opened again there are %d events, want 2", n)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
