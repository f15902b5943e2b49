package query_test

import (
	"context"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query"
	"cairn/query/querytest"
)

// hiding is a source some users of which are hidden. Where a hidden user was moved to another one, his
// events are in a reader of their own, under the other's number.
type hiding struct {
	query.Source
	hidden *roaring.Bitmap
	moved  *segment.Reader // may be nil
}

// Segments implements query.Source.
func (h *hiding) Segments(ctx context.Context, r event.TimeRange) ([]*segment.Reader, error) {
	readers, err := h.Source.Segments(ctx, r)
	for i := range readers {
		readers[i] = readers[i].Without(h.hidden)
	}
	if h.moved != nil {
		readers = append(readers, h.moved)
	}
	return readers, err
}

// UserID implements query.Source.
func (h *hiding) UserID(name string) (uint32, bool, error) {
	id, ok, err := h.Source.UserID(name)
	if h.hidden.Contains(id) {
		return 0, false, err
	}
	return id, ok, err
}

// UserNames implements query.Source.
func (h *hiding) UserNames(ids []uint32) ([]string, error) {
	names, err := h.Source.UserNames(ids)
	for i, id := range ids {
		if h.hidden.Contains(id) {
			names[i] = ""
		}
	}
	return names, err
}

// drawHidden draws users of events to be hidden, and for some of them whose their events become; what
// is left are the events that a query is to see.
func drawHidden(t *rapid.T, events []event.Event) (hidden map[string]bool, moved map[string]string, visible []event.Event) {
	var users []string
	for _, e := range events {
		if e.User != "" && !slices.Contains(users, e.User) {
			users = append(users, e.User)
		}
	}
	hidden, moved = map[string]bool{}, map[string]string{}
	var kept []string
	for _, u := range users {
		if hidden[u] = rapid.Bool().Draw(t, "hide "+u); !hidden[u] {
			kept = append(kept, u)
		}
	}
	if len(kept) > 0 && rapid.Bool().Draw(t, "move") {
		for _, u := range users {
			if hidden[u] && rapid.Bool().Draw(t, "move "+u) {
				moved[u] = rapid.SampledFrom(kept).Draw(t, "to")
			}
		}
	}
	for _, e := range events {
		if to, ok := moved[e.User]; ok {
			e.User = to
		}
		if !hidden[e.User] {
			visible = append(visible, e)
		}
	}
	return hidden, moved, visible
}

func newHiding(t *rapid.T, events []event.Event, hidden map[string]bool, moved map[string]string, opt query.MemoryOptions) query.Source {
	source, err := query.MemoryWith(events, opt)
	if err != nil {
		t.Fatal(err)
	}
	number := func(user string) uint32 {
		id, _, err := source.UserID(user)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	h := &hiding{Source: source, hidden: roaring.New()}
	for user := range hidden {
		if hidden[user] {
			h.hidden.Add(number(user))
		}
	}
	var b column.Builder
	var arrivals []int64
	for _, e := range events {
		if to, ok := moved[e.User]; ok {
			e.User = to
			b.AppendEvent(&e)
			arrivals = append(arrivals, e.Received)
		}
	}
	if len(arrivals) > 0 {
		batch := b.Finish()
		batch.Received = arrivals
		users := make([]uint32, batch.User.Dict.Len())
		for i := range users {
			users[i] = number(batch.User.Dict.String(uint32(i)))
		}
		h.moved = segment.NewHot([]segment.Input{{Batch: batch, Users: users}})
	}
	return h
}

// Hidden rows have no part in any answer: queries see what they would if those had never been, or had been
// the events of others.
func TestHiddenUsersAreLeftOut(t *testing.T) {
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
		hidden, moved, visible := drawHidden(t, events)
		var reference querytest.Reference
		reference.Load(nil, visible)
		want, wantErr := reference.Query(text, env)
		source := newHiding(t, events, hidden, moved, drawLayout(t))
		for range 2 {
			got, gotErr := query.Run(context.Background(), source, text, withEnv(drawOptions(t), env))
			if diff := querytest.Difference(want, wantErr, got, gotErr); diff != "" {
				t.Fatalf("%shidden %v, moved %v\n%s\n%s", querytest.EventText(events), hidden, moved, text, diff)
			}
			if wantErr == nil && !slices.Equal(want.Meta.Warnings, got.Meta.Warnings) {
				t.Fatalf("%s\nwarnings %q, want %q", text, got.Meta.Warnings, want.Meta.Warnings)
			}
		}
	})
}
