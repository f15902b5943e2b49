package scalar

import (
	"math"
	"math/bits"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// arithmetic returns the function of an arithmetic operator, nil for the others.
func (c *compiler) arithmetic(op syntax.Op) func(a, b event.Value) event.Value {
	switch op {
	case syntax.OpAdd:
		return add
	case syntax.OpSub:
		return subtract
	case syntax.OpMul:
		return multiply
	case syntax.OpDiv:
		return divide
	case syntax.OpMod:
		return modulo
	}
	return nil
}

// pair is the kinds of two operands as one number to switch on, ints and floats being numbers.
type pair uint8

const (
	other pair = iota
	ints
	numbers
	timeTime
	timeDuration
	durationTime
	durations
	durationNumber
	numberDuration
)

func pairOf(a, b event.Value) pair {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == event.KindInt && kb == event.KindInt:
		return ints
	case a.IsNumber() && b.IsNumber():
		return numbers
	case ka == event.KindDuration:
		switch {
		case kb == event.KindDuration:
			return durations
		case kb == event.KindTime:
			return durationTime
		case b.IsNumber():
			return durationNumber
		}
	case ka == event.KindTime && kb == event.KindTime:
		return timeTime
	case ka == event.KindTime && kb == event.KindDuration:
		return timeDuration
	case a.IsNumber() && kb == event.KindDuration:
		return numberDuration
	}
	return other
}

// Finite makes a float value, or null when f is no finite number.
func Finite(f float64) event.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return event.Null
	}
	return event.Float(f)
}

func add(a, b event.Value) event.Value {
	sum, ok := addInts(a.AsInt(), b.AsInt())
	switch pairOf(a, b) {
	case ints:
		if ok {
			return event.Int(sum)
		}
		return event.Float(a.AsFloat() + b.AsFloat())
	case numbers:
		return Finite(a.AsFloat() + b.AsFloat())
	case timeDuration, durationTime:
		if ok {
			return event.Time(sum)
		}
	case durations:
		if ok {
			return event.Duration(sum)
		}
	}
	return event.Null
}

func subtract(a, b event.Value) event.Value {
	difference, ok := subtractInts(a.AsInt(), b.AsInt())
	switch pairOf(a, b) {
	case ints:
		if ok {
			return event.Int(difference)
		}
		return event.Float(a.AsFloat() - b.AsFloat())
	case numbers:
		return Finite(a.AsFloat() - b.AsFloat())
	case timeDuration:
		if ok {
			return event.Time(difference)
		}
	case timeTime, durations:
		if ok {
			return event.Duration(difference)
		}
	}
	return event.Null
}

func multiply(a, b event.Value) event.Value {
	switch pairOf(a, b) {
	case ints:
		if product, ok := multiplyInts(a.AsInt(), b.AsInt()); ok {
			return event.Int(product)
		}
		return Finite(a.AsFloat() * b.AsFloat())
	case numbers:
		return Finite(a.AsFloat() * b.AsFloat())
	case numberDuration:
		return multiply(b, a)
	case durationNumber:
		if b.Kind() == event.KindFloat {
			return durationOf(float64(a.AsInt()) * b.AsFloat())
		}
		if product, ok := multiplyInts(a.AsInt(), b.AsInt()); ok {
			return event.Duration(product)
		}
	}
	return event.Null
}

func divide(a, b event.Value) event.Value {
	switch pairOf(a, b) {
	case ints, numbers:
		if b.AsFloat() == 0 {
			return event.Null
		}
		return Finite(a.AsFloat() / b.AsFloat())
	case durations:
		if b.AsInt() == 0 {
			return event.Null
		}
		return event.Float(float64(a.AsInt()) / float64(b.AsInt()))
	case durationNumber:
		if b.AsFloat() == 0 {
			return event.Null
		}
		if b.Kind() == event.KindFloat {
			return durationOf(float64(a.AsInt()) / b.AsFloat())
		}
		return event.Duration(divideRounded(a.AsInt(), b.AsInt()))
	}
	return event.Null
}

func modulo(a, b event.Value) event.Value {
	switch pairOf(a, b) {
	case ints:
		if b.AsInt() != 0 {
			return event.Int(a.AsInt() % b.AsInt())
		}
	case numbers:
		return Finite(math.Mod(a.AsFloat(), b.AsFloat()))
	case durations:
		if b.AsInt() != 0 {
			return event.Duration(a.AsInt() % b.AsInt())
		}
	}
	return event.Null
}

func negate(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindInt:
		return subtract(event.Int(0), v)
	case event.KindFloat:
		return event.Float(-v.AsFloat())
	case event.KindDuration:
		return subtract(event.Duration(0), v)
	}
	return event.Null
}

// durationOf rounds nanoseconds to a duration, or to null when there is none.
func durationOf(nanos float64) event.Value {
	rounded := math.Round(nanos)
	if !(rounded >= -1<<63 && rounded < 1<<63) {
		return event.Null
	}
	return event.Duration(int64(rounded))
}

func addInts(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (a^sum)&(b^sum) >= 0
}

func subtractInts(a, b int64) (int64, bool) {
	difference := a - b
	return difference, (a^b)&(a^difference) >= 0
}

func multiplyInts(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(lo), lo <= 1<<63
	}
	return int64(lo), lo < 1<<63
}

// magnitude is |i|, also of the least integer.
func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

// divideRounded is a ÷ b rounded half away from zero; b is not 0.
func divideRounded(a, b int64) int64 {
	ma, mb := magnitude(a), magnitude(b)
	q, r := ma/mb, ma%mb
	if r >= mb-r {
		q++
	}
	if (a < 0) != (b < 0) {
		return -int64(q)
	}
	return int64(min(q, math.MaxInt64))
}

// Interpolate returns the value at the quantile q of n sorted values, of which at(i) is the i-th, by
// linear interpolation between closest ranks: numbers give a float, times and durations their kind.
// Null when n is 0.
func Interpolate(n int, q float64, at func(i int) event.Value) event.Value {
	if n == 0 {
		return event.Null
	}
	rank := float64(n-1) * q
	low := min(int(rank), n-1)
	fraction := rank - float64(low)
	a := at(low)
	b := a
	if fraction > 0 && low+1 < n {
		b = at(low + 1)
	}
	if a.IsNumber() {
		return Finite(Between(a.AsFloat(), b.AsFloat(), fraction))
	}
	distance := uint64(b.AsInt()) - uint64(a.AsInt()) // of ascending values, also where an int64 is too small
	step := uint64(math.Round(float64(distance) * fraction))
	return event.FromBits(a.Kind(), uint64(a.AsInt())+step, "")
}

// Between returns what lies a fraction of the way from a to b.
func Between(a, b, fraction float64) float64 {
	distance := b - a
	switch {
	case fraction == 0 || distance == 0:
		return a
	case math.IsInf(distance, 0):
		return a*(1-fraction) + b*fraction
	}
	return a + distance*fraction
}
