package exec

import (
	"math"
	"math/big"
	"math/bits"

	"cairn/engine/event"
)

// exactSum adds integers and floats without any rounding until the end, so its result does not
// depend on the order or on how the values were split into parts. The zero value is an empty sum.
//
// Values that fit are kept as a 128-bit integer in units of 2^-sumUnit; the rest (very large, very
// small, or a total about to overflow) goes to a wide accumulator that spans every float64.
type exactSum struct {
	hi     int64
	lo     uint64
	wide   *wideSum
	floats bool // a float was among the values: the result is a float
}

const (
	sumUnit     = 70 // a float of magnitude 2^-18 or more is a whole number of units
	sumLargest  = 1 << 50
	sumSmallest = 1.0 / (1 << 18)
)

func (s *exactSum) addInt(i int64) {
	if i >= 1<<(126-sumUnit) || i <= -1<<(126-sumUnit) {
		s.addInts(i, 1)
		return
	}
	// i in units is a multiple of 2^64.
	if s.hi += i << (sumUnit - 64); s.hi >= 1<<62 || s.hi < -1<<62 {
		s.spill()
	}
}

// addInts adds i count times.
func (s *exactSum) addInts(i int64, count uint64) {
	negative := i < 0
	magnitude := uint64(i)
	if negative {
		magnitude = -magnitude
	}
	high, low := bits.Mul64(magnitude, count)
	if high != 0 || low >= 1<<(126-sumUnit) {
		s.addWide(negative, high, low, wideZero)
		return
	}
	// low < 2^56: shifted by 70 it stays below 2^126.
	s.add128(negative, low<<(sumUnit-64), 0)
}

func (s *exactSum) addFloat(f float64) {
	s.floats = true
	b := math.Float64bits(f)
	exponent := int(b >> 52 & 0x7ff)
	mantissa := b&(1<<52-1) | 1<<52
	// value = mantissa * 2^(exponent-1075); in units: mantissa << shift
	shift := uint(exponent - 1075 + sumUnit)
	if shift > 73 { // magnitude of 2^56 and more, or below 2^-18 (shift wrapped around)
		s.addFloatWide(f, 1)
		return
	}
	var high, low uint64
	if shift < 64 {
		high, low = mantissa>>(64-shift), mantissa<<shift
	} else {
		high = mantissa << (shift - 64)
	}
	if int64(b) < 0 {
		var borrow uint64
		s.lo, borrow = bits.Sub64(s.lo, low, 0)
		s.hi -= int64(high) + int64(borrow)
	} else {
		var carry uint64
		s.lo, carry = bits.Add64(s.lo, low, 0)
		s.hi += int64(high) + int64(carry)
	}
	if s.hi >= 1<<62 || s.hi < -1<<62 {
		s.spill()
	}
}

// addFloats adds f count times.
func (s *exactSum) addFloats(f float64, count uint64) {
	if count == 1 {
		s.addFloat(f)
		return
	}
	s.floats = true
	s.addFloatWide(f, count)
}

func (s *exactSum) addFloatWide(f float64, count uint64) {
	if f == 0 {
		return
	}
	b := math.Float64bits(f)
	exponent := int(b >> 52 & 0x7ff)
	mantissa := b & (1<<52 - 1)
	if exponent == 0 {
		exponent = 1
	} else {
		mantissa |= 1 << 52
	}
	high, low := bits.Mul64(mantissa, count)
	s.addWide(int64(b) < 0, high, low, uint(exponent-1))
}

// add128 adds or subtracts a magnitude in units.
func (s *exactSum) add128(negative bool, high, low uint64) {
	var carry uint64
	if negative {
		s.lo, carry = bits.Sub64(s.lo, low, 0)
		s.hi -= int64(high) + int64(carry)
	} else {
		s.lo, carry = bits.Add64(s.lo, low, 0)
		s.hi += int64(high) + int64(carry)
	}
	if s.hi >= 1<<62 || s.hi < -1<<62 {
		s.spill()
	}
}

// spill moves the 128-bit total into the wide accumulator.
func (s *exactSum) spill() {
	hi, lo := uint64(s.hi), s.lo
	negative := s.hi < 0
	if negative {
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	s.hi, s.lo = 0, 0
	s.addWide(negative, hi, lo, wideZero-sumUnit)
}

func (s *exactSum) addWide(negative bool, high, low uint64, position uint) {
	if s.wide == nil {
		s.wide = new(wideSum)
	}
	s.wide.add(negative, high, low, position)
}

// merge adds another sum.
func (s *exactSum) merge(o *exactSum) {
	s.floats = s.floats || o.floats
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi += o.hi + int64(carry)
	if s.hi >= 1<<62 || s.hi < -1<<62 {
		s.spill()
	}
	if o.wide != nil {
		if s.wide == nil {
			s.wide = new(wideSum)
		}
		s.wide.merge(o.wide)
	}
}

// value returns the total: the exact integer if only integers were added and it fits int64, else
// the nearest float (null beyond the range of floats).
func (s *exactSum) value() event.Value {
	if s.wide == nil && s.lo == 0 && !s.floats {
		if whole := s.hi >> (sumUnit - 64); whole<<(sumUnit-64) == s.hi {
			return event.Int(whole)
		}
	}
	total := s.big()
	if !s.floats {
		whole := new(big.Int).Rsh(total, wideZero)
		if whole.IsInt64() {
			return event.Int(whole.Int64())
		}
	}
	return finite(nearest(total))
}

// float returns the total rounded once.
func (s *exactSum) float() float64 { return nearest(s.big()) }

// rat returns the exact total.
func (s *exactSum) rat() *big.Rat {
	return new(big.Rat).SetFrac(s.big(), new(big.Int).Lsh(big.NewInt(1), wideZero))
}

// big returns the exact total in units of 2^-wideZero.
func (s *exactSum) big() *big.Int {
	total := new(big.Int).SetInt64(s.hi)
	total.Lsh(total, 64).Add(total, new(big.Int).SetUint64(s.lo))
	total.Lsh(total, wideZero-sumUnit)
	if s.wide != nil {
		total.Add(total, s.wide.big())
	}
	return total
}

// nearest returns total * 2^-wideZero as the nearest float, infinite beyond the range.
func nearest(total *big.Int) float64 {
	if total.Sign() == 0 {
		return 0
	}
	x := new(big.Float).SetPrec(uint(max(64, total.BitLen()))).SetInt(total)
	x.SetMantExp(x, -wideZero)
	f, _ := x.Float64()
	return f
}

// finite makes a value of f, null if it is not finite.
func finite(f float64) event.Value {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return event.Null
	}
	return event.Float(f)
}

// wideSum is a two's complement integer in units of 2^-1074, the smallest float64; wideWords words
// hold 2^64 times the largest.
type wideSum [wideWords]uint64

const (
	wideZero  = 1074 // the position of bit 2^0
	wideWords = 36
)

// add adds or subtracts the 128-bit magnitude shifted left by position.
func (w *wideSum) add(negative bool, high, low uint64, position uint) {
	word, shift := position/64, position%64
	parts := [3]uint64{low << shift, high << shift, 0}
	if shift > 0 {
		parts[1] |= low >> (64 - shift)
		parts[2] = high >> (64 - shift)
	}
	var carry uint64
	for i := word; i < wideWords; i++ {
		var part uint64
		if i-word < 3 {
			part = parts[i-word]
		} else if carry == 0 {
			return
		}
		if negative {
			w[i], carry = bits.Sub64(w[i], part, carry)
		} else {
			w[i], carry = bits.Add64(w[i], part, carry)
		}
	}
}

func (w *wideSum) merge(o *wideSum) {
	var carry uint64
	for i := range w {
		w[i], carry = bits.Add64(w[i], o[i], carry)
	}
}

func (w *wideSum) big() *big.Int {
	words := *w
	negative := int64(words[wideWords-1]) < 0
	if negative {
		carry := uint64(1)
		for i := range words {
			words[i], carry = bits.Add64(^words[i], 0, carry)
		}
	}
	total := new(big.Int)
	for i := wideWords - 1; i >= 0; i-- {
		total.Lsh(total, 64)
		total.Or(total, new(big.Int).SetUint64(words[i]))
	}
	if negative {
		total.Neg(total)
	}
	return total
}
