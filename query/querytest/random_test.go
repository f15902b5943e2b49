package querytest

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
)

// A random query is valid, and its answer does not depend on the order in which events arrived.
func TestRandomQueries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := RandomEvents(t)
		text := RandomQuery(t)
		want := answer(t, text, events)
		if got := answer(t, text, rapid.Permutation(events).Draw(t, "order")); got != want {
			t.Fatalf("%s\n%s\nin another order\n%s", text, want, got)
		}
	})
}

// What has to be the same by any meaning is the same by ours.
func TestRandomIdentities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Reference
		r.Load(nil, RandomEvents(t))
		one, other := RandomIdentity(t)
		want, wantErr := r.Query(one, RandomEnv())
		got, gotErr := r.Query(other, RandomEnv())
		if wantErr != nil || gotErr != nil {
			t.Fatalf("%s\n%v\n%s\n%v", one, wantErr, other, gotErr)
		}
		want.Meta.Warnings, got.Meta.Warnings = nil, nil
		if diff := Difference(want, nil, got, nil); diff != "" {
			t.Fatalf("%s\n%s\n%s", one, other, diff)
		}
	})
}

// The same of queries with behavioural stages.
func TestRandomBehaviours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := RandomBehaviour(t)
		events := append(RandomJourneys(t), RandomProfiles(t, 8)...)
		want := answer(t, text, events)
		if got := answer(t, text, rapid.Permutation(events).Draw(t, "order")); got != want {
			t.Fatalf("%s\n%s\nin another order\n%s", text, want, got)
		}
	})
}

func answer(t *rapid.T, text string, events []event.Event) string {
	var r Reference
	r.Load(nil, events)
	got, err := r.Query(text, RandomEnv())
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return Text(got)
}

// Events are written as they are read.
func TestEventText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := RandomEvents(t)
		got, err := ParseEvents(EventText(events))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(events) || len(events) > 0 && !reflect.DeepEqual(got, events) {
			t.Fatalf("%s\nis read as\n%s", EventText(events), EventText(got))
		}
	})
}
