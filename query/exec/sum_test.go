package exec

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestExactSumIsExactInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floats := rapid.SliceOf(rapid.OneOf(
			rapid.Float64(),
			rapid.Float64Range(-1e6, 1e6),
			rapid.Float64Range(-1e-6, 1e-6),
			rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.3, 1e300, -1e300, 5e-324, 1 << 56, 1<<56 + 16, 1.0 / (1 << 18), math.MaxFloat64, -math.MaxFloat64}),
		)).Draw(t, "floats")
		ints := rapid.SliceOf(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000))).Draw(t, "ints")
		times := rapid.Uint64Range(1, 1<<40).Draw(t, "times")
		want := new(big.Rat)
		var parts [3]exactSum
		for i, f := range floats {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				continue
			}
			r := new(big.Rat).SetFloat64(f)
			if i%5 == 0 {
				parts[i%3].addFloats(f, times)
				r.Mul(r, new(big.Rat).SetInt(new(big.Int).SetUint64(times)))
			} else {
				parts[i%3].addFloat(f)
			}
			want.Add(want, r)
		}
		for i, n := range ints {
			r := new(big.Rat).SetInt64(n)
			if i%5 == 0 {
				parts[i%3].addInts(n, times)
				r.Mul(r, new(big.Rat).SetInt(new(big.Int).SetUint64(times)))
			} else {
				parts[i%3].addInt(n)
			}
			want.Add(want, r)
		}
		total := parts[1]
		total.merge(&parts[2])
		total.merge(&parts[0])
		if got := total.rat(); got.Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", got, want)
		}
		wantFloat, _ := want.Float64()
		if got := total.float(); got != wantFloat {
			t.Fatalf("rounded %v, want %v", got, wantFloat)
		}
	})
}

func BenchmarkExactSum(b *testing.B) {
	values := make([]float64, 1024)
	for i := range values {
		values[i] = float64(i*37%9999) / 100
	}
	var s exactSum
	for b.Loop() {
		for _, f := range values {
			s.addFloat(f)
		}
	}
	b.SetBytes(8 * 1024)
}
