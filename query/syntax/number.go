package syntax

import (
	"errors"
	"math"
	"math/big"
	"strconv"

	"cairn/engine/event"
)

var errNotWhole = errors.New("not a whole number")

// parseCount reads a whole number written in digits.
func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errNotWhole
	}
	return n, nil
}

// elapsedNanos adds up the parts of a span exactly. Its second result says what is wrong, or is "".
func elapsedNanos(parts []spanPart, negative bool) (int64, string) {
	sum := new(big.Rat)
	for _, part := range parts {
		unit := part.unit.Elapsed()
		if unit == 0 {
			return 0, "has no fixed length, as months differ"
		}
		if len(part.number) > 40 {
			return 0, "is too long"
		}
		number, _ := new(big.Rat).SetString(part.number)
		sum.Add(sum, number.Mul(number, new(big.Rat).SetInt64(unit)))
	}
	if negative {
		sum.Neg(sum)
	}
	if !sum.IsInt() {
		return 0, "is finer than a nanosecond"
	}
	if !sum.Num().IsInt64() {
		return 0, "is too long"
	}
	return sum.Num().Int64(), ""
}

// literal reads the value of a number or span, with a minus in front or without.
func (p *parser) literal(t *token, negative bool) event.Value {
	sign := ""
	if negative {
		sign = "-"
	}
	switch t.kind {
	case tokenInt:
		n, err := strconv.ParseInt(sign+t.text, 10, 64)
		if err != nil {
			panic(Errorf(t.pos, "the integer %s is out of range", shorten(sign+t.text)).
				WithHint("with a point it is a float: %s.0", shorten(sign+t.text)))
		}
		return event.Int(n)
	case tokenFloat:
		f, err := strconv.ParseFloat(sign+t.text, 64)
		if err != nil || math.IsInf(f, 0) {
			panic(Errorf(t.pos, "the number %s is out of range", shorten(sign+t.text)))
		}
		return event.Float(f)
	}
	nanos, problem := elapsedNanos(t.span, negative)
	if problem != "" {
		e := Errorf(t.pos, "the duration %s %s", shorten(t.raw), problem)
		if t.span[0].unit > Week {
			e.Hint = "calendar units stand in last, bin and every"
		}
		panic(e)
	}
	return event.Duration(nanos)
}
