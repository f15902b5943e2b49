package segment

import (
	"testing"

	"cairn/engine/event"
)

// LoadAs puts the columns in order that are in use elsewhere, postings included, and no others.
func TestColumnsAreLoadedAsInAnotherReader(t *testing.T) {
	one := event.Event{Time: 1, Name: "a", User: "ann", Fields: []event.Field{{Name: "n", Value: event.Int(1)}, {Name: "s", Value: event.String("x")}}}
	other := event.Event{Time: 2, Name: "b", User: "ann", Fields: []event.Field{{Name: "m", Value: event.Int(1)}, {Name: "n", Value: event.Int(1)}, {Name: "s", Value: event.String("x")}}}
	hot := func(e event.Event) *Reader { return NewHot([]Input{inputOf([]event.Event{e}, testUsers, 77)}) }
	used, r := hot(one), hot(other)
	if _, err := used.Field("n").Dict(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := used.Event().Postings(0); err != nil {
		t.Fatal(err)
	}
	if err := r.LoadAs(used, func() {}); err != nil {
		t.Fatal(err)
	}
	loaded := map[string]bool{}
	for _, c := range r.hotColumns() {
		loaded[c.name] = c.loaded.Load()
		if want := c.ordinal == ordinalEvent; c.posted.Load() != want {
			t.Errorf("%s has its postings: %v", c.name, !want)
		}
	}
	if !loaded["n"] || !loaded[systemNames[ordinalEvent]] || loaded["s"] || loaded["m"] {
		t.Errorf("loaded: %v", loaded)
	}
	if err := r.LoadAs(r, func() {}); err != nil {
		t.Fatal(err)
	}
}
