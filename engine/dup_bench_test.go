package engine_test

import (
	"context"
	"testing"

	"cairn/engine"
)

// BenchmarkDuplicates appends what is stored and sealed already: every event with an id is looked up
// exactly. reopened: the filters in memory are gone.
func BenchmarkDuplicates(b *testing.B) {
	const events = 200_000
	for _, reopened := range []bool{false, true} {
		b.Run(map[bool]string{false: "reopened=false", true: "reopened=true"}[reopened], func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				dir := b.TempDir()
				db, err := engine.Open(dir, engine.Options{})
				if err != nil {
					b.Fatal(err)
				}
				appendBatches := func() (stored, duplicates int) {
					batches := loadBatches(b, events, 1000, 1)
					t, err := db.Tenant("a")
					if err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					for _, batch := range batches {
						r, err := t.AppendBatch(context.Background(), batch, engine.AppendOptions{})
						if err != nil {
							b.Fatal(err)
						}
						stored += r.Stored
						duplicates += r.Duplicates
					}
					b.StopTimer()
					return stored, duplicates
				}
				first, _ := appendBatches()
				if err := db.Settle(context.Background()); err != nil {
					b.Fatal(err)
				}
				if reopened {
					if err := db.Close(); err != nil {
						b.Fatal(err)
					}
					if db, err = engine.Open(dir, engine.Options{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ResetTimer()
				stored, duplicates := appendBatches()
				if stored != 0 || duplicates != first {
					b.Fatalf("%d stored again, %d duplicates of %d", stored, duplicates, first)
				}
				b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
