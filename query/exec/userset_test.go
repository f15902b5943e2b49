package exec

import (
	"maps"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

func TestIDSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.SampledFrom([]int{1, 40, 3000, 100000}).Draw(t, "bound")
		ids := rapid.SliceOfN(rapid.Uint32Range(0, uint32(bound-1)), 0, 3000)
		var a, b idSet
		want := map[uint32]bool{}
		for _, id := range ids.Draw(t, "a") {
			a.add(id, bound)
			want[id] = true
		}
		for _, id := range ids.Draw(t, "b") {
			b.add(id, bound)
			want[id] = true
		}
		more := ids.Draw(t, "bitmap")
		b.addBitmap(roaring.BitmapOf(more...), bound)
		for _, id := range more {
			want[id] = true
		}
		a.merge(&b, bound)
		whole := roaring.New()
		whole.AddRange(uint64(bound/3), uint64(bound/2))
		a.addBitmap(whole, bound)
		for id := range roaring.Values(whole) {
			want[id] = true
		}
		var got []uint32
		a.each(func(id uint32) { got = append(got, id) })
		if !slices.Equal(got, slices.Sorted(maps.Keys(want))) || a.count() != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
