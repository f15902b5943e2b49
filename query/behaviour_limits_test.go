package query_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
)

// busyUser is one user who does the named events in turn, a second apart, with fields p, which no two events
// share, and h, of which there are few values.
func busyUser(n int, names ...string) []event.Event {
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	events := make([]event.Event, n)
	for i := range events {
		at := start + int64(i)*int64(time.Second)
		events[i] = event.Event{Time: at, Received: at, Name: names[i%len(names)], User: "busy", Fields: []event.Field{
			{Name: "h", Value: event.Int(int64(i % 7))}, {Name: "p", Value: event.Int(int64(i))},
		}}
	}
	return events
}

func inSegments(t testing.TB, events []event.Event) query.Source {
	s, err := query.Memory(events)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A user with very many events is no danger to the stack, whatever repeats a pattern asks for.
func TestLongRepeats(t *testing.T) {
	const n = 30_000
	events := busyUser(n, "a")
	events[n-1].Name = "b"
	src := inSegments(t, events)
	for text, want := range map[string]string{
		"* | match a+ => b within 100000d | project events":                       "events\n30000\n",
		"* | match a{2,} -> b within 100000d | project events":                    "events\n30000\n",
		"* | funnel a{20000} -> b within 100000d | project count":                 "count\n1\n1\n",
		"* | funnel a+ => b within 100000d | project count":                       "count\n1\n1\n",
		"* | funnel a -> b within 100000d hold h | project count":                 "count\n1\n1\n",
		"* | funnel a -> b -> c within 1d by p top 1 | stats max(count) as count": "count\n1\n",
	} {
		got, err := query.Run(context.Background(), src, text, query.Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if shown := querytest.Text(got); shown != want && shown != want+"warning: no event called c is stored\n" {
			t.Errorf("%s\ngot  %q\nwant %q", text, shown, want)
		}
	}
}

// A query ends when its time is over, also in the middle of one user.
func TestTimeoutWithinAUser(t *testing.T) {
	src := inSegments(t, busyUser(20_000, "a", "b", "x"))
	for _, text := range []string{
		"* | funnel a -> (b & x) ->[< 1ms] a within 100000d",
		"* | funnel a -> b -> c by p at step 2",
		"* | match a+ -> b+ -> x+ ->[< 1ms] a within 100000d",
	} {
		begin := time.Now()
		_, err := query.Run(context.Background(), src, text, query.Options{Timeout: 200 * time.Millisecond})
		if took := time.Since(begin); err != nil && !errors.Is(err, query.ErrTimeout) || took > 20*time.Second {
			t.Errorf("%s: %v after %v", text, err, took)
		}
	}
}

// Explain says what a behavioural stage reads: bitmaps of users alone, or columns.
func TestExplainOfBehaviours(t *testing.T) {
	var events []event.Event
	for day := 1; day <= 4; day++ {
		at := time.Date(2025, 6, day, 12, 0, 0, 0, time.UTC).UnixNano()
		for user := range 300 {
			events = append(events, event.Event{Time: at, Received: at, Name: "a", User: fmt.Sprint("u", user)})
		}
	}
	e := &onEngine{opt: engineOptions(64)}
	e.Load(t, events)
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.db.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	explain := func(text string) (step struct {
		Segments, Bytes int
		By              string
	},
	) {
		got, err := query.Explain(context.Background(), snapshot, text, query.Options{Location: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		s := got.Steps[0]
		step.Segments, step.Bytes = s.Segments, s.Bytes
		for _, a := range s.Answers {
			step.By += a.By
		}
		return step
	}
	if got := explain("* | retention a -> a every 1d for 2"); got.By != "users" || got.Bytes != 0 {
		t.Errorf("retention by names reads %+v", got)
	}
	if got := explain("* on 2025-06-01 | funnel a -> a within 2d"); got.Segments == 0 || got.Bytes == 0 {
		t.Errorf("a funnel reads %+v", got)
	}
}
