package scalar

import (
	"math"
	"strconv"
	"strings"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// realFunction makes a function of numbers from one of floats.
func realFunction(f func(float64) float64) func(event.Value) event.Value {
	return func(v event.Value) event.Value {
		if !v.IsNumber() {
			return event.Null
		}
		return Finite(f(v.AsFloat()))
	}
}

// whole makes an integer of a whole float, or leaves it a float when it does not fit.
func whole(f float64) event.Value {
	if f >= -1<<63 && f < 1<<63 {
		return event.Int(int64(f))
	}
	return Finite(f)
}

func floor(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindInt:
		return v
	case event.KindFloat:
		return whole(math.Floor(v.AsFloat()))
	}
	return event.Null
}

func ceil(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindInt:
		return v
	case event.KindFloat:
		return whole(math.Ceil(v.AsFloat()))
	}
	return event.Null
}

func absolute(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindInt, event.KindDuration:
		if v.AsInt() < 0 {
			return negate(v)
		}
		return v
	case event.KindFloat:
		return event.Float(math.Abs(v.AsFloat()))
	}
	return event.Null
}

// round rounds to a number of decimals, which may be negative: round(1234, -2) is 1200.
func round(v, digits event.Value) event.Value {
	d := digits.Canonical()
	if !v.IsNumber() || d.Kind() != event.KindInt {
		return event.Null
	}
	n := max(-400, min(400, d.AsInt()))
	if v.Kind() == event.KindInt {
		return roundInt(v, n)
	}
	f := v.AsFloat()
	switch {
	case n == 0:
		return whole(math.Round(f))
	case n < 0:
		unit := math.Pow(10, float64(-n))
		if math.IsInf(unit, 0) {
			return event.Int(0)
		}
		return whole(math.Round(f/unit) * unit)
	}
	unit := math.Pow(10, float64(n))
	scaled := f * unit
	if math.Abs(scaled) >= 1<<52 || math.IsInf(unit, 0) {
		return v // it has no digits beyond those
	}
	return Finite(math.Round(scaled) / unit)
}

func roundInt(v event.Value, digits int64) event.Value {
	if digits >= 0 {
		return v
	}
	if digits < -18 {
		return event.Int(0)
	}
	unit := int64(1)
	for ; digits < 0; digits++ {
		unit *= 10
	}
	return multiply(event.Int(divideRounded(v.AsInt(), unit)), event.Int(unit))
}

func power(a, b event.Value) event.Value {
	if !a.IsNumber() || !b.IsNumber() {
		return event.Null
	}
	if a.Kind() == event.KindInt && b.Kind() == event.KindInt && b.AsInt() >= 0 {
		if i, ok := powerInt(a.AsInt(), b.AsInt()); ok {
			return event.Int(i)
		}
	}
	return Finite(math.Pow(a.AsFloat(), b.AsFloat()))
}

func powerInt(base, exponent int64) (int64, bool) {
	switch base {
	case 0, 1:
		if exponent == 0 {
			return 1, true
		}
		return base, true
	case -1:
		return 1 - 2*(exponent&1), true
	}
	result := int64(1)
	for range exponent {
		var ok bool
		if result, ok = multiplyInts(result, base); !ok {
			return 0, false // after 63 rounds at the latest
		}
	}
	return result, true
}

// number is num(x).
func number(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindInt, event.KindFloat:
		return v
	case event.KindBool:
		return event.Int(int64(v.Bits()))
	case event.KindTime, event.KindDuration:
		if v.AsInt()%1e9 == 0 {
			return event.Int(v.AsInt() / 1e9)
		}
		return event.Float(float64(v.AsInt()) / 1e9)
	case event.KindString:
		s := strings.TrimSpace(v.AsString())
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return event.Int(i)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "xX_") {
			return Finite(f)
		}
	}
	return event.Null
}

// bucketWidth is bucket(x, width).
func bucketWidth(x, width event.Value) event.Value {
	switch pairOf(x, width) {
	case ints, durations:
		w := width.AsInt()
		if w <= 0 {
			return event.Null
		}
		edge := floorDiv(x.AsInt(), w)
		if product, ok := multiplyInts(edge, w); ok {
			return event.FromBits(x.Kind(), uint64(product), "")
		}
	case numbers:
		if w := width.AsFloat(); w > 0 {
			return newStep(w).bucket(x)
		}
	}
	return event.Null
}

// bucket is bucket(x, width) of numbers, of which one is a float.
func (s step) bucket(x event.Value) event.Value { return Finite(s.edge(s.number(x.AsFloat()))) }

// bucket compiles bucket(x, width).
func (c *compiler) bucket(e *syntax.Call) (Func, bool, error) {
	width, fixed, err := c.value(e.Args[1])
	if err != nil {
		return nil, false, err
	}
	if fixed {
		if w := width(nil); w.Kind() == event.KindFloat && w.AsFloat() > 0 {
			s := newStep(w.AsFloat())
			return c.apply1(e.Args[0], func(x event.Value) event.Value {
				if !x.IsNumber() {
					return event.Null
				}
				return s.bucket(x)
			})
		}
	}
	return c.apply2(e.Args[0], e.Args[1], bucketWidth)
}

// bucketEdges compiles bucket(x, e1, e2, …).
func (c *compiler) bucketEdges(e *syntax.Call) (Func, bool, error) {
	var edges []event.Value
	for i, arg := range e.Args[1:] {
		f, fixed, err := c.value(arg)
		if err != nil {
			return nil, false, err
		}
		if !fixed {
			return nil, false, syntax.Errorf(arg.Position(), "expected a constant edge of bucket")
		}
		edge := f(nil)
		if !edge.IsNumber() && edge.Kind() != event.KindDuration {
			return nil, false, syntax.Errorf(arg.Position(), "expected a number or a duration as edge of bucket")
		}
		if i > 0 && (edge.IsNumber() != edges[0].IsNumber() || !c.calendar.holds(syntax.OpLt, edges[i-1], edge)) {
			return nil, false, syntax.Errorf(arg.Position(), "expected edges of one kind in ascending order")
		}
		edges = append(edges, edge)
	}
	labels := make([]event.Value, len(edges)+1)
	labels[0] = event.String("<" + edgeText(edges[0]))
	for i := 1; i < len(edges); i++ {
		labels[i] = event.String(edgeText(edges[i-1]) + ".." + edgeText(edges[i]))
	}
	labels[len(edges)] = event.String(">=" + edgeText(edges[len(edges)-1]))
	number := edges[0].IsNumber()
	return c.apply1(e.Args[0], func(v event.Value) event.Value {
		if v.IsNumber() != number || !number && v.Kind() != event.KindDuration {
			return event.Null
		}
		return labels[Edge(edges, v)+1]
	})
}

// Edge returns the number of the last edge that is not above v, or -1 when v is below all of them;
// the edges ascend and are of v's kind.
func Edge(edges []event.Value, v event.Value) int {
	n := 0
	for n < len(edges) {
		above := event.Compare(edges[n], v) > 0
		if v.IsNumber() {
			above = event.CompareNumbers(edges[n], v) > 0
		}
		if above {
			break
		}
		n++
	}
	return n - 1
}

// edgeText writes an edge as a query would.
func edgeText(v event.Value) string {
	if v.Kind() == event.KindDuration {
		return durationText(v.AsInt())
	}
	return numberText(v)
}

// durationText writes a duration in the largest unit that leaves no rest.
func durationText(nanos int64) string {
	for _, u := range [...]syntax.Unit{syntax.Day, syntax.Hour, syntax.Minute, syntax.Second, syntax.Millisecond, syntax.Microsecond} {
		if nanos != 0 && nanos%u.Elapsed() == 0 {
			return strconv.FormatInt(nanos/u.Elapsed(), 10) + u.String()
		}
	}
	if nanos == 0 {
		return "0s"
	}
	return strconv.FormatInt(nanos, 10) + "ns"
}

// numberText writes a number; a whole float as the integer that it equals.
func numberText(v event.Value) string {
	v = v.Canonical()
	if v.Kind() == event.KindInt {
		return strconv.FormatInt(v.AsInt(), 10)
	}
	return string(event.AppendFloat(nil, v.AsFloat()))
}
