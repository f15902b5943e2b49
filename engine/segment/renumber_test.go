package segment

import (
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// A renumbered copy has the rows of the users under their new numbers, and Without has the others.
func TestRenumber(tb *testing.T) {
	rapid.Check(tb, func(t *rapid.T) {
		events := drawEvents(t, 60)
		inputs := inputsOf(t, events)
		reader := NewHot(inputs)
		if rapid.Bool().Draw(t, "sealed") {
			encoded, err := Build(inputs, BuildOptions{BlockRows: 8, indexAll: rapid.Bool().Draw(t, "index")})
			if err != nil {
				t.Fatal(err)
			}
			if reader, err = encoded[0].Reader(); err != nil {
				t.Fatal(err)
			}
		}
		to := map[uint32]uint32{}
		users := roaring.New()
		for _, user := range testUsers {
			if rapid.Bool().Draw(t, "moves") {
				to[user] = rapid.SampledFrom([]uint32{1, 2, 5, 9, 70001}).Draw(t, "to")
				users.Add(user)
			}
		}
		encoded, err := reader.Renumber(users, func(user uint32) uint32 { return to[user] }, BuildOptions{BlockRows: 4})
		if err != nil {
			t.Fatal(err)
		}
		var want []stored
		for _, s := range wanted(events) {
			if users.Contains(s.user) {
				s.user = to[s.user]
				want = append(want, s)
			}
		}
		slices.SortStableFunc(want, byUserTime)
		var got []stored
		for _, e := range encoded {
			r, err := e.Reader()
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Verify(); err != nil {
				t.Fatal(err)
			}
			got = append(got, contentOf(tb, r)...)
		}
		sameRows(t, got, want)
	})
}
