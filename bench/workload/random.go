package workload

import "math"

// random is SplitMix64: small, fast, and the same for ever, whatever becomes of math/rand.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n).
func (r *random) below(n int) int { return int(r.next() >> 32 * uint64(n) >> 32) }

// float returns a number in [0, 1).
func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// exponential returns a positive number with mean 1, at most 16.
func (r *random) exponential() float64 { return min(16, -math.Log(1-r.float())) }

// alias draws numbers with given weights in constant time (Walker, Vose).
type alias struct {
	keep  []uint32 // of 1<<32
	other []uint32
}

func newAlias(weights []float64) alias {
	n := len(weights)
	a := alias{keep: make([]uint32, n), other: make([]uint32, n)}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	share := make([]float64, n)
	var small, large []int
	for i, w := range weights {
		share[i] = w * float64(n) / sum
		a.keep[i], a.other[i] = math.MaxUint32, uint32(i)
		if share[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.keep[s], a.other[s] = uint32(share[s]*math.MaxUint32), uint32(l)
		if share[l] -= 1 - share[s]; share[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a
}

// zipf gives number i the weight 1/(i+shift)^exponent.
func zipf(n int, shift, exponent float64) alias {
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = math.Pow(float64(i)+shift, -exponent)
	}
	return newAlias(weights)
}

func (a *alias) draw(r *random) int {
	x := r.next()
	i := x >> 32 * uint64(len(a.keep)) >> 32
	if uint32(x) <= a.keep[i] {
		return int(i)
	}
	return int(a.other[i])
}
