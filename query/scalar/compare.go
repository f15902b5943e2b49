package scalar

import (
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/query/syntax"
)

var utc = NewCalendar(time.UTC, time.Monday)

// Truth is whether a value passes as a condition.
func Truth(v event.Value) bool {
	if v.Kind() == event.KindList {
		return Elements(v, Truth)
	}
	return v.Kind() == event.KindBool && v.AsBool()
}

// Holds is the positive comparison a op b, op being = < <= > or >=.
func (c *Calendar) Holds(op syntax.Op, a, b event.Value) bool { return c.holds(op, a, b) }

func (c *Calendar) holds(op syntax.Op, a, b event.Value) bool {
	switch {
	case a.IsAbsent() || b.IsAbsent():
		return false
	case a.Kind() == event.KindList:
		return Elements(a, func(el event.Value) bool { return c.holds(op, el, b) })
	case b.Kind() == event.KindList:
		return Elements(b, func(el event.Value) bool { return c.holds(op, a, el) })
	}
	order, ok := c.order(a, b)
	return ok && ordered(op, order)
}

func ordered(op syntax.Op, order int) bool {
	switch op {
	case syntax.OpEq:
		return order == 0
	case syntax.OpLt:
		return order < 0
	case syntax.OpLe:
		return order <= 0
	case syntax.OpGt:
		return order > 0
	default:
		return order >= 0
	}
}

// order compares two values that are no lists; ok is false when they have no order.
func (c *Calendar) order(a, b event.Value) (order int, ok bool) {
	switch {
	case a.IsNumber() && b.IsNumber():
		return event.CompareNumbers(a, b), true
	case a.Kind() == b.Kind():
		return event.Compare(a, b), true
	case a.Kind() == event.KindTime && b.Kind() == event.KindString:
		nanos, ok := ParseTime(b.AsString(), c.location)
		return compareInts(a.AsInt(), nanos), ok
	case a.Kind() == event.KindString && b.Kind() == event.KindTime:
		nanos, ok := ParseTime(a.AsString(), c.location)
		return compareInts(nanos, b.AsInt()), ok
	}
	return 0, false
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// anyElement applies a test to a value, or to the elements of a list.
func anyElement(v event.Value, test func(event.Value) bool) bool {
	if v.Kind() != event.KindList {
		return test(v)
	}
	return Elements(v, func(el event.Value) bool { return anyElement(el, test) })
}

// textTest compiles contains, starts with and ends with.
func (c *compiler) textTest(e *syntax.Binary) (Test, bool, error) {
	x, fixedX, err := c.value(e.X)
	if err != nil {
		return nil, false, err
	}
	y, fixedY, err := c.value(e.Y)
	if err != nil {
		return nil, false, err
	}
	test := strings.Contains
	switch e.Op {
	case syntax.OpStartsWith:
		test = strings.HasPrefix
	case syntax.OpEndsWith:
		test = strings.HasSuffix
	}
	if e.Fold {
		plainTest := test
		test = func(s, part string) bool { return plainTest(strings.ToLower(s), part) }
	}
	pair := func(part event.Value) func(event.Value) bool {
		if part.Kind() != event.KindString {
			return func(event.Value) bool { return false }
		}
		text := part.AsString()
		if e.Fold {
			text = strings.ToLower(text)
		}
		return func(v event.Value) bool { return v.Kind() == event.KindString && test(v.AsString(), text) }
	}
	if fixedY && y(nil).Kind() != event.KindList {
		match := pair(y(nil))
		return func(row Row) bool { return anyElement(x(row), match) }, fixedX, nil
	}
	return func(row Row) bool {
		v := x(row)
		return anyElement(y(row), func(part event.Value) bool { return anyElement(v, pair(part)) })
	}, fixedX && fixedY, nil
}
