package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/querytest"

	"github.com/RoaringBitmap/roaring/v2"
)

// manyUsers makes events of one day, enough of them for indexes, by users u0 to u299.
func manyUsers(n int) []event.Event {
	random := rand.New(rand.NewPCG(3, 4))
	start := time.Date(2025, 3, 29, 0, 0, 0, 0, time.UTC)
	events := make([]event.Event, n)
	for i := range events {
		user := random.IntN(300)
		at := start.Add(time.Duration(random.Int64N(int64(24 * time.Hour)))).UnixNano()
		e := event.Event{Time: at, Received: at, Name: string(rune('a' + random.IntN(5))), User: fmt.Sprint("u", user)}
		if e.Name == "e" && user >= 7 {
			e.Name = "d" // only the first few users have it
		}
		e.Fields = []event.Field{
			{Name: "p", Value: event.String(fmt.Sprint("p", random.IntN(40)))},
			{Name: "q", Value: event.String(fmt.Sprint("q", random.IntN(40)))},
			{Name: "y", Value: event.Float(float64(random.IntN(1000)) / 8)},
		}
		if user < 7 {
			e.Fields = append(e.Fields, event.Field{Name: "own", Value: event.Int(int64(user))})
		}
		events[i] = e
	}
	return events
}

// Where segments are large enough for indexes and directories to answer, hidden rows are left out as well.
func TestHiddenUsersOfLargeSegments(t *testing.T) {
	events := manyUsers(12_000)
	hidden := map[string]bool{}
	for i := range 300 {
		if i < 7 || i%11 == 0 {
			hidden[fmt.Sprint("u", i)] = true
		}
	}
	var visible []event.Event
	for _, e := range events {
		if !hidden[e.User] {
			visible = append(visible, e)
		}
	}
	env := querytest.RandomEnv()
	var reference querytest.Reference
	reference.Load(nil, visible)
	var sources []query.Source
	for _, opt := range []query.MemoryOptions{{}, {Segments: 2, BlockRows: 1024}, {Hot: true}} {
		source, err := query.MemoryWith(events, opt)
		if err != nil {
			t.Fatal(err)
		}
		h := &hiding{Source: source, hidden: roaring.New()}
		for user := range hidden {
			id, _, err := source.UserID(user)
			if err != nil {
				t.Fatal(err)
			}
			h.hidden.Add(id)
		}
		sources = append(sources, h)
	}
	for _, text := range []string{
		"* | stats count()", "* | stats count() by bin(1d)", "* | stats count(), users() by bin(1d)", "* | stats count(), users() by event",
		"a | stats count(), users() by bin(1d)", "e | stats count(), users() by bin(1d)", "e | stats count() by event", "(a or e) | stats count(), users() by event",
		`* {p = "p1"} | stats count() by bin(1d)`, `* {p = "p1", q = "q2"} | stats count() by bin(1d)`, `a {p = "p1", q = "q2"} | stats count(), users()`,
		`* {p != "p1"} | stats count(), distinct(q), sum(y)`, "* {exists(own)} | stats count(), max(own) by event", "* | stats max(own), distinct(own), quantile(y, 0.5)",
		`* {user = "u0"} | stats count()`, `* {user = "u1"} | events`, "* | top 3 user", "* | facets", "e | users", "{own > 1} | users",
		"* | funnel a -> b -> d within 1h", "* | funnel a -> e by p within 1h", "* | match a -> b within 5m | stats count()", "* | session | stats count(), avg(events)",
		"* | paths from a max 3", "* | gap | stats avg(gap)", "* | retention a -> b every 1h for 4", "* | retention first a -> e every 1h for 4",
		"* | lifecycle e every 1h", "* | stickiness e every 1h", "* | stickiness a every 6h", "f | stats count()", "{ow = 1} | stats count()",
		"* {did(e)} | stats count()", "* | stats count() by first_time(e)", "let x = e | users; * {user in x} | stats count()", "* | stats count(own) by bin(6h) | fill 0",
	} {
		want, wantErr := reference.Query(text, env)
		if wantErr != nil {
			t.Errorf("%s: %v", text, wantErr)
			continue
		}
		for i, source := range sources {
			for _, knobs := range []exec.Knobs{{}, {NoShortcut: true}, {NoIndex: true}} {
				got, err := query.Run(context.Background(), source, text, withEnv(query.Options{Workers: 2, Knobs: knobs}, env))
				if diff := querytest.Difference(want, nil, got, err); diff != "" {
					t.Errorf("source %d %+v %s\n%s", i, knobs, text, diff)
				} else if fmt.Sprint(want.Meta.Warnings) != fmt.Sprint(got.Meta.Warnings) {
					t.Errorf("%s\nwarnings %q, want %q", text, got.Meta.Warnings, want.Meta.Warnings)
				}
			}
		}
	}
}
