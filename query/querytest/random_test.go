package querytest

import (
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
)

// A random query is valid, and its answer does not depend on the order in which events arrived.
func TestRandomQueries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := RandomEvents(t)
		text := RandomQuery(t)
		ask := func(events []event.Event) string {
			var r Reference
			r.Load(nil, events)
			got, err := r.Query(text, RandomEnv())
			if err != nil {
				t.Fatalf("%s\n%v", text, err)
			}
			return Text(got)
		}
		want := ask(events)
		if got := ask(rapid.Permutation(events).Draw(t, "order")); got != want {
			t.Fatalf("%s\n%s\nin another order\n%s", text, want, got)
		}
	})
}
