package segment

import "math"

// decimals finds the smallest power of ten that turns every float into an integer from which it
// comes back bit for bit. ok is false if there is none.
func decimals(nums []uint64) (ints []uint64, exp uint8, ok bool) {
	// A few values settle the exponent in nearly all cases; the rest only raise it.
	for _, b := range nums {
		for ; !isDecimal(b, exp); exp++ {
			if exp == maxDecimalExp {
				return nil, 0, false
			}
		}
	}
	for {
		ints = make([]uint64, len(nums))
		good := true
		for i, b := range nums {
			n, ok := toDecimal(b, exp)
			if !ok {
				good = false
				break
			}
			ints[i] = uint64(n)
		}
		if good {
			return ints, exp, true
		}
		if exp++; exp > maxDecimalExp {
			return nil, 0, false
		}
	}
}

func isDecimal(bits uint64, exp uint8) bool {
	_, ok := toDecimal(bits, exp)
	return ok
}

func toDecimal(bits uint64, exp uint8) (int64, bool) {
	const limit = 1 << 53
	scaled := math.Float64frombits(bits) * pow10[exp]
	if !(scaled > -limit && scaled < limit) {
		return 0, false
	}
	n := int64(math.Round(scaled))
	return n, math.Float64bits(float64(n)/pow10[exp]) == bits
}
