package scalar

import "math"

// step cuts the numbers into buckets of one width. Edges are the floats nearest to the multiples of
// the width as it is written in decimal: the third of 0.1 is 0.3, and 0.3 lies in its bucket.
type step struct {
	width        float64
	units, scale float64 // width = units ÷ scale, both without rounding where there are such
}

// newStep makes the step of a width above 0.
func newStep(width float64) step {
	const exactMax, scaleMax = 1 << 40, 1e15
	for scale := 1.0; scale <= scaleMax; scale *= 10 {
		if units := math.Round(width * scale); units >= 1 && units < exactMax && units/scale == width {
			return step{width, units, scale}
		}
	}
	return step{width, width, 1}
}

// edge returns the lower edge of a bucket by its number.
func (s step) edge(number float64) float64 { return number * s.units / s.scale }

// number returns the number of the bucket that x lies in.
func (s step) number(x float64) float64 {
	n := math.Floor(x / s.width)
	switch {
	case s.edge(n) > x:
		return n - 1
	case s.edge(n+1) <= x:
		return n + 1
	}
	return n
}
