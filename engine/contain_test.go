package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	var log bytes.Buffer
	db := &DB{opt: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
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
		if !isContained(err) || !strings.Contains(err.Error(), "index out of range") || strings.Contains(err.Error(), "contain_test.go") {
			t.Errorf("error %v: want what happened, without the stack", err)
		}
		if !strings.Contains(log.String(), "contain_test.go") {
			t.Errorf("the log does not tell where: %s", log.String())
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

// TestPanicInSettling is the same for who settles the store himself.
func TestPanicInSettling(t *testing.T) {
	broken := false
	db, err := Open("data", Options{FS: vfs.NewMem(), NoBackground: true, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time {
		if broken {
			panic("the clock is broken")
		}
		return damagedNow
	}})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := db.Tenant("t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Append(t.Context(), []event.Event{{Time: damagedNow.UnixNano(), Name: "e"}}); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := db.Settle(t.Context()); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "settling: panic") {
		t.Errorf("settle: %v", err)
	}
	broken = false
	if err := db.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
}

// poisonings has tenants with events of one day each, of which work on the first one's can be made to panic.
type poisonings struct {
	*DB
	poisoned, healthy *Tenant
	now               time.Time
}

func newPoisonings(t *testing.T) *poisonings {
	t.Helper()
	p := &poisonings{now: damagedNow}
	var err error
	p.DB, err = Open("data", Options{
		FS: vfs.NewMem(), Now: func() time.Time { return p.now }, NoBackground: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, tenant := range map[string]**Tenant{"poisoned": &p.poisoned, "healthy": &p.healthy} {
		if *tenant, err = p.Tenant(name); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// add gives each tenant events of one day.
func (p *poisonings) add(t *testing.T, n int) {
	t.Helper()
	for _, tenant := range []*Tenant{p.poisoned, p.healthy} {
		var list []event.Event
		for i := range n {
			list = append(list, event.Event{Time: p.now.Add(-48 * time.Hour).UnixNano(), Name: "e", User: fmt.Sprint("u", i), Fields: []event.Field{{Name: "f", Value: event.String("x")}}})
		}
		if _, err := tenant.Append(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *poisonings) expect(t *testing.T, tenant *Tenant, rows, hot, runs int) {
	t.Helper()
	s, err := tenant.Stats()
	if err != nil || s.Rows != rows || s.HotRows != hot || s.Runs != runs {
		t.Errorf("tenant %s: %d rows, %d of them not sealed, %d runs, %v; want %d, %d, %d", tenant.name, s.Rows, s.HotRows, s.Runs, err, rows, hot, runs)
	}
	if err := p.Err(); err != nil {
		t.Errorf("the store takes no more events: %v", err)
	}
}

// poisonHot makes sealing the events that are there panic, until the returned function is called.
func (p *poisonings) poisonHot() (cure func()) {
	bits := p.poisoned.view.Load().spans[0].hot[0].input.Batch.Event.Bits
	before := bits[0]
	bits[0] = 1 << 40
	return func() { bits[0] = before }
}

// poisonSegment makes reading the first segment panic where it is not cached.
func (p *poisonings) poisonSegment() (cure func()) {
	h := p.poisoned.view.Load().spans[0].sealed[0]
	h.tenant = nil
	return func() { h.tenant = p.poisoned }
}

// TestPanicInSealing leaves one tenant's day as it is, and alone for a while, and seals all others.
func TestPanicInSealing(t *testing.T) {
	p := newPoisonings(t)
	p.add(t, 10)
	cure := p.poisonHot()
	for _, seal := range []func() error{
		func() error { spans, _ := p.dueSpans(); return p.seal(t.Context(), sealJobs(spans)) },
		func() error { return p.Settle(t.Context()) }, // which was asked for
	} {
		if err := seal(); !isContained(err) {
			t.Errorf("sealing: %v, want a contained panic", err)
		}
		p.expect(t, p.poisoned, 10, 10, 0)
		p.expect(t, p.healthy, 10, 0, 1)
		if due, err := p.dueSpans(); len(due) != 0 || err != nil {
			t.Errorf("%d days are to be sealed again at once, %v", len(due), err)
		}
	}
	cure()
	if err := p.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	p.expect(t, p.poisoned, 10, 0, 1)
}

// TestPanicInMerging leaves one tenant's day as it is, and merges all others.
func TestPanicInMerging(t *testing.T) {
	p := newPoisonings(t)
	for range 2 {
		p.add(t, 10)
		spans, _ := p.dueSpans()
		if err := p.seal(t.Context(), sealJobs(spans)); err != nil {
			t.Fatal(err)
		}
	}
	cure := p.poisonSegment()
	if err := p.mergeTenants(t.Context(), []*Tenant{p.poisoned, p.healthy}, true); !isContained(err) {
		t.Errorf("merging: %v, want a contained panic", err)
	}
	p.expect(t, p.healthy, 20, 0, 1)
	if day := p.poisoned.view.Load().spans[0].key(); !p.worker.shuns(p.poisoned, day, loopMerge) || p.worker.shuns(p.healthy, day, loopMerge) {
		t.Error("the day is not left alone, or another one is")
	}
	cure()
	p.expect(t, p.poisoned, 20, 0, 2)
	if err := p.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	p.expect(t, p.poisoned, 20, 0, 1)
}

// TestPanicInErasingAndRetention leaves the day as it is. The receipt does not say that the user is gone from the
// files until he is, and retention drops the day when it can.
func TestPanicInErasingAndRetention(t *testing.T) {
	p := newPoisonings(t)
	p.add(t, 10)
	if err := p.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.poisoned.Erase(t.Context(), EraseOptions{User: "u3"}); err != nil {
		t.Fatal(err)
	}
	erased := func() bool {
		list, err := p.poisoned.Erasures()
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return !list[0].Erased.IsZero()
	}
	cure := p.poisonSegment()
	if err := p.purge(t.Context(), p.worker.erasing()); !isContained(err) || erased() {
		t.Errorf("erasing: %v, want a contained panic; erased: %v", err, erased())
	}
	cure()
	if err := p.Settle(t.Context()); err != nil || !erased() {
		t.Errorf("erasing again: %v; erased: %v", err, erased())
	}
	p.expect(t, p.poisoned, 9, 0, 1)

	cure = p.poisonSegment()
	if err := p.poisoned.Configure(Settings{RetentionDays: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.poisoned.expire(t.Context()); !isContained(err) {
		t.Errorf("retention: %v, want a contained panic", err)
	}
	cure()
	if err := p.poisoned.expire(t.Context()); err != nil {
		t.Error(err)
	}
	p.expect(t, p.poisoned, 0, 0, 0)
}
