package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/event"
)

// TestHotReadersOfOldAndNewSnapshots appends batches of all sizes, so that blocks are joined and put in
// order together in every way, and reads the newest snapshot and old ones in turn: each has the events
// that it had when it was taken.
func TestHotReadersOfOldAndNewSnapshots(t *testing.T) {
	t.Run("by queries alone", func(t *testing.T) {
		testHotReaders(t, engine.Options{NoBackground: true, HotBytes: 1 << 30})
	})
	t.Run("ahead of them", func(t *testing.T) { testHotReaders(t, engine.Options{HotBytes: 1 << 30}) })
	t.Run("beside sealing", func(t *testing.T) { testHotReaders(t, engine.Options{HotBytes: 1 << 20}) })
}

func testHotReaders(t *testing.T, opt engine.Options) {
	rnd := rand.New(rand.NewPCG(3, 4))
	opt.FS = vfs.NewMem()
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tenant, err := db.Tenant("a")
	if err != nil {
		t.Fatal(err)
	}
	type taken struct {
		*engine.Snapshot
		events int
	}
	var old []taken
	total := 0
	check := func(s taken) {
		t.Helper()
		readers, err := s.Segments(context.Background(), event.AllTime)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]bool, s.events)
		for _, r := range readers {
			c := r.Field("n")
			dict, err := c.Dict()
			if err != nil {
				t.Fatal(err)
			}
			for b := range r.Blocks() {
				v, err := c.Block(b)
				if err != nil {
					t.Fatal(err)
				}
				for row := range v.Rows {
					n := v.Value(row, dict).AsInt()
					if n < 0 || int(n) >= s.events || seen[n] {
						t.Fatalf("a snapshot of %d events: event %d is none of them, or there twice", s.events, n)
					}
					seen[n] = true
				}
			}
		}
		for n, ok := range seen {
			if !ok {
				t.Fatalf("a snapshot of %d events lacks event %d", s.events, n)
			}
		}
	}
	for range 160 {
		size := []int{1, 5, 40, 300, 700, 3000}[rnd.IntN(6)]
		events := make([]event.Event, size)
		for i := range events {
			events[i] = event.Event{
				Time: 1_750_000_000e9 + rnd.Int64N(1e9), Name: "e", User: fmt.Sprint("u", rnd.IntN(50)),
				Fields: []event.Field{{Name: "n", Value: event.Int(int64(total + i))}},
			}
		}
		if _, err := tenant.Append(context.Background(), events); err != nil {
			t.Fatal(err)
		}
		total += size
		if rnd.IntN(10) == 0 {
			old = append(old, taken{tenant.Snapshot(), total})
		}
		if rnd.IntN(4) == 0 {
			newest := taken{tenant.Snapshot(), total}
			check(newest)
			newest.Close()
		}
		if len(old) > 0 && rnd.IntN(8) == 0 {
			check(old[rnd.IntN(len(old))])
		}
	}
	for _, s := range old {
		check(s)
		s.Close()
	}
}
