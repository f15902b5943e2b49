package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// TestTinyTenants loads many tenants with twenty events on each of thirty days, as they would come:
// a tenant's month at once, or day by day. CAIRN_TENANTS sets how many; the figures asked for (open in
// under 2 s, at most 60 bytes an event) are for 10,000.
func TestTinyTenants(t *testing.T) {
	tenants := 200
	_, _ = fmt.Sscan(os.Getenv("CAIRN_TENANTS"), &tenants)
	for _, byDay := range []bool{false, true} {
		t.Run(fmt.Sprintf("byDay=%v", byDay), func(t *testing.T) { tinyTenants(t, tenants, byDay) })
	}
}

func tinyTenants(t *testing.T, tenants int, byDay bool) {
	const days, perDay = 30, 20
	dir, clock := t.TempDir(), enginetest.NewClock()
	db, err := engine.Open(dir, engine.Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	events := func(tenant, day int) []event.Event {
		out := make([]event.Event, perDay)
		for i := range out {
			at := enginetest.Start.Add(time.Duration(day-days)*24*time.Hour + time.Duration(i*tenant%3600)*time.Second)
			out[i] = event.Event{
				Time: at.UnixNano(), Name: [...]string{"open", "view", "buy"}[i%3], User: fmt.Sprintf("user-%d-%d", tenant, i%7),
				Fields: []event.Field{
					{Name: "page", Value: event.String(fmt.Sprintf("/page/%d", i%5))},
					{Name: "os", Value: event.String([...]string{"ios", "android"}[i%2])},
					{Name: "latency_ms", Value: event.Int(int64(i*37%400 + tenant%10))},
				},
			}
		}
		return out
	}
	start := time.Now()
	if byDay {
		clock.Advance(-days * day)
		for d := range days {
			for i := range tenants {
				appendAll(t, tenant(t, db, fmt.Sprint("tenant ", i)), events(i, d))
			}
			clock.Advance(day)
		}
	} else {
		for i := range tenants {
			var all []event.Event
			for d := range days {
				all = append(all, events(i, d)...)
			}
			appendAll(t, tenant(t, db, fmt.Sprint("tenant ", i)), all)
		}
	}
	n := tenants * days * perDay
	t.Logf("append %v", time.Since(start))
	start = time.Now()
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("settle %v", time.Since(start))
	start = time.Now()
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("settle again %v, %+v", time.Since(start), db.Stats())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	disk := directorySize(t, dir)
	t.Logf("%.1f bytes an event", float64(disk)/float64(n))
	if perEvent := float64(disk) / float64(n); perEvent > 60 {
		t.Errorf("%.1f bytes an event, 60 are allowed", perEvent)
	}
	start = time.Now()
	if db, err = engine.Open(dir, engine.Options{Now: clock.Now}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	elapsed := time.Since(start)
	t.Logf("open %v", elapsed)
	if elapsed > 2*time.Second {
		t.Errorf("open took %v", elapsed)
	}
	start = time.Now()
	for _, i := range []int{0, tenants / 2, tenants - 1} {
		a := tenant(t, db, fmt.Sprint("tenant ", i))
		var want []event.Event
		for d := range days {
			want = append(want, events(i, d)...)
		}
		enginetest.Compare(t, a, want)
		stats, err := a.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if stats.Partitions > 2 || stats.Runs > 2 {
			t.Errorf("tenant %d has %d partitions", i, stats.Partitions)
		}
	}
	t.Logf("read three tenants %v", time.Since(start))
}

func directorySize(t *testing.T, dir string) int64 {
	t.Helper()
	var n int64
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
