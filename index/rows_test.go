package index

import (
	"fmt"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

// drawn is a set in every form, beside what it must contain.
type drawn struct {
	set  Rows
	want []bool
}

func drawSet(t *rapid.T, rows int) drawn {
	d := drawn{want: make([]bool, rows)}
	bits := roaring.New()
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 0: // nothing
	case 1:
		for _, row := range rapid.SliceOfN(rapid.IntRange(0, rows-1), 0, 20).Draw(t, "few") {
			bits.Add(uint32(row))
		}
	case 2:
		from := rapid.IntRange(0, rows-1).Draw(t, "from")
		bits.AddRange(uint64(from), uint64(rapid.IntRange(from, rows).Draw(t, "to")))
	case 3:
		step := rapid.IntRange(1, 7).Draw(t, "step")
		for row := 0; row < rows; row += step {
			bits.Add(uint32(row))
		}
	}
	for row := range d.want {
		d.want[row] = bits.Contains(uint32(row))
	}
	d.set = Of(bits)
	if rapid.Bool().Draw(t, "plain") {
		words := d.set.spread(rows)
		d.set = Rows{words: words, size: countDense(words)}
	}
	if rapid.Bool().Draw(t, "not") {
		d.set = d.set.Invert()
		for row := range d.want {
			d.want[row] = !d.want[row]
		}
	}
	return d
}

func combine(a, b []bool, f func(a, b bool) bool) []bool {
	out := make([]bool, len(a))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

func and(a, b bool) bool { return a && b }

// rowsOf reads a set through an Iterator, from a block on.
func rowsOf(set Rows, rows, blockRows int) []bool {
	out := make([]bool, rows)
	it := NewIterator(set, rows, blockRows)
	var buffer []uint16
	for b := range (rows + blockRows - 1) / blockRows {
		selected, all := it.Block(b, buffer)
		from, to := b*blockRows, min((b+1)*blockRows, rows)
		if all && len(selected) == 0 {
			for row := from; row < to; row++ {
				out[row] = true
			}
			continue
		}
		for _, row := range selected {
			out[from+int(row)] = true
		}
		buffer = selected
	}
	return out
}

func (d drawn) check(t *rapid.T, what string, rows, blockRows int) {
	t.Helper()
	n := 0
	for _, in := range d.want {
		if in {
			n++
		}
	}
	if got := d.set.Count(rows); got != n {
		t.Fatalf("%s: %d rows, want %d", what, got, n)
	}
	if d.set.Empty() && n > 0 || d.set.Full() && n < rows {
		t.Fatalf("%s: empty %v, full %v with %d of %d rows", what, d.set.Empty(), d.set.Full(), n, rows)
	}
	if got := rowsOf(d.set, rows, blockRows); !slices.Equal(got, d.want) {
		t.Fatalf("%s: rows differ", what)
	}
}

func TestAlgebraAgainstSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 70_000).Draw(t, "rows")
		blockRows := rapid.SampledFrom([]int{4, 64, 1024, 1 << 16}).Draw(t, "block")
		if rows > 5000 {
			blockRows = max(blockRows, 1024)
		}
		a, b, c := drawSet(t, rows), drawSet(t, rows), drawSet(t, rows)
		a.check(t, "set", rows, blockRows)
		both := drawn{a.set.And(b.set), combine(a.want, b.want, and)}
		both.check(t, "and", rows, blockRows)
		drawn{a.set.Or(b.set), combine(a.want, b.want, func(a, b bool) bool { return a || b })}.check(t, "or", rows, blockRows)
		if got, want := a.set.AndCount(b.set, rows), both.set.Count(rows); got != want {
			t.Fatalf("AndCount %d, want %d", got, want)
		}
		sets := []Rows{a.set, b.set, c.set}
		slices.SortFunc(sets, func(a, b Rows) int { return a.SizeBytes() - b.SizeBytes() })
		all := drawn{Intersect(sets, rows), combine(both.want, c.want, and)}
		all.check(t, "intersect", rows, blockRows)
		if got, want := IntersectCount(sets, rows), all.set.Count(rows); got != want {
			t.Fatalf("IntersectCount %d, want %d", got, want)
		}
		bits, not := all.set.Bitmap()
		for row, want := range all.want {
			if in := bits != nil && bits.Contains(uint32(row)); in == not == want {
				t.Fatalf("Bitmap: row %d", row)
			}
		}
	})
}

// BenchmarkIntersectCount counts the rows of three sets of runs, as postings of session fields are.
func BenchmarkIntersectCount(b *testing.B) {
	const rows = 5 * 1 << 16
	for _, run := range []int{4, 16, 64} {
		b.Run(fmt.Sprintf("rows=320k/run=%d", run), func(b *testing.B) {
			var sets []Rows
			for offset := range 3 {
				bits := roaring.New()
				for from := offset; from+run <= rows; from += 4 * run {
					bits.AddRange(uint64(from), uint64(from+run))
				}
				bits.RunOptimize()
				sets = append(sets, Of(bits))
			}
			want := int(roaring.FastAnd(sets[0].bits, sets[1].bits, sets[2].bits).GetCardinality())
			b.ReportAllocs()
			for b.Loop() {
				if got := IntersectCount(sets, rows); got != want {
					b.Fatalf("%d rows, want %d", got, want)
				}
			}
		})
	}
}

func TestUnionAndBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 200_000).Draw(t, "rows")
		var sets []Rows
		want := map[int]bool{}
		for range rapid.IntRange(0, 4).Draw(t, "sets") {
			bits := roaring.New()
			for range rapid.IntRange(0, 50).Draw(t, "stretches") {
				from := rapid.IntRange(0, rows-1).Draw(t, "from")
				to := min(rows, from+rapid.SampledFrom([]int{1, 1, 5, 300, 9000}).Draw(t, "length"))
				bits.AddRange(uint64(from), uint64(to))
				for row := from; row < to; row++ {
					want[row] = true
				}
			}
			sets = append(sets, Of(bits))
		}
		union := Union(sets, rows)
		if union.Count(rows) != len(want) {
			t.Fatalf("%d rows, want %d", union.Count(rows), len(want))
		}
		origin := rapid.IntRange(0, rows-1).Draw(t, "origin")
		from := min(rows, origin+rapid.IntRange(0, 500).Draw(t, "from"))
		to := min(rows, from+rapid.IntRange(0, 60_000).Draw(t, "to"))
		got := union.AppendBetween([]uint16{7}, from, to, origin)
		var list []uint16
		for row := from; row < to; row++ {
			if want[row] {
				list = append(list, uint16(row-origin))
			}
		}
		if !union.Plain() || got[0] != 7 || !slices.Equal(got[1:], list) {
			t.Fatalf("[%d, %d) from %d: %d rows, want %d", from, to, origin, len(got)-1, len(list))
		}
	})
}
