package query_test

import (
	"context"
	"os"
	"testing"

	"cairn/engine"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
	"cairn/query/result"
)

// BenchmarkCohorts asks for retention, lifecycle and stickiness of a directory named by CAIRN_BENCH_DATA that
// holds bench/workload; without one it is skipped. by=bitmaps and by=events have the same answers.
func BenchmarkCohorts(b *testing.B) {
	dir := os.Getenv("CAIRN_BENCH_DATA")
	if dir == "" {
		b.Skip("CAIRN_BENCH_DATA is not set")
	}
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
	ask := func(b *testing.B, text string, knobs exec.Knobs) *result.Table {
		t, err := query.Run(context.Background(), snapshot, text, query.Options{MemoryBytes: 2 << 30, Knobs: knobs})
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	run := func(b *testing.B, text string, knobs, other exec.Knobs) {
		got, want := ask(b, text, knobs), ask(b, text, other)
		if diff := querytest.Difference(want, nil, got, nil); diff != "" {
			b.Fatal(diff)
		}
		before := cpuTime()
		for b.Loop() {
			ask(b, text, knobs)
		}
		b.ReportMetric(float64(len(got.Rows)), "rows")
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
	}
	bitmaps, events := exec.Knobs{}, exec.Knobs{NoShortcut: true}
	for _, q := range []struct{ name, text string }{
		{"retention=first", `* | retention first app_open -> app_open every 1d for 7`},
		{"retention=any", `* | retention app_open -> app_open every 1d for 7`},
		{"retention=30", `* | retention app_open -> pay_success every 1d for 30 on or before`},
		{"retention=hours", `* from 2025-06-10 to 2025-06-12 | retention app_open -> app_open every 6h`},
		{"retention=hours-of-a-month", `* | retention app_open -> app_open every 1h`},
		{"retention=zone", `set tz = "America/New_York"; * | retention app_open -> app_open every 1d for 7`},
		{"retention=every-event", `* | retention * -> * every 1d for 7`},
		{"lifecycle", `* | lifecycle app_open`},
		{"stickiness", `* | stickiness app_open`},
	} {
		b.Run(q.name+"/by=bitmaps", func(b *testing.B) { run(b, q.text, bitmaps, events) })
		b.Run(q.name+"/by=events", func(b *testing.B) { run(b, q.text, events, bitmaps) })
	}
	for _, q := range []struct{ name, text string }{
		{"retention=by", `* | retention first app_open -> app_open by channel`},
		{"retention=filter", `{os = "ios"} | retention app_open -> pay_success{amount > 20}`},
		{"retention=sum", `* | retention app_open -> pay_success sum(amount)`},
		{"retention=rolling", `* | retention app_open -> app_open rolling`},
		{"retention=min", `* | retention app_open -> app_open min 2 streak`},
		{"retention=users", `* | retention first app_open -> app_open for 3 | users`},
		{"stickiness=min", `* | stickiness app_open min 2`},
	} {
		b.Run(q.name, func(b *testing.B) { run(b, q.text, bitmaps, events) })
	}
}
