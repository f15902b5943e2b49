package query_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
	"cairn/query/reference"
)

// What links mean is the same as in the reference, in whatever order they stand.
func TestRandomLinksAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := slices.DeleteFunc(querytest.RandomLinks(t), func(l engine.Link) bool { return l.User == l.ID })
		want := reference.Resolve(links)
		for range 2 {
			got := engine.ResolveLinks(rapid.Permutation(slices.Clone(links)).Draw(t, "order"))
			if !maps.Equal(got, want) {
				t.Fatalf("%sgot %v, want %v", querytest.LinkText(links), got, want)
			}
		}
	})
}

// drawQuestion draws any query, with users as they were sent at times.
func drawQuestion(t *rapid.T) (text string, env reference.Env) {
	switch rapid.IntRange(0, 4).Draw(t, "question") {
	case 0:
		return querytest.RandomQuery(t), querytest.RandomEnv()
	case 1:
		return rapid.SampledFrom([]string{
			`* | stats count(), users() by user`, `set identity = raw; * | stats count() by user, event`, `{user = "n1"} | stats count(), users() by event`,
			`* | where user in ("u1", "n2") | stats count() by user`, `* | extend user = coalesce(s, "u2") | extend n = did(a), at = first_time(*) | project n, at`,
			`let v = a | stats count() by s as user; * | where user in v or user = "u3" | events`, `b{user != "u2"} | users`, `* | stats count(user = "u4"), users(user = "n1") by user`,
			`* | stats count() by event | sort event`, `a | stats users() by bin(1d)`, `* | events`,
		}).Draw(t, "text"), querytest.RandomEnv()
	}
	return querytest.RandomBehaviour(t, behaviours...), querytest.RandomBehaviourEnv(t)
}

// Random queries have the answers of the reference where users are linked.
func TestRandomQueriesWithLinksInMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, env := drawQuestion(t)
		events, links := drawJourneys(t), querytest.RandomLinks(t)
		var reference querytest.Reference
		reference.Load(nil, events)
		reference.Link(nil, links)
		want, wantErr := reference.Query(text, env)
		layout := drawLayout(t)
		layout.Links = links
		source, err := query.MemoryWith(events, layout)
		if err != nil {
			t.Fatal(err)
		}
		got, gotErr := query.Run(context.Background(), source, text, withEnv(drawOptions(t), env))
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s%s%s\n%s", querytest.EventText(events), querytest.LinkText(links), text, diff)
		}
	})
}

// The same on an engine that gets events and links bit by bit, is asked in between, erases users, seals, merges and
// is opened again: what it answers depends on nothing but what it has got.
func TestRandomQueriesWithLinksOnEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, env := drawQuestion(t)
		events, links := drawJourneys(t), querytest.RandomLinks(t)
		e := &onEngine{opt: engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows"))}
		defer e.close()
		e.opt.FS = vfs.NewMem()
		var err error
		if e.db, err = engine.Open("golden", e.opt); err != nil {
			t.Fatal(err)
		}
		var have []event.Event
		var log querytest.LinkLog
		ask := func() {
			var reference querytest.Reference
			reference.Load(nil, have)
			reference.Link(nil, log.Rows)
			want, wantErr := reference.Query(text, env)
			got, gotErr := e.Query(text, env)
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%s%s%s\n%s", querytest.EventText(have), querytest.LinkText(log.Rows), text, diff)
			}
		}
		for len(events)+len(links) > 0 {
			switch step := rapid.IntRange(0, 7).Draw(t, "step"); {
			case step < 2 && len(events) > 0:
				n := rapid.IntRange(1, len(events)).Draw(t, "events")
				if err := e.append(events[:n]); err != nil {
					t.Fatal(err)
				}
				have, events = append(have, events[:n]...), events[n:]
			case step < 4 && len(links) > 0:
				n := rapid.IntRange(1, len(links)).Draw(t, "links")
				if err := e.checkedLink(links[:n], &log); err != "" {
					t.Fatal(err)
				}
				links = links[n:]
			case step == 4:
				if err := e.db.Settle(context.Background()); err != nil {
					t.Fatal(err)
				}
			case step == 5:
				if err := e.db.Close(); err != nil {
					t.Fatal(err)
				}
				if e.db, err = engine.Open("golden", e.opt); err != nil {
					t.Fatal(err)
				}
			case step == 6 && rapid.Bool().Draw(t, "erase"):
				user := rapid.SampledFrom([]string{"u1", "u2", "n1"}).Draw(t, "user")
				tenant, err := e.db.Tenant(engineTenant)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tenant.Erase(context.Background(), engine.EraseOptions{User: user}); err != nil {
					t.Fatal(err)
				}
				have = slices.DeleteFunc(have, func(e event.Event) bool { return e.User == user })
				log.Rows = slices.DeleteFunc(log.Rows, func(l engine.Link) bool { return l.User == user || l.ID == user })
			default:
				ask()
			}
		}
		ask()
		if err := e.db.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		ask()
		if _, err := e.db.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// checkedLink links and compares the verdicts with those of a plain log.
func (e *onEngine) checkedLink(links []engine.Link, log *querytest.LinkLog) (wrong string) {
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		return err.Error()
	}
	verdicts, err := tenant.Link(context.Background(), links)
	if err != nil {
		return err.Error()
	}
	for i, l := range links {
		want, got := log.Add(l), verdicts[i]
		hint := got.Reason == engine.ReasonAlreadyIdentified || got.Reason == engine.ReasonNotLinked
		if got.Kind != want && !(hint && want == engine.OK) {
			return querytest.LinkText(links[i:i+1]) + got.Kind.String() + ", want " + want.String()
		}
	}
	names := reference.Resolve(log.Rows)
	for i, l := range links {
		linked := l.Kind != engine.LinkUnlink && verdicts[i].Kind == engine.OK
		if linked && names[l.User] != names[l.ID] || verdicts[i].Reason == engine.ReasonAlreadyIdentified && names[l.User] == names[l.ID] {
			return querytest.LinkText(links) + "the verdict on link " + querytest.LinkText(links[i:i+1]) + "is " + verdicts[i].Reason
		}
	}
	return ""
}
