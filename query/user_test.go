package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/result"
)

// userSources are the same events in memory and on an engine.
func userSources(t *rapid.T, events []event.Event) (sources []query.Source, closeAll func()) {
	memory, err := query.MemoryWith(slices.Clone(events), drawLayout(t))
	if err != nil {
		t.Fatal(err)
	}
	e := &onEngine{opt: engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows")), reopen: rapid.Bool().Draw(t, "reopen")}
	if err := e.load(rapid.Permutation(slices.Clone(events)).Draw(t, "order")); err != nil {
		t.Fatal(err)
	}
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	return []query.Source{memory, snapshot}, func() { snapshot.Close(); e.close() }
}

// repeatedEvents draws events with many at the same instant, and some that are alike in everything.
func repeatedEvents(t *rapid.T) []event.Event {
	events := append(querytest.RandomEvents(t), querytest.RandomProfiles(t, 20)...)
	for range rapid.IntRange(0, 12).Draw(t, "again") {
		if len(events) == 0 {
			break
		}
		e := rapid.SampledFrom(events).Draw(t, "event")
		if rapid.Bool().Draw(t, "named") {
			e.ID = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id") + fmt.Sprint(len(events))
		}
		events = append(events, e)
	}
	return events
}

// A user's page says what a plain scan of the events and the reference say.
func TestReadUser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := repeatedEvents(t)
		sources, done := userSources(t, events)
		defer done()
		var reference querytest.Reference
		reference.Load(nil, events)
		properties := []string{"o", "o.a", "o.b", "p", "q"}
		text := "* | users"
		for i, name := range properties {
			text += fmt.Sprintf(" | extend c%d = user.%s", i, name)
		}
		table, err := reference.Query(text, querytest.RandomEnv())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"u1", "u2", "u3", "u4", "u5", "nobody"} {
			want := result.User{Name: name}
			for i, e := range mine(events, name, "", event.AllTime) {
				if i == 0 || e.Time < want.First {
					want.First = e.Time
				}
				if i == 0 || e.Time > want.Last {
					want.Last = e.Time
				}
				want.Events++
			}
			for _, row := range table.Rows {
				for i, property := range properties {
					if row[0] == event.String(name) && row[i+1].Exists() {
						want.Profile = append(want.Profile, event.Field{Name: property, Value: row[i+1]})
					}
				}
			}
			for _, src := range sources {
				got, err := query.ReadUser(context.Background(), src, name)
				if err != nil {
					t.Fatal(err)
				}
				if want.Events == 0 {
					if got != nil {
						t.Fatalf("%s has no events but %+v", name, got)
					}
					continue
				}
				got.Profile = slices.DeleteFunc(got.Profile, func(f event.Field) bool { return f.Value.IsNull() })
				if got == nil || got.Name != name || got.First != want.First || got.Last != want.Last || got.Events != want.Events || !slices.Equal(got.Profile, want.Profile) {
					t.Fatalf("%s\ngot  %+v\nwant %+v", querytest.EventText(events), got, want)
				}
			}
		}
	})
}

// mine returns the events of a user with a name in a range.
func mine(events []event.Event, user, name string, rng event.TimeRange) []event.Event {
	var list []event.Event
	for _, e := range events {
		if e.User == user && (name == "" || e.Name == name) && rng.Contains(e.Time) {
			list = append(list, e)
		}
	}
	return list
}

// lines are events as text, one a line.
func lines(events []event.Event) []string {
	var list []string
	for i := range events {
		e := events[i]
		e.Fields = slices.Clone(e.Fields)
		slices.SortFunc(e.Fields, func(a, b event.Field) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, string(result.AppendEvent(nil, &e, time.UTC)))
	}
	return list
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// pages reads all pages.
func pages(t *rapid.T, src query.Source, user string, opt query.UserEventsOptions) []event.Event {
	var all []event.Event
	for {
		page, err := query.ReadUserEvents(context.Background(), src, user, opt)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > opt.Limit || page.Cursor != "" && len(page.Events) < opt.Limit {
			t.Fatalf("a page of %d events, %d wanted, then %q", len(page.Events), opt.Limit, page.Cursor)
		}
		all = append(all, page.Events...)
		if opt.Cursor = page.Cursor; opt.Cursor == "" {
			return all
		}
	}
}

// Pages of any size have every event once, in the order of the stage events.
func TestReadUserEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := repeatedEvents(t)
		sources, done := userSources(t, events)
		defer done()
		user := rapid.SampledFrom([]string{"u1", "u2", "u3", "nobody"}).Draw(t, "user")
		opt := query.UserEventsOptions{Event: rapid.SampledFrom([]string{"", "", "a", "b", "$profile", "none"}).Draw(t, "name")}
		rng := event.AllTime
		if rapid.Bool().Draw(t, "ranged") && len(events) > 0 {
			rng.From = rapid.SampledFrom(events).Draw(t, "from").Time
			rng.To = max(rng.From, rapid.SampledFrom(events).Draw(t, "to").Time)
			opt.Range = &rng
		}
		want := mine(events, user, opt.Event, rng)
		var first []string
		for _, src := range sources {
			opt.Ascending, opt.Limit = false, len(want)+1
			whole := lines(pages(t, src, user, opt))
			if first == nil {
				first = whole
				if !slices.Equal(sorted(whole), sorted(lines(want))) {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(whole, "\n"), strings.Join(lines(want), "\n"))
				}
				stage := asEvents(t, src, user, opt.Event, rng)
				if !slices.Equal(sorted(stage), sorted(whole)) || !slices.Equal(heads(stage), heads(whole)) {
					t.Fatalf("got\n%s\nthe stage events gives\n%s", strings.Join(whole, "\n"), strings.Join(stage, "\n"))
				}
			}
			if !slices.Equal(whole, first) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(whole, "\n"), strings.Join(first, "\n"))
			}
			for opt.Limit = range 5 {
				if opt.Limit == 0 {
					continue
				}
				opt.Ascending = false
				if got := lines(pages(t, src, user, opt)); !slices.Equal(got, first) {
					t.Fatalf("pages of %d\n%s\nwant\n%s", opt.Limit, strings.Join(got, "\n"), strings.Join(first, "\n"))
				}
				opt.Ascending = true
				got := lines(pages(t, src, user, opt))
				if slices.Reverse(got); !slices.Equal(got, first) {
					t.Fatalf("ascending pages of %d, reversed\n%s\nwant\n%s", opt.Limit, strings.Join(got, "\n"), strings.Join(first, "\n"))
				}
			}
		}
	})
}

// asEvents are the rows of the stage events as NDJSON.
func asEvents(t *rapid.T, src query.Source, user, name string, rng event.TimeRange) []string {
	if name == "" {
		name = "*"
	}
	text := fmt.Sprintf("`%s` | where user = %q | events", name, user)
	if name == "*" {
		text = fmt.Sprintf("* | where user = %q | events", user)
	}
	table, err := query.Run(context.Background(), src, text, query.Options{Range: &rng})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, row := range table.Rows {
		list = append(list, string(bytes.TrimSpace(result.AppendNDJSONRow(nil, table, row))))
	}
	return list
}

// heads are the beginnings of lines up to the event's id: what orders them whatever their fields.
func heads(list []string) []string {
	var out []string
	for _, line := range list {
		head, _, _ := strings.Cut(line, `,"received"`)
		out = append(out, head)
	}
	return out
}

// Events that arrive between two pages, and the sealing and merging of segments, make no event come twice or
// not at all.
func TestUserEventsWhileOthersArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := repeatedEvents(t)
		for i := range events {
			events[i].User, events[i].ID = "u1", fmt.Sprint("old", i)
			if rapid.IntRange(0, 2).Draw(t, "no id") == 0 {
				events[i].ID = ""
			}
		}
		e := &onEngine{opt: engineOptions(2)}
		defer e.close()
		if err := e.load(slices.Clone(events)); err != nil {
			t.Fatal(err)
		}
		tenant, err := e.db.Tenant(engineTenant)
		if err != nil {
			t.Fatal(err)
		}
		opt := query.UserEventsOptions{Limit: rapid.IntRange(1, 4).Draw(t, "limit"), Ascending: rapid.Bool().Draw(t, "ascending")}
		var got []event.Event
		for n := 0; ; n++ {
			snapshot := tenant.Snapshot()
			page, err := query.ReadUserEvents(context.Background(), snapshot, "u1", opt)
			snapshot.Close()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Events...)
			if opt.Cursor = page.Cursor; opt.Cursor == "" {
				break
			}
			if n < 10 {
				other := rapid.SampledFrom(events).Draw(t, "like")
				other.ID = fmt.Sprint(rapid.SampledFrom([]string{"a", "new", "z"}).Draw(t, "id"), n)
				other.Fields = append(slices.Clone(other.Fields), event.Field{Name: "arrived", Value: event.Int(int64(n))})
				if err := e.append([]event.Event{other}); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "settle") == 0 {
				if err := e.db.Settle(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		got = slices.DeleteFunc(got, func(e event.Event) bool { return !e.Get("arrived").IsAbsent() })
		if !slices.Equal(sorted(lines(got)), sorted(lines(events))) {
			t.Fatalf("pages of %d have\n%s\nwant\n%s", opt.Limit, strings.Join(sorted(lines(got)), "\n"), strings.Join(sorted(lines(events)), "\n"))
		}
	})
}

// A cursor that was not given is refused.
func TestBadUserCursor(t *testing.T) {
	var events []event.Event
	for i := range 3 {
		events = append(events, event.Event{Time: int64(i), Name: "a", User: "u"})
	}
	src, err := query.Memory(events)
	if err != nil {
		t.Fatal(err)
	}
	read := func(opt query.UserEventsOptions) (*result.UserEvents, error) {
		return query.ReadUserEvents(context.Background(), src, "u", opt)
	}
	page, err := read(query.UserEventsOptions{Limit: 1})
	if err != nil || page.Cursor == "" {
		t.Fatal(page, err)
	}
	for _, bad := range []query.UserEventsOptions{
		{Cursor: page.Cursor, Ascending: true}, {Cursor: "x"}, {Cursor: page.Cursor[:20]}, {Cursor: page.Cursor + "="}, {Cursor: "AAAA" + page.Cursor},
	} {
		if _, err := read(bad); !errors.Is(err, query.ErrCursor) {
			t.Errorf("%q: %v", bad.Cursor, err)
		}
	}
	if _, err := read(query.UserEventsOptions{Limit: -1}); err == nil {
		t.Error("a limit below zero is taken")
	}
}

// FuzzUserCursor reads pages from whatever text stands for a cursor.
func FuzzUserCursor(f *testing.F) {
	var events []event.Event
	for i := range 9 {
		events = append(events, event.Event{Time: int64(i / 3), Name: "a", User: "u", ID: strings.Repeat("i", i%2)})
	}
	src, err := query.Memory(events)
	if err != nil {
		f.Fatal(err)
	}
	for _, ascending := range []bool{true, false} {
		page, err := query.ReadUserEvents(context.Background(), src, "u", query.UserEventsOptions{Limit: 4, Ascending: ascending})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page.Cursor, ascending)
	}
	f.Add("", false)
	f.Add("AQAAAA", true)
	f.Fuzz(func(t *testing.T, cursor string, ascending bool) {
		page, err := query.ReadUserEvents(context.Background(), src, "u", query.UserEventsOptions{Cursor: cursor, Limit: 2, Ascending: ascending})
		if err != nil {
			if !errors.Is(err, query.ErrCursor) {
				t.Fatal(err)
			}
			return
		}
		if len(page.Events) > 2 {
			t.Fatal("a page too large")
		}
	})
}
