package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/exec"
	"cairn/query/syntax"
)

// manyEvents makes n events of n/10 users, an hour apart, with an order number of their own.
func manyEvents(n int) []event.Event {
	events := make([]event.Event, n)
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range events {
		events[i] = event.Event{
			Time: start + int64(i)*int64(time.Minute), Received: start, Name: []string{"view", "pay"}[i%2], User: fmt.Sprintf("u%d", i/10),
			Fields: []event.Field{
				{Name: "order", Value: event.String(fmt.Sprintf("order-%08d", i))},
				{Name: "amount", Value: event.Float(float64(i) / 4)},
				{Name: "region", Value: event.String([]string{"north", "south", "west"}[i%3])},
			},
		}
	}
	return events
}

func source(t testing.TB, n int, opt query.MemoryOptions) query.Source {
	src, err := query.MemoryWith(manyEvents(n), opt)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestMemoryLimitSaysWhatUsedIt(t *testing.T) {
	src := source(t, 60_000, query.MemoryOptions{})
	for text, purpose := range map[string]string{
		"* | stats count() by order":                    "group keys",
		"* | stats distinct(order)":                     "distinct values",
		"* | stats topk(order, 3)":                      "values of topk",
		"* | stats p90(amount)":                         "values for quantiles",
		"* | events":                                    "events",
		"* | facets":                                    "values of facets",
		"* | stats count() by user | where count > 100": "group",
	} {
		_, err := query.Run(context.Background(), src, text, query.Options{MemoryBytes: 256 << 10})
		var memory *exec.MemoryError
		if !errors.Is(err, query.ErrMemory) || !errors.As(err, &memory) || !strings.Contains(err.Error(), purpose) {
			t.Errorf("%s: %v, want a memory error that names %q", text, err, purpose)
		}
		if _, err := query.Run(context.Background(), src, text, query.Options{}); err != nil {
			t.Errorf("%s: %v with the default limit", text, err)
		}
	}
}

func TestCancellationEndsAQueryAtOnce(t *testing.T) {
	src := source(t, 100_000, query.MemoryOptions{})
	const slow = `* | stats distinct(concat(lower(order), upper(order), str(amount))), topk(concat(order, "x"), 5) by bucket(amount, 0.5)`
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := query.Run(ctx, src, slow, query.Options{})
		done <- err
	}()
	time.Sleep(5 * time.Millisecond)
	cancel()
	begin := time.Now()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want a cancellation", err)
	}
	if took := time.Since(begin); took > 2*time.Second { // 50 ms on a machine that does nothing else
		t.Errorf("the query went on for %v", took)
	}
	_, err := query.Run(context.Background(), src, slow, query.Options{Timeout: time.Millisecond})
	if !errors.Is(err, query.ErrTimeout) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestErrorsOfTheText(t *testing.T) {
	src := source(t, 10, query.MemoryOptions{})
	for _, text := range []string{"* | stat count()", "* | stats users() over 7d by region", "* last"} {
		_, err := query.Run(context.Background(), src, text, query.Options{})
		var e *syntax.Error
		if !errors.As(err, &e) || e.Line != 1 {
			t.Errorf("%s: %v, want a *syntax.Error with a place", text, err)
		}
	}
}

func TestLimitOfRows(t *testing.T) {
	src := source(t, 100, query.MemoryOptions{})
	got, err := query.Run(context.Background(), src, "* | events", query.Options{Limit: 7})
	if err != nil || len(got.Rows) != 7 || !got.Meta.Truncated {
		t.Fatalf("%d rows, truncated %v, %v", len(got.Rows), got.Meta.Truncated, err)
	}
}

func TestMeta(t *testing.T) {
	src := source(t, 1000, query.MemoryOptions{Segments: 3})
	got, err := query.Run(context.Background(), src, "view | stats sum(amount) by colour", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := got.Meta
	if !m.Exact || m.Segments != 3 || m.RowsRead != 500 || m.BytesRead == 0 || m.Elapsed <= 0 || m.Snapshot != "memory" {
		t.Errorf("%+v", m)
	}
	if len(m.Warnings) != 1 || m.Warnings[0] != "no stored event has the field colour" {
		t.Errorf("warnings %q", m.Warnings)
	}
}

func TestSketchIsSaidToBeOne(t *testing.T) {
	events := make([]event.Event, exec.QuantileExact+10)
	for i := range events {
		events[i] = event.Event{Time: int64(i), Name: "pay", Fields: []event.Field{{Name: "amount", Value: event.Float(float64(i) / 4)}}}
	}
	src, err := query.MemoryWith(events, query.MemoryOptions{Hot: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := query.Run(context.Background(), src, "* | stats p50(amount) as p", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := float64(exec.QuantileExact+10) / 8
	if got.Meta.Exact || got.Meta.ErrorBound != exec.SketchError || got.Rows[0][0].AsFloat() < want*0.98 || got.Rows[0][0].AsFloat() > want*1.02 {
		t.Errorf("%v, want about %v; %+v", got.Rows[0][0].AsFloat(), want, got.Meta)
	}
}

func TestExplain(t *testing.T) {
	src := source(t, 100_000, query.MemoryOptions{})
	e, err := query.Explain(context.Background(), src, `pay{region = "west", order = "order-00000005"} or view{amount > 7} on 2025-06-01 | stats sum(amount) by bin(1d)`, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := e.Steps[0]
	if s.Operator != "stats" || s.SegmentsInRange == 0 || s.Rows == 0 || s.Bytes == 0 || len(s.Answers) < 4 {
		t.Errorf("%+v", s)
	}
	for _, a := range s.Answers {
		if a.Condition == `event = "pay"` && a.By != "index" {
			t.Errorf("the event name is answered by %s", a.By)
		}
	}
	got, err := query.Run(context.Background(), src, `let big = pay{amount > 100} | users; pay{user in big} | stats count() | explain`, query.Options{})
	if err != nil || len(got.Rows) < 10 || got.Columns[0].Name != "what" {
		t.Fatalf("%v, %v", got, err)
	}
	e, err = query.Explain(context.Background(), src, `* | extend price = amount | funnel view -> pay{price > 7} by region | times`, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Steps[0]; s.Operator != "funnel view -> pay{price > 7} within 7d by region" || !slices.Equal(s.Columns, []string{"amount", "time", "event", "region"}) {
		t.Errorf("%+v", s)
	}
	none, err := query.Explain(context.Background(), src, `pay{order = "nothing like it"}`, query.Options{})
	if err != nil || none.Steps[0].Segments != 0 || none.Steps[0].Rows != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
