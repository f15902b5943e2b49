package engine

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
)

// TestDedupByArrivalGiven imports events that say when they arrived: hot, sealed or read back, an id
// is stored once within the window of those arrivals.
func TestDedupByArrivalGiven(t *testing.T) {
	ctx := context.Background()
	now := time.Now()
	ago := func(days int) int64 { return now.Add(-time.Duration(days) * 24 * time.Hour).UnixNano() }
	e := func(id string, days int) event.Event {
		return event.Event{Time: ago(days), Name: "x", ID: id, Received: ago(days)}
	}
	// The first repeat of "a" is within seven days of arrival, the second is not.
	all := []event.Event{e("a", 60), e("b", 50), e("a", 54), e("a", 40), e("c", 1), e("b", 1), e("b", 0)}
	want := []VerdictKind{OK, OK, Duplicate, OK, OK, OK, Duplicate}
	for _, batch := range []int{1, 3, len(all)} {
		for _, between := range []string{"", "settle", "reopen"} {
			fs := vfs.NewMem()
			open := func() *DB {
				db, err := Open("data", Options{FS: fs, NoBackground: true})
				if err != nil {
					t.Fatal(err)
				}
				return db
			}
			db := open()
			for round := range 2 {
				for from := 0; from < len(all); from += batch {
					a, err := db.Tenant("a")
					if err != nil {
						t.Fatal(err)
					}
					to := min(from+batch, len(all))
					verdicts, err := a.Append(ctx, all[from:to])
					if err != nil {
						t.Fatal(err)
					}
					for i, v := range verdicts {
						if round == 0 && v.Kind != want[from+i] || round == 1 && v.Kind != Duplicate {
							t.Errorf("batches of %d, %q, round %d: event %d: %v", batch, between, round, from+i, v)
						}
					}
					switch between {
					case "settle":
						err = db.Settle(ctx)
					case "reopen":
						err = db.Close()
						db = open()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDedupForgets looks at what repeats and frames leave in memory.
func TestDedupForgets(t *testing.T) {
	ctx := context.Background()
	db, err := Open("data", Options{FS: vfs.NewMem(), NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := db.Tenant("a")
	if err != nil {
		t.Fatal(err)
	}
	events := []event.Event{{Time: time.Now().UnixNano(), Name: "x", ID: "1"}}
	for range 10 {
		if _, err := a.Append(ctx, events); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.dedup.hot.sources); n != 1 {
		t.Errorf("%d sources of ids after one frame and nine repeats", n)
	}
	size := 0
	for _, g := range a.dedup.filters {
		size += len(g.filter) * 32
	}
	if size > 4096 {
		t.Errorf("filters of %d bytes for one id", size)
	}
	events[0].Received = math.MinInt64
	if v, err := a.Append(ctx, events); err != nil || v[0].Reason != ReasonBadTime {
		t.Errorf("an arrival before time began: %v, %v", v, err)
	}
}

// TestFiltersCover drops generations of filters and looks for the ids whose segments it calls covered.
func TestFiltersCover(t *testing.T) {
	db, err := Open("data", Options{FS: vfs.NewMem(), NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := db.Tenant("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, loadedAt := range []uint64{0, 1000} {
		d := newDedup(a, loadedAt)
		source := d.hot.newSource(idSource{})
		frames := make(map[uint64]uint64) // by id
		for i := range uint64(20_000) {
			sequence, day := 500+i/300, int64(i/300)*int64(24*time.Hour)
			hash := i * 0x9e3779b97f4a7c15
			frames[hash] = sequence
			d.add(source, 0, hash, sequence, day, day)
		}
		if len(d.filters) < 2 || d.filters[0].first == 500 {
			t.Fatalf("%d generations, the oldest from frame %d", len(d.filters), d.filters[0].first)
		}
		if d.coveredFrom < loadedAt {
			t.Errorf("covered from %d, loaded at %d", d.coveredFrom, loadedAt)
		}
		for hash, frame := range frames {
			found := false
			for _, g := range d.filters {
				found = found || g.filter.has(hash)
			}
			if !found && frame >= d.coveredFrom {
				t.Fatalf("an id of frame %d is in no filter, covered from %d", frame, d.coveredFrom)
			}
		}
	}
}
