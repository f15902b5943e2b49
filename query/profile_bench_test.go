package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
)

const profiledUsers = 100_000

// profiledStore is an engine with events of 100,000 users over thirty days, a million unless CAIRN_BENCH_EVENTS
// names another number, each user with a profile of two properties; "heavy" has a twentieth of the events.
func profiledStore(b *testing.B) *engine.Snapshot {
	n := 1_000_000
	if text := os.Getenv("CAIRN_BENCH_EVENTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	start := time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	db, err := engine.Open("bench", engine.Options{
		FS: vfs.NewMem(), NoBackground: true, DedupWindow: -1, CacheBytes: 4 << 30,
		Now: func() time.Time { return time.Unix(0, start).AddDate(0, 0, 31) },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	tenant, err := db.Tenant("default")
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var batch []event.Event
	flush := func() {
		if _, err := tenant.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	add := func(e event.Event) {
		if batch = append(batch, e); len(batch) == 10_000 {
			flush()
		}
	}
	user := func(i int) string { return "u" + strconv.Itoa(i) }
	for i := range profiledUsers {
		add(event.Event{Time: start + int64(rnd.IntN(24))*3600e9, Name: "$profile", User: user(i), Fields: []event.Field{
			{Name: "$set.plan", Value: event.String([]string{"free", "free", "free", "pro", "team"}[rnd.IntN(5)])},
			{Name: "$set.age", Value: event.Int(int64(18 + rnd.IntN(60)))},
		}})
	}
	day := int64(24 * 3600e9)
	for d := range int64(30) {
		for range n / 30 {
			name := user(rnd.IntN(profiledUsers))
			if rnd.IntN(20) == 0 {
				name = "heavy"
			}
			add(event.Event{
				Time: start + d*day + rnd.Int64N(day), Name: []string{"open", "view", "view", "pay"}[rnd.IntN(4)], User: name,
				Fields: []event.Field{{Name: "amount", Value: event.Int(rnd.Int64N(1000))}, {Name: "page", Value: event.String(fmt.Sprint("p", rnd.IntN(500)))}},
			})
		}
	}
	flush()
	if err := db.Settle(context.Background()); err != nil {
		b.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	b.Cleanup(snapshot.Close)
	return snapshot
}

// BenchmarkProfiles asks questions about profiles, and the same without them for comparison.
func BenchmarkProfiles(b *testing.B) {
	snapshot := profiledStore(b)
	for _, q := range []struct{ name, text string }{
		{"by=plan", `* | stats users() by user.plan`},
		{"by=event", `* | stats users() by event`},
		{"by=page", `* | stats users() by page`},
		{"filter=plan", `{user.plan = "pro"} | stats count()`},
		{"filter=plan-age", `{user.plan = "pro", user.age < 30} | stats count(), users() by event`},
		{"filter=did", `{did(pay)} | stats count()`},
		{"two-keys", `pay | stats sum(amount) by user.plan, user.age`},
		{"funnel=plan", `* | funnel open -> pay within 1d by user.plan`},
		{"funnel", `* | funnel open -> pay within 1d`},
		{"fold", `nothing{user.plan = "pro"} | stats count()`},
	} {
		b.Run(q.name, func(b *testing.B) {
			before := cpuTime()
			for b.Loop() {
				t, err := query.Run(context.Background(), snapshot, q.text, query.Options{})
				if err != nil || len(t.Rows) == 0 {
					b.Fatal(err, "no rows")
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}

// BenchmarkUserPage reads the page of a user with few events, and of one with very many.
func BenchmarkUserPage(b *testing.B) {
	snapshot := profiledStore(b)
	ctx := context.Background()
	for _, name := range []string{"u77", "heavy"} {
		b.Run("user="+name, func(b *testing.B) {
			for b.Loop() {
				u, err := query.ReadUser(ctx, snapshot, name)
				if err != nil || u == nil || u.Events == 0 {
					b.Fatal(u, err)
				}
			}
		})
		for _, opt := range []struct {
			name string
			query.UserEventsOptions
		}{
			{"newest", query.UserEventsOptions{}},
			{"oldest", query.UserEventsOptions{Ascending: true}},
			{"pay", query.UserEventsOptions{Event: "pay"}},
			{"profile", query.UserEventsOptions{Event: "$profile"}},
		} {
			b.Run("events="+name+"/"+opt.name, func(b *testing.B) {
				n, events, before := 0, 0, cpuTime()
				for b.Loop() {
					page, err := query.ReadUserEvents(ctx, snapshot, name, opt.UserEventsOptions)
					if err != nil {
						b.Fatal(err)
					}
					opt.Cursor = page.Cursor
					events += len(page.Events)
					n++
				}
				b.ReportMetric(float64(events)/float64(n), "events/op")
				b.ReportMetric(float64(cpuTime()-before)/float64(n)/1e6, "cpu-ms/op")
			})
		}
	}
}
