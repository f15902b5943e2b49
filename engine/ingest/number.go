package ingest

import (
	"math"
	"strconv"
	"unsafe"

	"cairn/engine/event"
)

var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads the JSON number at the beginning of data and returns its kind, its bits and its
// length; 0 is not a number, -1 one beyond float64. Whole numbers within int64 are integers, but
// -0, a longer one and whatever has a point or an exponent are floats.
func number(data []byte) (kind event.Kind, bits uint64, n int) {
	i := 0
	negative := len(data) > 0 && data[0] == '-'
	if negative {
		i = 1
	}
	var mantissa uint64
	start := i
	for i < len(data) {
		d := data[i] - '0'
		if d > 9 {
			break
		}
		mantissa = mantissa*10 + uint64(d)
		i++
	}
	digits := i - start
	if digits == 0 || digits > 1 && data[start] == '0' {
		return 0, 0, 0
	}
	if i == len(data) || data[i] != '.' && data[i]|0x20 != 'e' {
		if digits <= 18 && (mantissa != 0 || !negative) {
			if negative {
				mantissa = -mantissa
			}
			return event.KindInt, mantissa, i
		}
		return numberSlow(data[:i], mantissa != 0 || digits > 1)
	}
	exponent := 0
	if data[i] == '.' {
		i++
		start = i
		for i < len(data) {
			d := data[i] - '0'
			if d > 9 {
				break
			}
			mantissa = mantissa*10 + uint64(d)
			i++
		}
		exponent = start - i
		digits += i - start
		if i == start {
			return 0, 0, 0
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		start = i
		for i < len(data) && data[i]-'0' <= 9 {
			i++
		}
		if i == start {
			return 0, 0, 0
		}
		return numberSlow(data[:i], false)
	}
	// Both the mantissa and the power of ten are exact, so one division rounds correctly.
	if digits > 15 || exponent < -22 {
		return numberSlow(data[:i], false)
	}
	f := float64(mantissa) / powersOfTen[-exponent]
	if negative {
		f = -f
	}
	return event.KindFloat, math.Float64bits(f), i
}

func numberSlow(text []byte, whole bool) (kind event.Kind, bits uint64, n int) {
	t := unsafe.String(unsafe.SliceData(text), len(text))
	if whole {
		if i, err := strconv.ParseInt(t, 10, 64); err == nil {
			return event.KindInt, uint64(i), len(text)
		}
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return 0, 0, -1
	}
	return event.KindFloat, math.Float64bits(f), len(text)
}
