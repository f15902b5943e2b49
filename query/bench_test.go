package query_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"cairn/engine"
	"cairn/query"
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

// BenchmarkShop asks the questions of bench/suites/shop.bench of a directory named by CAIRN_BENCH_DATA
// that holds bench/workload; without one it is skipped.
func BenchmarkShop(b *testing.B) {
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
	ask := func(text string) (first string, rows int) {
		t, err := query.Run(context.Background(), snapshot, text, query.Options{MemoryBytes: 2 << 30})
		if err != nil {
			b.Fatal(err)
		}
		if len(t.Rows) > 0 {
			first = t.Rows[0][0].AsString()
		}
		return first, len(t.Rows)
	}
	user, _ := ask(`pay_success | project user | limit 1`)
	order, _ := ask(`pay_success{exists(order_id)} | project order_id | limit 1`)
	coupon, _ := ask(`{exists(coupon_id)} | project coupon_id | limit 1`)
	for _, q := range []struct{ name, text string }{
		{"count-by-day", `* | stats count() by bin(1d)`},
		{"two-filters", `view_item{os = "ios", region = "Guangdong"} | stats count() by bin(1d)`},
		{"top", `view_item{region = "Guangdong"} | top 10 channel`},
		{"users-by-day", `* | stats users() by bin(1d)`},
		{"users-by-channel", `pay_success | stats users() by channel`},
		{"sum-by-region", `pay_success | stats sum(amount), avg(amount), count() by region`},
		{"quantiles", `search | stats p50(latency_ms), p95(latency_ms), p99(latency_ms) by app_version`},
		{"event-region", `* | stats count() by event, region`},
		{"one-user", `{user = "` + user + `"} | events`},
		{"one-order", `{order_id = "` + order + `"} | events`},
		{"one-coupon", `{coupon_id = "` + coupon + `"} | stats count() by bin(1d)`},
		{"count-by-hour", `view_item | stats count() by hour()`},
		{"count-by-bin1h", `view_item | stats count() by bin(1h)`},
		{"distinct-items", `view_item | stats distinct(item_id) by region`},
		{"users-7d", `* | stats users() over 7d by bin(1d)`},
		{"newest", `pay_success | events | limit 20`},
		{"facets", `pay_success | facets 5`},
	} {
		b.Run(q.name, func(b *testing.B) {
			_, rows := ask(q.text)
			before := cpuTime()
			for b.Loop() {
				ask(q.text)
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}
