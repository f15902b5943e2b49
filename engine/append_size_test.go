package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/column"
	"cairn/engine/event"
)

func TestBatchTooLarge(t *testing.T) {
	ctx := context.Background()
	db, err := Open("data", Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ := db.Tenant("a")
	if math.MaxInt > math.MaxInt32 { // the memory is reserved, not used
		b := &column.Batch{Rows: 1, Time: make([]int64, 1, BatchBytesMax/8+1)}
		if _, err := a.AppendBatch(ctx, b, AppendOptions{}); !errors.Is(err, ErrBatchTooLarge) {
			t.Errorf("batch: %v", err)
		}
	}
	text := event.String(strings.Repeat("x", 1<<20))
	large := event.Event{Time: damagedNow.UnixNano(), Name: "large"}
	for i := range 1100 {
		large.Fields = append(large.Fields, event.Field{Name: fmt.Sprint(i), Value: text})
	}
	if _, err := a.Append(ctx, []event.Event{{Time: damagedNow.UnixNano(), Name: "small"}, large}); !errors.Is(err, ErrBatchTooLarge) {
		t.Errorf("event: %v", err)
	}
	snap := a.Snapshot()
	if snap.Rows() != 0 {
		t.Errorf("%d rows are stored", snap.Rows())
	}
	snap.Close()
}

// TestAppendInSteps appends more than one batch takes; verdicts and repeats of insert ids are as if it
// were one.
func TestAppendInSteps(t *testing.T) {
	ctx := context.Background()
	db, err := Open("data", Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ := db.Tenant("a")
	text := event.String(strings.Repeat("x", 1<<20))
	twice := []event.Field{{Name: "a", Value: text}, {Name: "a", Value: text}}
	events := make([]event.Event, 200)
	want := make([]VerdictKind, len(events))
	for i := range events {
		events[i] = event.Event{Time: damagedNow.UnixNano(), Name: "x", ID: fmt.Sprint(i), Fields: twice[:1]}
		switch {
		case i%10 == 3:
			events[i].Fields, want[i] = twice, Rejected
		case i%10 == 7:
			events[i].ID, want[i] = "0", Duplicate
		}
	}
	before := db.sequence.Load()
	verdicts, err := a.Append(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	if n := db.sequence.Load() - before; n < 3 || n > 5 {
		t.Errorf("%d frames", n)
	}
	for i, v := range verdicts {
		if v.Kind != want[i] {
			t.Errorf("event %d: %v, want %v", i, v, want[i])
		}
	}
	snap := a.Snapshot()
	defer snap.Close()
	if snap.Rows() != 160 {
		t.Errorf("%d rows", snap.Rows())
	}
}
