package scalar

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// Compile turns an expression into a function of a row. What does not depend on the row is worked out
// once. An error is a *syntax.Error or what Env.Bind returned.
func Compile(e syntax.Expr, env *Env) (Func, error) {
	c := newCompiler(env)
	f, _, err := c.value(e)
	return f, err
}

// CompileTest turns a condition into a test of a row.
func CompileTest(e syntax.Expr, env *Env) (Test, error) {
	c := newCompiler(env)
	t, _, err := c.test(e)
	return t, err
}

type compiler struct {
	env      *Env
	calendar *Calendar
}

func newCompiler(env *Env) *compiler {
	c := &compiler{env: env, calendar: env.Calendar}
	if c.calendar == nil {
		c.calendar = utc
	}
	return c
}

// value compiles for the value; fixed says that it does not depend on the row.
func (c *compiler) value(e syntax.Expr) (f Func, fixed bool, err error) {
	f, fixed, err = c.valueOf(e)
	if err != nil || !fixed {
		return f, fixed, err
	}
	v := f(nil)
	return func(Row) event.Value { return v }, true, nil
}

func (c *compiler) valueOf(e syntax.Expr) (Func, bool, error) {
	switch e := e.(type) {
	case *syntax.Literal:
		v := e.Value
		return func(Row) event.Value { return v }, true, nil
	case *syntax.Column, *syntax.Did, *syntax.FirstTime, *syntax.Agg:
		slot, err := c.env.Bind(e)
		if err != nil {
			return nil, false, err
		}
		return func(row Row) event.Value { return row.Value(slot) }, false, nil
	case *syntax.Unary:
		if e.Op == syntax.OpNeg {
			return c.apply1(e.X, negate)
		}
	case *syntax.Binary:
		if op := c.arithmetic(e.Op); op != nil {
			return c.apply2(e.X, e.Y, op)
		}
	case *syntax.Bin:
		bins := c.calendar.Bins(e.Span, c.env.Range.From)
		return c.apply1(e.X, func(v event.Value) event.Value {
			if v.Kind() != event.KindTime {
				return event.Null
			}
			return event.Time(bins.Start(v.AsInt()))
		})
	case *syntax.Call:
		return c.call(e)
	}
	t, fixed, err := c.test(e)
	if err != nil {
		return nil, false, err
	}
	return func(row Row) event.Value { return event.Bool(t(row)) }, fixed, nil
}

func (c *compiler) apply1(x syntax.Expr, op func(event.Value) event.Value) (Func, bool, error) {
	fx, fixed, err := c.value(x)
	if err != nil {
		return nil, false, err
	}
	return func(row Row) event.Value { return op(fx(row)) }, fixed, nil
}

func (c *compiler) apply2(x, y syntax.Expr, op func(a, b event.Value) event.Value) (Func, bool, error) {
	fx, fixedX, err := c.value(x)
	if err != nil {
		return nil, false, err
	}
	fy, fixedY, err := c.value(y)
	if err != nil {
		return nil, false, err
	}
	if fixedY && !fixedX {
		b := fy(nil)
		return func(row Row) event.Value { return op(fx(row), b) }, false, nil
	}
	return func(row Row) event.Value { return op(fx(row), fy(row)) }, fixedX && fixedY, nil
}

// values compiles a list of arguments.
func (c *compiler) values(list []syntax.Expr) (fs []Func, fixed bool, err error) {
	fixed = true
	for _, e := range list {
		f, fx, err := c.value(e)
		if err != nil {
			return nil, false, err
		}
		fs = append(fs, f)
		fixed = fixed && fx
	}
	return fs, fixed, nil
}

// test compiles for the truth.
func (c *compiler) test(e syntax.Expr) (t Test, fixed bool, err error) {
	t, fixed, err = c.testOf(e)
	if err != nil || !fixed {
		return t, fixed, err
	}
	b := t(nil)
	return func(Row) bool { return b }, true, nil
}

func (c *compiler) testOf(e syntax.Expr) (Test, bool, error) {
	switch e := e.(type) {
	case *syntax.Unary:
		if e.Op == syntax.OpNot {
			t, fixed, err := c.test(e.X)
			if err != nil {
				return nil, false, err
			}
			return func(row Row) bool { return !t(row) }, fixed, nil
		}
	case *syntax.Binary:
		switch e.Op {
		case syntax.OpAnd, syntax.OpOr:
			return c.junction(e)
		case syntax.OpEq, syntax.OpNe, syntax.OpLt, syntax.OpLe, syntax.OpGt, syntax.OpGe:
			return c.comparison(e)
		case syntax.OpContains, syntax.OpStartsWith, syntax.OpEndsWith:
			return c.textTest(e)
		}
	case *syntax.Regex:
		return c.regex(e)
	case *syntax.In:
		return c.in(e)
	case *syntax.UserIn:
		slot, err := c.env.Bind(e)
		if err != nil {
			return nil, false, err
		}
		not := e.Not
		return func(row Row) bool { return Truth(row.Value(slot)) != not }, false, nil
	case *syntax.Call:
		if e.Name == "exists" {
			f, fixed, err := c.value(e.Args[0])
			if err != nil {
				return nil, false, err
			}
			return func(row Row) bool { return f(row).Exists() }, fixed, nil
		}
	}
	f, fixed, err := c.value(e)
	if err != nil {
		return nil, false, err
	}
	return func(row Row) bool { return Truth(f(row)) }, fixed, nil
}

func (c *compiler) junction(e *syntax.Binary) (Test, bool, error) {
	x, fixedX, err := c.test(e.X)
	if err != nil {
		return nil, false, err
	}
	y, fixedY, err := c.test(e.Y)
	if err != nil {
		return nil, false, err
	}
	if e.Op == syntax.OpAnd {
		return func(row Row) bool { return x(row) && y(row) }, fixedX && fixedY, nil
	}
	return func(row Row) bool { return x(row) || y(row) }, fixedX && fixedY, nil
}

// comparison compiles = != < <= > >=.
func (c *compiler) comparison(e *syntax.Binary) (Test, bool, error) {
	if e.Op == syntax.OpEq || e.Op == syntax.OpNe {
		for _, side := range [2][2]syntax.Expr{{e.X, e.Y}, {e.Y, e.X}} {
			if isNullLiteral(side[0]) {
				f, fixed, err := c.value(side[1])
				if err != nil {
					return nil, false, err
				}
				wanted := e.Op == syntax.OpNe
				return func(row Row) bool { return f(row).Exists() == wanted }, fixed, nil
			}
		}
	}
	x, fixedX, err := c.value(e.X)
	if err != nil {
		return nil, false, err
	}
	y, fixedY, err := c.value(e.Y)
	if err != nil {
		return nil, false, err
	}
	op, not := e.Op, false
	if op == syntax.OpNe {
		op, not = syntax.OpEq, true
	}
	if fixedY && !fixedX {
		cmp := c.against(op, y(nil))
		return func(row Row) bool { return cmp(x(row)) != not }, false, nil
	}
	calendar := c.calendar
	return func(row Row) bool { return calendar.holds(op, x(row), y(row)) != not }, fixedX && fixedY, nil
}

// against compiles the positive comparison with a constant, with short cuts for plain kinds.
func (c *compiler) against(op syntax.Op, b event.Value) func(a event.Value) bool {
	calendar := c.calendar
	slow := func(a event.Value) bool { return calendar.holds(op, a, b) }
	switch b.Kind() {
	case event.KindString:
		text := b.AsString()
		nanos, isTime := ParseTime(text, calendar.location)
		return func(a event.Value) bool {
			switch a.Kind() {
			case event.KindString:
				if op == syntax.OpEq {
					return a.AsString() == text
				}
			case event.KindTime:
				return isTime && ordered(op, compareInts(a.AsInt(), nanos))
			}
			return slow(a)
		}
	case event.KindInt:
		i := b.AsInt()
		return func(a event.Value) bool {
			if a.Kind() == event.KindInt {
				return ordered(op, compareInts(a.AsInt(), i))
			}
			return slow(a)
		}
	}
	return slow
}

// in compiles x in (…).
func (c *compiler) in(e *syntax.In) (Test, bool, error) {
	x, fixed, err := c.value(e.X)
	if err != nil {
		return nil, false, err
	}
	list := inList{calendar: c.calendar, set: make(map[event.Value]bool)}
	null := false
	for _, item := range e.List {
		if isNullLiteral(item) {
			null = true
			continue
		}
		f, fixedItem, err := c.value(item)
		if err != nil {
			return nil, false, err
		}
		fixed = fixed && fixedItem
		if fixedItem {
			list.add(f)
		} else {
			list.rest = append(list.rest, f)
		}
	}
	not := e.Not
	return func(row Row) bool {
		v := x(row)
		return (null && !v.Exists() || list.has(v, row)) != not
	}, fixed, nil
}

// inList is the right side of in: constants in a set, and what has to be compared one by one.
type inList struct {
	calendar *Calendar
	set      map[event.Value]bool // constants of other kinds than list, canonical
	texts    []Func               // string constants, which a time is compared with
	times    []Func               // time constants, which a string is compared with
	rest     []Func               // lists, and what depends on the row
}

func (l *inList) add(f Func) {
	v := f(nil)
	switch v.Kind() {
	case event.KindList:
		l.rest = append(l.rest, f)
		return
	case event.KindString:
		l.texts = append(l.texts, f)
	case event.KindTime:
		l.times = append(l.times, f)
	}
	l.set[v.Canonical()] = true
}

func (l *inList) has(v event.Value, row Row) bool {
	switch v.Kind() {
	case event.KindAbsent:
		return false
	case event.KindList:
		return Elements(v, func(el event.Value) bool { return l.has(el, row) })
	}
	if l.set[v.Canonical()] {
		return true
	}
	switch v.Kind() {
	case event.KindTime:
		if l.any(l.texts, v, row) {
			return true
		}
	case event.KindString:
		if l.any(l.times, v, row) {
			return true
		}
	}
	return l.any(l.rest, v, row)
}

func (l *inList) any(list []Func, v event.Value, row Row) bool {
	for _, f := range list {
		if l.calendar.holds(syntax.OpEq, v, f(row)) {
			return true
		}
	}
	return false
}

func (c *compiler) regex(e *syntax.Regex) (Test, bool, error) {
	f, fixed, err := c.value(e.X)
	if err != nil {
		return nil, false, err
	}
	re, not := e.Regexp, e.Not
	match := func(v event.Value) bool { return v.Kind() == event.KindString && re.MatchString(v.AsString()) }
	return func(row Row) bool { return anyElement(f(row), match) != not }, fixed, nil
}

func isNullLiteral(e syntax.Expr) bool {
	l, ok := e.(*syntax.Literal)
	return ok && l.Value.IsNull()
}
