package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"
)

// pathTexts draws queries with paths, session and gap.
type pathTexts struct{ t *rapid.T }

func (g pathTexts) pick(options ...string) string {
	return rapid.SampledFrom(options).Draw(g.t, "text")
}

// maybe draws one of the texts, or none.
func (g pathTexts) maybe(options ...string) string {
	return g.pick(append([]string{"", ""}, options...)...)
}

func (g pathTexts) selector() string {
	return g.pick("a", "b", "c", "(a or c)", "a{x = 1}", "{y > 0}", "b{exists(s)}", "a{s = \"a\"}")
}

// begin is a pipeline up to the stage, which sees events around the range.
func (g pathTexts) begin() string {
	return g.maybe("set actor = s; ", "set tz = \"Europe/Berlin\"; ") + g.pick("*", "*", "*", "a or b", "{y >= 0}") +
		g.maybe(" on 2025-03-30", " from 2025-03-29 to 2025-03-31", " last 2d", " from 2025-03-30T07:00 to 2025-03-30T19:30") +
		g.maybe(" | where event != \"b\"", " | extend z = y + 1", " | where x != 2 | extend q = s, time = received", " | project s, y, user",
			" | extend user = s", " | extend user = s | where y > 0", " | limit 40", " | rename yy = y | drop x")
}

func (g pathTexts) paths() string {
	from := g.maybe(" from "+g.selector(), " from "+g.selector())
	to := g.maybe(" to "+g.selector(), " to "+g.selector())
	view := g.maybe(" loops", " dead ends")
	if from != "" && to != "" {
		view = g.maybe(" loops", " dead ends", " shortest 3", " shortest 20")
	}
	most := ""
	if view == "" {
		most = g.maybe(" max 1", " max 2", " max 3", " max 40")
	}
	top := ""
	if !strings.Contains(view, "shortest") {
		top = g.maybe(" top 1", " top 3")
	}
	return " | paths" + from + to + view + most + top + g.maybe(" gap 30m", " gap 3h", " gap 13h", " within 4h", " within 2d") +
		g.maybe(" collapse off") + g.maybe(" except "+g.selector(), " except b except {x = 1}") +
		g.maybe(" of s", " of y", " of if(y > 0, s, event)", " of user") + g.maybe(" by s", " by bin(1d)", " by x, s", " by user") +
		g.maybe(" | users", " | limit 3")
}

func (g pathTexts) session() string {
	return " | session" + g.maybe(" gap 1h", " gap 4h", " gap 13h", " gap 2s") + g.maybe(" max 2h", " max 5h", " max 20h", " max 60h")
}

// condition draws one on the rows behind a session.
func (g pathTexts) condition() string {
	return g.pick("not exists(dwell)", "exists(dwell)", "session.events = 1", "session.events > 1 and y > 0", "dwell > 30m", "session.number = 1",
		"session.entry = \"a\"", "session.exit.s = \"a\"", "session.entry.y >= 1", "event = session.exit", "session.duration > 1h",
		"session.id contains \"u1\"", "y = session.entry.y", "session.entry.event = event", "event = \"a\"", "exists(s)", "user = \"u1\"",
		"session.duration > dwell", "session.number in (1, 3)", "not (session.events = 2 or y > 1)")
}

// rows draws stages on single rows behind a session.
func (g pathTexts) rows() string {
	return g.maybe(" | where "+g.condition(), " | where "+g.condition()+" | where "+g.condition(), " | extend k = session.entry.s, n = session.events",
		" | extend dwell = y", " | rename pause = dwell | where exists(pause) | extend dwell = pause",
		" | extend w = session.number * 2, d = dwell / 2 | where w > 2 or not exists(d)")
}

// key draws a group key of the events behind a session.
func (g pathTexts) key() string {
	return g.pick("event", "s", "session.entry", "session.entry.s", "session.exit.x", "session.number", "session.events", "bin(1d)", "session.id",
		"x", "user", "session.exit.user", "hour()", "bin(session.entry.time, 1d)", "session.duration", "concat(session.entry, event)", "dwell")
}

// aggregate draws one over the events behind a session.
func (g pathTexts) aggregate() string {
	return g.pick("count()", "users()", "avg(dwell)", "median(dwell)", "sum(y)", "avg(session.duration)", "count(session.events = 1)", "p90(y)",
		"count(session.events = 1) / count()", "distinct(session.id)", "first(x)", "last(s)", "min(time)", "max(time)", "first(session.duration)",
		"last(session.exit.s)", "min(y)", "max(x)", "sum(session.events)", "count(event = \"a\")", "sum(y) if (event = \"a\")", "first(event)",
		"distinct(s)", "topk(s, 2)", "hist(dwell, 0s, 1h, 5h)", "stddev(y)", "last(session.number)", "first(dwell)", "users(y > 0)", "max(dwell)",
		"count(exists(dwell))", "avg(session.entry.y)", "first(session.id)", "count() if (session.entry.s = \"a\")", "last(y) if (x = 1)")
}

// named draws aggregates with names n0, n1, ….
func (g pathTexts) named() (text string, names []string) {
	var list []string
	for i := range rapid.IntRange(1, 3).Draw(g.t, "aggregates") {
		names = append(names, fmt.Sprintf("n%d", i))
		list = append(list, g.aggregate()+" as "+names[i])
	}
	return strings.Join(list, ", "), names
}

func (g pathTexts) by() string {
	keys := map[string]bool{}
	for range rapid.IntRange(0, 2).Draw(g.t, "keys") {
		keys[g.key()] = true
	}
	var list []string
	for key := range keys {
		list = append(list, key)
	}
	if len(list) == 0 {
		return ""
	}
	slices.Sort(list)
	return " by " + strings.Join(list, ", ")
}

// bySession is a stats keyed by sessions, with other keys of theirs.
func (g pathTexts) bySession() string {
	return " by session.id" + g.maybe(", session.entry", ", session.number, user", ", session.exit.s", ", session.duration as d")
}

// behind draws what follows a session.
func (g pathTexts) behind() string {
	aggs, names := g.named()
	n := names[0]
	return g.rows() + g.pick("", " | stats "+aggs+g.by(), " | stats "+aggs+g.by(), " | stats "+aggs+g.by(),
		" | stats "+aggs+g.bySession(), " | stats "+aggs+g.bySession()+" | limit 3",
		" | stats "+aggs+g.bySession()+" | stats count(), sum("+n+"), max("+n+"), count("+n+" = 1)",
		" | stats "+aggs+g.bySession()+" | stats count(), avg("+n+"), distinct(session.id) by "+g.pick(names...),
		" | stats "+aggs+g.bySession()+" | where exists("+n+") | extend m = "+n+" | stats count() / 2, min("+n+") by m, session.id contains \"u1\"",
		" | stats "+aggs+g.bySession()+" | where "+n+" > 1 | sort "+n+" desc",
		" | stats min(time) as start, count() as n by session.id | stats count(), sum(n) by bin(start, 1d)",
		" | stats last(session.number) as time, "+aggs+g.bySession()+" | stats first("+n+"), count()",
		" | users", " | facets", " | top 3 session.entry", " | project session.id, dwell, p = session.entry.s, q = session.exit.y",
		" | funnel a -> b count sessions", " | session gap 2h | stats count() by session.id, session.entry.s", " | paths of session.entry", " | gap | stats max(gap) by user",
		" | sort y, time | session | where session.exit.s = \"a\"", " | limit 5 | stats "+aggs+g.by())
}

func (g pathTexts) gap() string {
	return g.maybe(" | extend z = x", " | sort y, time") + " | gap" + g.maybe(" | where exists(gap)", " | where gap > 1h", " | extend g = gap, gap = 1") +
		g.pick("", " | stats median(gap), p90(gap), hist(gap, 1h, 3h, 1d)", " | stats count(), avg(gap), min(gap), max(gap), sum(y) by user",
			" | stats count(exists(gap)), users(), first(gap), last(gap) by event", " | stats count() by gap", " | users", " | stats avg(gap) by bin(1d)",
			" | gap | session | stats max(gap) by session.id", " | stats sum(gap) over 2d by bin(1d)", " | top 2 user by sum(gap)")
}

func (g pathTexts) query() string {
	switch rapid.IntRange(0, 5).Draw(g.t, "stage") {
	case 0:
		return g.begin() + g.gap()
	case 1, 2:
		return g.begin() + g.paths()
	}
	return g.begin() + g.session() + g.behind()
}

// Paths, sessions and gaps have the answers of the reference, however the events are laid out and whatever
// optimisations are on.
func TestRandomPathsAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		text := pathTexts{t}.query()
		env := querytest.RandomEnv()
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, env)
		if wantErr != nil {
			return
		}
		for range 2 {
			source, err := query.MemoryWith(rapid.Permutation(slices.Clone(events)).Draw(t, "order"), drawLayout(t))
			if err != nil {
				t.Fatal(err)
			}
			opt := drawOptions(t)
			got, gotErr := query.Run(context.Background(), source, text, withEnv(opt, env))
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%s\n%+v\n%s", text, opt.Knobs, diff)
			}
		}
	})
}

// The same on an engine, whose segments overlap in time.
func TestRandomPathsOnEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := querytest.RandomEvents(t)
		text := pathTexts{t}.query()
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, querytest.RandomEnv())
		if wantErr != nil {
			return
		}
		e := &onEngine{opt: engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows"))}
		defer e.close()
		if err := e.load(rapid.Permutation(slices.Clone(events)).Draw(t, "order")); err != nil {
			t.Fatal(err)
		}
		got, gotErr := e.Query(text, querytest.RandomEnv())
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s\n%s", text, diff)
		}
	})
}

// visits makes events of many users in several days, in the order of arrival.
func visits(n int) []event.Event {
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2025, 3, 28, 0, 0, 0, 0, time.UTC).UnixNano()
	names := []string{"open", "list", "item", "pay", "close"}
	var events []event.Event
	for len(events) < n {
		user := fmt.Sprintf("u%d", random.IntN(n/60+1))
		if random.IntN(20) == 0 {
			user = ""
		}
		at := begin + random.Int64N(int64(5*24*time.Hour))
		for range 1 + random.IntN(12) {
			e := event.Event{Time: at, Received: at, Name: names[random.IntN(len(names))], User: user}
			if random.IntN(4) > 0 {
				e.Fields = append(e.Fields, event.Field{Name: "page", Value: event.String(fmt.Sprintf("/p%d", random.IntN(30)))})
			}
			if random.IntN(3) > 0 {
				e.Fields = append(e.Fields, event.Field{Name: "price", Value: event.Float(float64(random.IntN(10000)) / 100)})
			}
			events = append(events, e)
			if random.IntN(10) > 0 {
				at += random.Int64N(int64(20 * time.Minute))
			}
		}
	}
	return events
}

// settled is an engine that holds events in segments of a day each.
func settled(t *testing.T, events []event.Event) query.Source {
	opt := engineOptions(512)
	opt.FS = vfs.NewMem()
	db, err := engine.Open("settled", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tenant, err := db.Tenant(engineTenant)
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(slices.Clone(events), 1000) {
		if _, err := tenant.Append(context.Background(), part); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	t.Cleanup(func() { snapshot.Close() })
	return snapshot
}

// Sessions and gaps have the same answers whether events are streamed or become rows, also where there are
// many of them.
func TestStreamedStatsAgreeWithRows(t *testing.T) {
	events := visits(20_000)
	sources := map[string]query.Source{"segments by day": settled(t, events)}
	for _, layout := range []query.MemoryOptions{
		{BlockRows: 1024, Segments: 1}, {BlockRows: 256, Segments: 5}, {BlockRows: 4096, Segments: 2, Hot: true},
	} {
		source, err := query.MemoryWith(events, layout)
		if err != nil {
			t.Fatal(err)
		}
		sources[fmt.Sprintf("%+v", layout)] = source
	}
	for layout, source := range sources {
		for _, text := range []string{
			"* | session | stats count(), users(), avg(dwell), p90(dwell) by event",
			"* | session max 40m | stats distinct(session.id), count() by page",
			"* | session | stats distinct(session.id), sum(price) by page, user",
			"* on 2025-03-30 | session | stats count() as n, first(page) as page by session.id | stats sum(n), count(n = 1), count() by page",
			"* from 2025-03-29T10:00 to 2025-03-30T09:00 | session gap 2h max 3h | stats last(page) as page, sum(price) as price by session.id, user | stats sum(price), users(), max(price) by page",
			"* | session | where not exists(dwell) | stats users(), avg(session.duration), last(session.number), first(session.entry.page) by session.exit.page",
			"* | session | where session.events > 2 and event = \"item\" | stats count(), min(price), max(page), topk(page, 3) by session.entry, session.exit",
			"* | session | where event != \"close\" | stats count() as n, count(event = \"pay\") as paid, median(price) as m by session.id | where n > 1 | stats count(), sum(paid), avg(m), stddev(m)",
			"* | session | stats max(price) / count() as each, first(user) as who by session.id, session.duration",
			"item or pay on 2025-03-30 | session gap 1h | stats count(), sum(session.duration), hist(dwell, 0s, 1m, 10m) by bin(6h)",
			"* | session | top 5 page by avg(session.events)",
			"* | session | stats count() as n by session.id | top 3 n by count()",
			"* | gap | stats count(), median(gap), hist(gap, 0s, 5m, 1h), sum(price) by event",
			"* last 3d | gap | where gap > 10m | stats count(), users(), first(page), last(gap) by bin(1d)",
		} {
			run := func(opt query.Options) string {
				got, err := query.Run(context.Background(), source, text, withEnv(opt, querytest.RandomEnv()))
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				return fmt.Sprint(got.Rows)
			}
			want := run(query.Options{Workers: 1, Knobs: exec.Knobs{NoShortcut: true}})
			for _, workers := range []int{1, 3} {
				if got := run(query.Options{Workers: workers, Knobs: exec.Knobs{BlockTasks: workers > 1}}); got != want {
					t.Errorf("%s: %s\ngot  %.800s\nwant %.800s", layout, text, got, want)
				}
			}
		}
	}
}
