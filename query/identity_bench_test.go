package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/result"
)

// anonymous fills two tenants with the same n events of 30 days: in "plain" under the names of persons, in "linked"
// those of every fifth person before the first login under an anonymous id, which is linked.
func anonymous(b *testing.B, db *engine.DB, n int) (plain, linked *engine.Tenant, links []engine.Link) {
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	r := rand.New(rand.NewPCG(1, 1))
	users := n / 20
	login := make(map[int]int64)
	names := []string{"view", "view", "view", "view", "search", "cart", "cart", "pay"}
	open := func(name string) *engine.Tenant {
		t, err := db.Tenant(name)
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	plain, linked = open("plain"), open("linked")
	const day = 24 * int64(time.Hour)
	for from := 0; from < n; from += n / 30 {
		var builders [2]column.Builder
		for range n / 30 {
			at := start + int64(from/(n/30))*day + r.Int64N(day)
			user := int(float64(users) * r.Float64() * r.Float64())
			e := event.Event{Time: at, Name: names[r.IntN(len(names))], User: fmt.Sprint("user-", user), Fields: []event.Field{
				{Name: "channel", Value: event.String(fmt.Sprint("channel-", r.IntN(12)))},
				{Name: "page", Value: event.String(fmt.Sprint("page-", r.IntN(300)))},
				{Name: "amount", Value: event.Float(float64(r.IntN(10000)) / 100)},
			}}
			builders[0].AppendEvent(&e)
			if user%5 == 0 {
				if login[user] == 0 {
					login[user] = at + r.Int64N(12*day)
					links = append(links, engine.Link{Kind: engine.LinkIdentify, User: e.User, ID: fmt.Sprint("anon-", user), Time: login[user]})
				}
				if at < login[user] {
					e.User = fmt.Sprint("anon-", user)
				}
			}
			builders[1].AppendEvent(&e)
		}
		for i, t := range []*engine.Tenant{plain, linked} {
			if _, err := t.AppendBatch(context.Background(), builders[i].Finish(), engine.AppendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Settle(context.Background()); err != nil {
		b.Fatal(err)
	}
	return plain, linked, links
}

// BenchmarkIdentity asks the same of a tenant without links (plain), of one that is linked but asked for ids as they
// were sent (raw), of persons (linked), and of persons when a link has been made since (fresh).
func BenchmarkIdentity(b *testing.B) {
	now := func() time.Time { return time.Date(2025, 7, 2, 0, 0, 0, 0, time.UTC) }
	db, err := engine.Open("bench", engine.Options{FS: vfs.NewMem(), NoBackground: true, Now: now})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	plain, linked, links := anonymous(b, db, 1_000_000)
	ctx := context.Background()
	begin := time.Now()
	if _, err := linked.Link(ctx, links); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d links in %v", len(links), time.Since(begin))
	ask := func(b *testing.B, t *engine.Tenant, text string) *result.Table {
		snapshot := t.Snapshot()
		defer snapshot.Close()
		table, err := query.Run(ctx, snapshot, text, query.Options{MemoryBytes: 2 << 30})
		if err != nil {
			b.Fatal(err)
		}
		return table
	}
	begin = time.Now()
	ask(b, linked, `* | stats users()`)
	b.Logf("the first question copies for %v; %d MB in the cache", time.Since(begin), db.Stats().Cache.Bytes>>20)
	fresh := 0
	for _, q := range []struct{ name, text string }{
		{"users", `* | stats users()`},
		{"users-by-day", `* | stats users() by bin(1d)`},
		{"count-by-event", `* | stats count() by event`},
		{"users-by-channel", `pay | stats users() by channel`},
		{"funnel", `* | funnel view -> cart -> pay within 1d`},
		{"retention", `* | retention first view -> view every 1d for 7`},
		{"sessions", `* | session gap 30m | stats count() by bin(1d)`},
		{"person", `{user = "user-5"} | events`},
	} {
		for _, c := range []struct {
			name, prefix string
			tenant       *engine.Tenant
		}{{"plain", "", plain}, {"raw", "set identity = raw; ", linked}, {"linked", "", linked}, {"fresh", "", linked}} {
			b.Run(q.name+"/ids="+c.name, func(b *testing.B) {
				text := c.prefix + q.text
				got := ask(b, c.tenant, text)
				if c.prefix == "" {
					if diff := querytest.Difference(ask(b, plain, text), nil, got, nil); diff != "" {
						b.Fatal(diff)
					}
				}
				before := cpuTime()
				for b.Loop() {
					if c.name == "fresh" {
						fresh++
						link := engine.Link{Kind: engine.LinkIdentify, User: fmt.Sprint("new-", fresh), ID: fmt.Sprint("new-anon-", fresh), Time: 1}
						if _, err := linked.Link(ctx, []engine.Link{link}); err != nil {
							b.Fatal(err)
						}
					}
					ask(b, c.tenant, text)
				}
				b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/op")
			})
		}
	}
}
