package query_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/query/querytest"
)

// Queries on an engine that has erased users have the answers of the reference over the events of the others,
// and of the erased users' later events, while rows are hidden and when they are gone.
func TestRandomQueriesAfterErasures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text string
		var events []event.Event
		env := querytest.RandomEnv()
		if rapid.Bool().Draw(t, "behaviour") {
			text, events = querytest.RandomBehaviour(t, behaviours...), drawJourneys(t)
			env = querytest.RandomBehaviourEnv(t)
		} else {
			text, events = querytest.RandomQuery(t), querytest.RandomEvents(t)
		}
		later := events[rapid.IntRange(0, len(events)).Draw(t, "before"):]
		before := events[:len(events)-len(later)]
		e := &onEngine{
			opt:    engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows")),
			reopen: rapid.Bool().Draw(t, "reopen"),
		}
		defer e.close()
		if err := e.load(rapid.Permutation(slices.Clone(before)).Draw(t, "order")); err != nil {
			t.Fatal(err)
		}
		var visible []event.Event
		gone := map[string]bool{}
		for _, ev := range before {
			if _, known := gone[ev.User]; !known && ev.User != "" {
				hide := rapid.Bool().Draw(t, "erase "+ev.User)
				if gone[ev.User] = hide; hide {
					eraseUser(t, e, ev.User)
				}
			}
			if !gone[ev.User] {
				visible = append(visible, ev)
			}
		}
		if err := e.append(later); err != nil {
			t.Fatal(err)
		}
		var reference querytest.Reference
		reference.Load(nil, append(visible, later...))
		want, wantErr := reference.Query(text, env)
		for _, state := range []string{"hidden", "opened again", "gone"} {
			switch state {
			case "opened again":
				if err := e.db.Close(); err != nil {
					t.Fatal(err)
				}
				var err error
				if e.db, err = engine.Open("golden", e.opt); err != nil {
					t.Fatal(err)
				}
			case "gone":
				if err := e.db.Settle(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			got, gotErr := e.Query(text, env)
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%s: %serased %v\n%s\n%s", state, querytest.EventText(events), gone, text, diff)
			}
			if wantErr == nil && !slices.Equal(want.Meta.Warnings, got.Meta.Warnings) {
				t.Fatalf("%s: %s\nwarnings %q, want %q", state, text, got.Meta.Warnings, want.Meta.Warnings)
			}
		}
	})
}

func eraseUser(t *rapid.T, e *onEngine, user string) {
	tenant, err := e.db.Tenant(engineTenant)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.Erase(context.Background(), engine.EraseOptions{User: user}); err != nil {
		t.Fatal(err)
	}
}
