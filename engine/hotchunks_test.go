package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// hotFixture has hot events of one day, numbered in a field.
type hotFixture struct {
	*testing.T
	db     *DB
	tenant *Tenant
	events int
	rnd    *rand.Rand
}

func newHotFixture(t *testing.T) *hotFixture {
	db, err := Open("data", Options{FS: vfs.NewMem(), NoBackground: true, HotBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tenant, err := db.Tenant("a")
	if err != nil {
		t.Fatal(err)
	}
	return &hotFixture{t, db, tenant, 0, rand.New(rand.NewPCG(1, 2))}
}

func (f *hotFixture) append(size int) {
	f.Helper()
	events := make([]event.Event, size)
	for i := range events {
		events[i] = event.Event{
			Time: 1_750_000_000e9 + f.rnd.Int64N(1e9), Name: "e", User: fmt.Sprint("u", f.rnd.IntN(50)),
			Fields: []event.Field{{Name: "n", Value: event.Int(int64(f.events + i))}, {Name: "s", Value: event.String("x")}},
		}
	}
	if _, err := f.tenant.Append(context.Background(), events); err != nil {
		f.Fatal(err)
	}
	f.events += size
}

func (f *hotFixture) readers() []*segment.Reader {
	f.Helper()
	s := f.tenant.Snapshot()
	defer s.Close()
	readers, err := s.Segments(context.Background(), event.AllTime)
	if err != nil {
		f.Fatal(err)
	}
	return readers
}

// check reads all events: each must be there once.
func (f *hotFixture) check() {
	f.Helper()
	seen := make([]bool, f.events)
	for _, r := range f.readers() {
		events, err := r.Rows(nil)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range events {
			n := e.Event.Fields[0].Value.AsInt()
			if seen[n] {
				f.Fatalf("event %d is there twice", n)
			}
			seen[n] = true
		}
	}
	for n, ok := range seen {
		if !ok {
			f.Fatalf("of %d events %d is not there", f.events, n)
		}
	}
}

// hotSpan is the one span with hot events.
func (f *hotFixture) hotSpan() *span {
	f.Helper()
	for _, s := range f.tenant.view.Load().spans {
		if len(s.hot) > 0 {
			return s
		}
	}
	f.Fatal("there are no hot events")
	return nil
}

// TestEventsPutInOrderAhead prepares, queries and seals in any order.
func TestEventsPutInOrderAhead(t *testing.T) {
	f := newHotFixture(t)
	for range 80 {
		f.append([]int{1, 40, 700, 3000}[f.rnd.IntN(4)])
		switch f.rnd.IntN(8) {
		case 0, 1, 2:
			f.tenant.prepareHot(context.Background())
		case 3:
			f.check()
		case 4:
			// Events come while others are on their way into a segment.
			c, _ := f.tenant.holdHot(sealGroup{target: f.hotSpan().key(), spans: []spanKey{f.hotSpan().key()}})
			f.append(700)
			f.append(700)
			f.tenant.prepareHot(context.Background())
			f.check()
			before := f.hotSpan()
			for _, r := range before.chunks.stable {
				if r.start < before.sealing && r.end > before.sealing {
					t.Fatalf("the chunk of the blocks %d to %d lies across %d", r.start, r.end, before.sealing)
				}
			}
			if f.rnd.IntN(2) == 0 {
				c.releaseHot()
			} else {
				c.releaseHot()
				if err := f.db.Settle(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	f.check()
}

// TestWhatSealingLeavesStaysInOrder takes the front of the hot blocks away: what stands behind is not put in order
// again.
func TestWhatSealingLeavesStaysInOrder(t *testing.T) {
	f := newHotFixture(t)
	f.append(3000)
	f.check()
	f.tenant.holdHot(sealGroup{target: f.hotSpan().key(), spans: []spanKey{f.hotSpan().key()}})
	f.append(2000)
	f.append(2000)
	old := f.readers()
	front := *f.hotSpan()
	front.cutHot(front.sealing)
	if len(front.hot) != 2 || front.hotRows != 4000 {
		t.Fatalf("%d blocks with %d events are left", len(front.hot), front.hotRows)
	}
	readers, built := front.chunks.readers(front.hot, nil)
	if built || len(readers) != 1 || readers[0] != old[len(old)-1] {
		t.Errorf("%d readers, built again: %v", len(readers), built)
	}
}

// TestHotEventsArePutInOrderWhileQueriesCome waits until the worker has done what the next query would.
func TestHotEventsArePutInOrderWhileQueriesCome(t *testing.T) {
	f := newHotFixture(t)
	db, err := Open("other", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if f.tenant, err = db.Tenant("a"); err != nil {
		t.Fatal(err)
	}
	f.append(3 * aheadRows)
	f.readers() // a query
	for range 8 {
		f.append(aheadRows)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		c := f.hotSpan().chunks
		c.mu.Lock()
		ready := endOf(c.stable) == len(f.hotSpan().hot) && len(c.kept) == len(c.stable)
		c.mu.Unlock()
		if ready {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody has put the events in order")
		}
	}
	f.check()
}
