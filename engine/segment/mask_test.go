package segment

import (
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// What a reader that hides users says of the others is what one of a segment built without them says.
func TestWithoutIsASegmentBuiltWithout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inputs := inputsOf(t, drawEvents(t, 60))
		hidden := roaring.New()
		for _, id := range testUsers {
			if rapid.Bool().Draw(t, "hide") {
				hidden.Add(id)
			}
		}
		opt := BuildOptions{BlockRows: rapid.SampledFrom([]int{4, 16, 65536}).Draw(t, "block rows"), indexAll: rapid.Bool().Draw(t, "index all")}
		var r *Reader
		if rapid.Bool().Draw(t, "hot") {
			r = NewHot(inputs)
		} else {
			r = build(t, inputs, opt)
		}
		all, err := r.AllUsers()
		must(t, err)
		first := roaring.New()
		for _, id := range hidden.ToArray() {
			if rapid.Bool().Draw(t, "first") {
				first.Add(id)
			}
		}
		// NoUser is not hidden even if it is asked for.
		got := r.Without(first).Without(roaring.Or(hidden, roaring.BitmapOf(NoUser)))
		if after, err := r.AllUsers(); err != nil || !after.Equals(all) || r.HiddenUsers() != nil {
			t.Fatalf("the reader itself has changed: %v, %v", after, err)
		}
		opt.DropUsers = hidden
		wanted := build(t, inputs, opt)
		compareMasked(t, got, wanted)
	})
}

func build(t *rapid.T, inputs []Input, opt BuildOptions) *Reader {
	encoded, err := Build(inputs, opt)
	must(t, err)
	if len(encoded) == 0 {
		return NewHot(nil)
	}
	r, err := encoded[0].Reader()
	must(t, err)
	return r
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func compareMasked(t *rapid.T, got, wanted *Reader) {
	rows, err := got.HiddenRows()
	must(t, err)
	if rows == nil {
		rows = roaring.New()
	}
	if left := got.Len() - int(rows.GetCardinality()); left != wanted.Len() {
		t.Fatalf("%d rows are left, want %d", left, wanted.Len())
	}
	users, err := got.AllUsers()
	must(t, err)
	left, err := wanted.AllUsers()
	must(t, err)
	if !users.Equals(left) {
		t.Fatalf("users %v, want %v", users, left)
	}
	n, err := got.VisibleUsers()
	must(t, err)
	if n != int(left.GetCardinality()) {
		t.Fatalf("%d users, want %v", n, left)
	}
	events, err := got.VisibleEvents()
	must(t, err)
	var some []EventInfo
	for code, e := range events {
		who, err := got.EventUsers(uint32(code))
		must(t, err)
		if int(who.GetCardinality()) != e.Users {
			t.Fatalf("%s by %v, want %d", e.Name, who, e.Users)
		}
		has, err := got.HasEvent(e.Name)
		must(t, err)
		if has != (e.Rows > 0) {
			t.Fatalf("has %s: %v of %d rows", e.Name, has, e.Rows)
		}
		if e.Rows > 0 {
			some = append(some, e)
		}
	}
	if !slices.Equal(some, wanted.Info().Events) {
		t.Fatalf("events %v, want %v", some, wanted.Info().Events)
	}
	for _, c := range got.Fields() {
		has, err := got.HasField(c.Name())
		must(t, err)
		if has != (wanted.Field(c.Name()) != nil) {
			t.Fatalf("has field %s: %v", c.Name(), has)
		}
	}
	for _, id := range testUsers {
		from, to, err := got.UserRows(id)
		must(t, err)
		first, last, err := wanted.UserRows(id)
		must(t, err)
		if to-from != last-first || to > from && rows.IntersectsWithInterval(uint64(from), uint64(to)) {
			t.Fatalf("rows [%d, %d) of user %d, want %d", from, to, id, last-first)
		}
	}
}
