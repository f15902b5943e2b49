package exec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/query/scalar"
)

func TestQuantilesEqualThoseOfASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-5, 5), rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) })), 1, 400).Draw(t, "values")
		qs := []float64{0, 0.25, 0.5, 0.9, 0.95, 0.99, 1}
		var parts [2]quantileState
		for i, v := range values {
			parts[i%2].add(v)
		}
		parts[0].merge(&parts[1])
		got, ok := parts[0].quantiles(qs)
		if !ok {
			t.Fatal("no quantiles")
		}
		slices.Sort(values)
		for i, q := range qs {
			low, fraction := rankOf(q, len(values))
			want := scalar.Between(values[low], values[min(low+1, len(values)-1)], fraction)
			if got[i] != want {
				t.Fatalf("q=%v: %v, want %v", q, got[i], want)
			}
		}
	})
}

func TestSketchIsWithinItsErrorAndIndependentOfTheSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, QuantileExact+5000)
	for i := range values {
		values[i] = math.Exp(r.NormFloat64()*2) - 0.5
		if i%2 == 0 {
			values[i] = math.Round(values[i]) // some can be counted
		}
	}
	qs := []float64{0.01, 0.5, 0.9, 0.99, 0.999}
	var whole, first, second quantileState
	for i, v := range values {
		whole.add(v)
		if i%3 == 0 {
			first.add(v)
		} else {
			second.add(v)
		}
	}
	first.merge(&second)
	a, _ := whole.quantiles(qs)
	b, _ := first.quantiles(qs)
	if !slices.Equal(a, b) {
		t.Fatalf("split %v, whole %v", b, a)
	}
	slices.Sort(values)
	for i, q := range qs {
		want := values[int(q*float64(len(values)-1))]
		if math.Abs(a[i]-want) > SketchError*math.Abs(want)*1.0001 {
			t.Errorf("q=%v: %v, want %v within 1 %%", q, a[i], want)
		}
	}
}
