package scalar

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// Row gives the values that an expression depends on. Slots are those that Env.Bind handed out.
type Row interface {
	Value(slot int) event.Value
}

// Func evaluates a compiled expression on a row. It keeps no state: it may be called by several
// goroutines at once, and does not allocate but for the text that an expression makes.
type Func func(row Row) event.Value

// Test evaluates a compiled condition on a row. It keeps no state either.
type Test func(row Row) bool

// Env is what an expression needs beside a row.
type Env struct {
	// Calendar serves bins, hour, weekday and texts read as times; nil is UTC, weeks from Monday.
	Calendar *Calendar
	// Range is the query's time range; bins of several calendar units are counted from its first.
	Range event.TimeRange
	// Bind gives the slot of a leaf: a *syntax.Column, *syntax.Did (the count, an int),
	// *syntax.FirstTime (a time or absent), *syntax.UserIn (whether the row's user is in the
	// set as a bool; its Not is applied by the compiled code) or *syntax.Agg. An error ends the
	// compilation.
	Bind func(leaf syntax.Expr) (slot int, err error)
}

// One is a row of a single value, for expressions that were bound to slot 0 alone.
type One struct{ V event.Value }

// Value returns the value, whatever the slot.
func (o *One) Value(int) event.Value { return o.V }

// Values is a row of values by slot.
type Values []event.Value

// Value returns the value in a slot.
func (v Values) Value(slot int) event.Value { return v[slot] }

// Leaves calls yield for every leaf of an expression in the order of the text: columns, did,
// first_time, user in and aggregates (not what is inside of them).
func Leaves(e syntax.Expr, yield func(syntax.Expr)) {
	switch e := e.(type) {
	case nil, *syntax.Literal:
	case *syntax.Unary:
		Leaves(e.X, yield)
	case *syntax.Binary:
		Leaves(e.X, yield)
		Leaves(e.Y, yield)
	case *syntax.Regex:
		Leaves(e.X, yield)
	case *syntax.In:
		Leaves(e.X, yield)
		for _, x := range e.List {
			Leaves(x, yield)
		}
	case *syntax.Call:
		for _, x := range e.Args {
			Leaves(x, yield)
		}
	case *syntax.Bin:
		Leaves(e.X, yield)
	default:
		yield(e)
	}
}
