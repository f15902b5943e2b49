package schema_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query/schema"
)

// cpuTime is the processor time of the process so far, which neighbours on the machine do not change as
// they do the time on the wall.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkShop browses a directory named by CAIRN_BENCH_DATA that holds bench/workload; without one it is
// skipped. Each question is asked once cold, of a directory just opened, and then again and again.
func BenchmarkShop(b *testing.B) {
	dir := os.Getenv("CAIRN_BENCH_DATA")
	if dir == "" {
		b.Skip("CAIRN_BENCH_DATA is not set")
	}
	cut := func(snapshot *engine.Snapshot) *event.TimeRange {
		all := snapshot.TimeRange()
		return &event.TimeRange{From: all.From + int64(30*time.Hour), To: all.From + int64(200*time.Hour)}
	}
	for _, q := range []struct {
		name string
		ask  func(*engine.Snapshot) error
	}{
		{"events", func(s *engine.Snapshot) error {
			_, err := schema.Events(ctx, s, schema.Options{})
			return err
		}},
		{"events-exact", func(s *engine.Snapshot) error {
			_, err := schema.Events(ctx, s, schema.Options{Exact: true})
			return err
		}},
		{"events-of-a-week", func(s *engine.Snapshot) error {
			_, err := schema.Events(ctx, s, schema.Options{Range: cut(s)})
			return err
		}},
		{"fields", func(s *engine.Snapshot) error {
			_, err := schema.Fields(ctx, s, schema.Options{})
			return err
		}},
		{"fields-exact", func(s *engine.Snapshot) error {
			_, err := schema.Fields(ctx, s, schema.Options{Exact: true})
			return err
		}},
		{"fields-and-numbers", func(s *engine.Snapshot) error {
			_, err := schema.Fields(ctx, s, schema.Options{Numbers: true})
			return err
		}},
		{"fields-of-an-event", func(s *engine.Snapshot) error {
			_, err := schema.Fields(ctx, s, schema.Options{Event: "pay_success"})
			return err
		}},
		{"values", func(s *engine.Snapshot) error {
			_, err := schema.Values(ctx, s, "region", schema.Options{Limit: 100})
			return err
		}},
		{"values-of-an-event", func(s *engine.Snapshot) error {
			_, err := schema.Values(ctx, s, "region", schema.Options{Limit: 100, Event: "pay_success"})
			return err
		}},
		{"values-of-many", func(s *engine.Snapshot) error {
			_, err := schema.Values(ctx, s, "order_id", schema.Options{Limit: 100})
			return err
		}},
	} {
		b.Run(q.name, func(b *testing.B) {
			db, err := engine.Open(dir, engine.Options{NoBackground: true, CacheBytes: 4 << 30})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			tenant, err := db.Tenant("default")
			if err != nil {
				b.Fatal(err)
			}
			snapshot := tenant.Snapshot()
			defer snapshot.Close()
			begin := time.Now()
			if err := q.ask(snapshot); err != nil {
				b.Fatal(err)
			}
			cold := time.Since(begin)
			used := cpuTime()
			for b.Loop() {
				if err := q.ask(snapshot); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cold.Microseconds())/1000, "cold-ms")
			b.ReportMetric(float64((cpuTime()-used).Microseconds())/1000/float64(b.N), "cpu-ms")
		})
	}
}
