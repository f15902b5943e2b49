package query_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query"
	"cairn/query/querytest"
)

// behaviours are the stages that are drawn.
var behaviours = querytest.AllKinds()

// drawJourneys draws not too many events, as the reference tries every chain.
func drawJourneys(t *rapid.T) []event.Event {
	events := querytest.RandomJourneys
	if rapid.IntRange(0, 3).Draw(t, "events") == 3 {
		events = querytest.RandomEvents
	}
	list := events(t)
	return list[:min(len(list), 40)]
}

// Random behavioural queries over random events have the answers of the reference, however the events are
// laid out and whatever optimisations are on.
func TestRandomBehavioursAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := querytest.RandomBehaviour(t, behaviours...)
		events := append(drawJourneys(t), querytest.RandomProfiles(t, 8)...)
		env := querytest.RandomBehaviourEnv(t)
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, env)
		if wantErr != nil {
			t.Fatalf("%s\n%v", text, wantErr)
		}
		for range 2 {
			shuffled := rapid.Permutation(slices.Clone(events)).Draw(t, "order")
			source, err := query.MemoryWith(shuffled, drawLayout(t))
			if err != nil {
				t.Fatal(err)
			}
			got, gotErr := query.Run(context.Background(), source, text, withEnv(drawOptions(t), env))
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%s%s\n%s", querytest.EventText(events), text, diff)
			}
			if !slices.Equal(want.Meta.Warnings, got.Meta.Warnings) {
				t.Fatalf("%s\nwarnings %q, want %q", text, got.Meta.Warnings, want.Meta.Warnings)
			}
		}
	})
}

// The same on an engine that is closed and opened between appends.
func TestRandomBehavioursOnEngine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := querytest.RandomBehaviour(t, behaviours...)
		events := append(drawJourneys(t), querytest.RandomProfiles(t, 8)...)
		env := querytest.RandomBehaviourEnv(t)
		var reference querytest.Reference
		reference.Load(nil, events)
		want, wantErr := reference.Query(text, env)
		e := &onEngine{
			opt:    engineOptions(rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "block rows")),
			reopen: rapid.Bool().Draw(t, "reopen"),
		}
		defer e.close()
		if err := e.load(rapid.Permutation(slices.Clone(events)).Draw(t, "order")); err != nil {
			t.Fatal(err)
		}
		got, gotErr := e.Query(text, env)
		if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
			t.Fatalf("%s%s\n%s", querytest.EventText(events), text, diff)
		}
	})
}
