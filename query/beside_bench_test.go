package query_test

import (
	"context"
	"testing"
	"time"

	"cairn/bench/workload"
	"cairn/engine"
	"cairn/engine/ingest"
	"cairn/query"
)

// BenchmarkBesideAppends asks a question after so many batches, so that each finds events that none has seen. cold is
// the time of such a question, warm that of the same right after it. With ahead the store has put the events
// in order by then.
func BenchmarkBesideAppends(b *testing.B) {
	for _, mode := range []struct {
		name  string
		every int
		ahead bool
	}{{"every=1", 1, false}, {"every=32", 32, false}, {"every=32,ahead", 32, true}} {
		b.Run(mode.name, func(b *testing.B) { benchmarkBeside(b, mode.every, mode.ahead) })
	}
}

func benchmarkBeside(b *testing.B, every int, ahead bool) {
	const size, batches = 1000, 160
	for _, q := range []struct{ name, text string }{
		{"count", "* | stats count() by bin(1d)"},
		{"filter", `view_item{os = "ios", region = "Guangdong"} | stats count() by bin(1d)`},
		{"users", "pay_success | stats users() by channel"},
		{"funnel", "* | funnel app_open -> search -> view_item -> pay_success within 1d"},
	} {
		b.Run("query="+q.name, func(b *testing.B) {
			g := workload.New(workload.Options{Events: size * batches, Days: 1})
			scanner, err := ingest.NewScanner(ingest.Options{})
			if err != nil {
				b.Fatal(err)
			}
			var bodies [][]byte
			for range batches {
				var body []byte
				for range size {
					body = g.Next(body)
				}
				bodies = append(bodies, body)
			}
			var cold, warm time.Duration
			asked := 0
			for range b.N {
				db, err := engine.Open(b.TempDir(), engine.Options{NoBackground: !ahead, HotBytes: 1 << 30})
				if err != nil {
					b.Fatal(err)
				}
				t, err := db.Tenant("a")
				if err != nil {
					b.Fatal(err)
				}
				ask := func() time.Duration {
					snapshot := t.Snapshot()
					defer snapshot.Close()
					start := time.Now()
					if _, err := query.Run(context.Background(), snapshot, q.text, query.Options{}); err != nil {
						b.Fatal(err)
					}
					return time.Since(start)
				}
				for i, body := range bodies {
					if _, err := t.AppendBatch(context.Background(), scanner.NDJSON(body).Batch, engine.AppendOptions{Unsynced: true}); err != nil {
						b.Fatal(err)
					}
					if ahead {
						time.Sleep(5 * time.Millisecond) // at 200,000 events a second
					}
					if (i+1)%every != 0 {
						continue
					}
					cold += ask()
					warm += ask()
					asked++
				}
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cold.Microseconds())/float64(asked), "cold-µs")
			b.ReportMetric(float64(warm.Microseconds())/float64(asked), "warm-µs")
		})
	}
}
