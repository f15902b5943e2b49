package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// TestWriter adds events from several goroutines, some bad and some twice, and expects each good one
// once and a verdict on each other.
func TestWriter(t *testing.T) {
	clock := enginetest.NewClock()
	db, err := engine.Open(t.TempDir(), engine.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shop := tenant(t, db, "shop")
	told := map[engine.VerdictKind]int{}
	w := shop.Writer(engine.WriterOptions{Events: 10, Interval: -1, Rejected: func(e *event.Event, v engine.Verdict) {
		told[v.Kind]++
		if v.Kind == engine.Rejected && e.Name != "" {
			t.Errorf("%v rejected: %v", e, v)
		}
	}})
	var want []event.Event
	for i := range 95 {
		want = append(want, event.Event{
			Time: enginetest.Start.Add(time.Duration(i) * time.Second).UnixNano(), Name: "open", ID: fmt.Sprint(i),
			Fields: []event.Field{{Name: "n", Value: event.Int(int64(i))}},
		})
	}
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			fields := make([]event.Field, 1) // used again: the writer keeps a copy
			for i := range want {
				if i%4 != g && i%10 != 0 {
					continue
				}
				e := want[i]
				fields[0] = e.Fields[0]
				e.Fields = fields
				if err := w.Add(ctx, &e); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	if err := w.Add(ctx, &event.Event{Time: enginetest.Start.UnixNano()}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(ctx, &want[0]); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Add after Close: %v", err)
	}
	enginetest.Compare(t, shop, want)
	if told[engine.Duplicate] != 30 || told[engine.Rejected] != 1 {
		t.Errorf("told of %v", told)
	}
}

// TestWriterKeepsWhatFailed expects events of a flush that failed to be stored by the next, and events
// to be stored once they have waited for the interval.
func TestWriterKeepsWhatFailed(t *testing.T) {
	db, err := engine.Open(t.TempDir(), engine.Options{Now: enginetest.NewClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shop := tenant(t, db, "shop")
	w := shop.Writer(engine.WriterOptions{Events: 2, Interval: -1})
	one := event.Event{Time: enginetest.Start.UnixNano(), Name: "one"}
	two := event.Event{Time: enginetest.Start.UnixNano(), Name: "two"}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Add(canceled, &one); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(canceled, &two); !errors.Is(err, context.Canceled) {
		t.Fatalf("Add: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	enginetest.Compare(t, shop, []event.Event{one, two})

	late := shop.Writer(engine.WriterOptions{Interval: 10 * time.Millisecond})
	defer late.Close()
	three := event.Event{Time: enginetest.Start.UnixNano(), Name: "three"}
	if err := late.Add(ctx, &three); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if len(enginetest.Dump(t, shop)) == 3 {
			return
		}
	}
	t.Error("an event that waited is not stored")
}
