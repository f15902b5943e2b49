package postings

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawSet draws members below limit: scattered, dense or in runs.
func drawSet(t *rapid.T, limit uint32) []uint32 {
	var out []uint32
	gapMax := rapid.SampledFrom([]uint32{0, 1, 3, 100, 5000}).Draw(t, "gap")
	lengthMax := rapid.SampledFrom([]uint32{1, 2, 500}).Draw(t, "length")
	next := uint32(0)
	for range rapid.IntRange(0, 300).Draw(t, "runs") {
		next += rapid.Uint32Range(0, gapMax).Draw(t, "g")
		for range rapid.Uint32Range(1, lengthMax).Draw(t, "l") {
			if next >= limit {
				return out
			}
			out = append(out, next)
			next++
		}
	}
	return out
}

func runsOf(members []uint32) (firsts, ends []uint32) {
	for i, m := range members {
		if i > 0 && m == members[i-1]+1 {
			ends[len(ends)-1]++
			continue
		}
		firsts, ends = append(firsts, m), append(ends, m+1)
	}
	return firsts, ends
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]uint32{10, 1 << 16, 1 << 20}).Draw(t, "limit")
		var b Builder
		var sets [][]uint32
		for range rapid.IntRange(0, 5).Draw(t, "sets") {
			set := drawSet(t, limit)
			sets = append(sets, set)
			if rapid.Bool().Draw(t, "as runs") {
				b.AddRuns(runsOf(set))
				continue
			}
			b.Add(set)
		}
		table, err := Open(b.Bytes(), len(sets), uint64(limit))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range sets {
			got, err := table.Set(i)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.ToArray(), want) && len(want) > 0 || table.Count(i) != len(want) {
				t.Fatalf("set %d: got %v, want %v", i, got.ToArray(), want)
			}
		}
	})
}

func TestMembersBeyondLimit(t *testing.T) {
	var b Builder
	b.Add([]uint32{1, 5, 9})
	for _, limit := range []uint64{0, 2, 9} {
		table, err := Open(b.Bytes(), 1, limit)
		if err == nil {
			_, err = table.Set(0)
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	var b Builder
	b.Add([]uint32{3, 4, 9})
	b.Add([]uint32{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 100})
	dense := make([]uint32, 30000)
	for i := range dense {
		dense[i] = uint32(i*2 + i%3/2)
	}
	b.Add(dense)
	f.Add(b.Bytes(), 3)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		table, err := Open(data, n&0xFFFF, 1<<16)
		if err != nil {
			return
		}
		for i := range table.Len() {
			if set, err := table.Set(i); err == nil && !set.IsEmpty() && set.Maximum() >= 1<<16 {
				t.Fatal("a member beyond the limit")
			}
		}
	})
}
