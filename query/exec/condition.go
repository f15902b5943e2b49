package exec

import (
	"sync"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// condition is a filter over stored events: and, or, not, and leaves that are expressions. It is
// made once a query and bound to each segment.
type condition struct {
	op   conditionOp
	kids []*condition // and, or: two or more; not: one
	// leaves
	program *program
	refs    []columnRef
	test    columnTest // what the expression does to its only column, if simple
	cost    int        // leaves and their parents: the cheap come first

	once     sync.Once // for what follows
	byNumber []bool    // see propertyTable
}

type conditionOp uint8

const (
	conditionLeaf conditionOp = iota
	conditionAnd
	conditionOr
	conditionNot
)

// columnTest is the simple shape `column op literal`, for which no value need be evaluated.
type columnTest struct {
	op     testOp
	values []event.Value // testEqual: any of them
	prefix string        // testPrefix
	span   interval      // testNumbers
	lo, hi testText      // testStrings
	not    bool          // passes where the test fails, absent included
}

type testText struct {
	text string
	set  bool
	open bool
}

type testOp uint8

const (
	testNone testOp = iota
	testEqual
	testPrefix
	testNumbers
	testStrings
	testExists
)

// compile makes a condition of e; nil is no condition.
func (x *Execution) compile(e syntax.Expr) (*condition, error) {
	if e == nil {
		return nil, nil
	}
	if x.Knobs.NoPushdown {
		return x.leaf(e)
	}
	switch e := e.(type) {
	case *syntax.Binary:
		op := conditionAnd
		switch e.Op {
		case syntax.OpAnd:
		case syntax.OpOr:
			op = conditionOr
		default:
			return x.leaf(e)
		}
		a, err := x.compile(e.X)
		if err != nil {
			return nil, err
		}
		b, err := x.compile(e.Y)
		if err != nil {
			return nil, err
		}
		return join(op, a, b), nil
	case *syntax.Unary:
		if e.Op == syntax.OpNot {
			kid, err := x.compile(e.X)
			if err != nil {
				return nil, err
			}
			return &condition{op: conditionNot, kids: []*condition{kid}, cost: kid.cost}, nil
		}
	}
	return x.leaf(e)
}

func join(op conditionOp, a, b *condition) *condition {
	c := &condition{op: op}
	for _, kid := range []*condition{a, b} {
		if kid.op == op {
			c.kids = append(c.kids, kid.kids...)
		} else {
			c.kids = append(c.kids, kid)
		}
	}
	for _, kid := range c.kids {
		c.cost += kid.cost
	}
	if op == conditionAnd {
		sortByCost(c.kids)
	}
	return c
}

func sortByCost(kids []*condition) {
	for i := 1; i < len(kids); i++ {
		for j := i; j > 0 && kids[j].cost < kids[j-1].cost; j-- {
			kids[j], kids[j-1] = kids[j-1], kids[j]
		}
	}
}

// Costs of leaves: what an index answers comes before what must look at rows.
const (
	costEqual   = 1
	costUsers   = 2
	costRange   = 3
	costCodes   = 10
	costNumbers = 30
	costGeneric = 100
)

func (x *Execution) leaf(e syntax.Expr) (*condition, error) {
	p, err := x.program(e)
	if err != nil {
		return nil, err
	}
	c := &condition{program: p, refs: p.refs}
	if len(c.refs) == 1 && !x.Knobs.NoDictEval {
		c.test = x.testOf(e, c.refs[0])
	}
	switch {
	case len(c.refs) > 1:
		c.cost = costGeneric * len(c.refs)
	case len(c.refs) == 0:
	case c.refs[0].source == sourceUser:
		c.cost = costUsers
	case c.refs[0].source == sourceTime || c.refs[0].source == sourceReceived:
		c.cost = costNumbers
	case c.test.op == testEqual:
		c.cost = costEqual
	case c.test.op != testNone:
		c.cost = costRange
	default:
		c.cost = costCodes
	}
	return c, nil
}

// testOf recognises the simple shapes on a column.
func (x *Execution) testOf(e syntax.Expr, ref columnRef) columnTest {
	isColumn := func(e syntax.Expr) bool { c, ok := e.(*syntax.Column); return ok && c.Scope != syntax.ScopeProfile }
	if ref.source == sourceReceived {
		return columnTest{}
	}
	switch e := e.(type) {
	case *syntax.Call:
		if e.Name == "exists" && len(e.Args) == 1 && isColumn(e.Args[0]) {
			return columnTest{op: testExists}
		}
	case *syntax.In:
		if !isColumn(e.X) {
			break
		}
		t := columnTest{op: testEqual, not: e.Not}
		for _, item := range e.List {
			v, ok := x.constant(item, ref)
			if !ok || !simpleEqual(v) {
				return columnTest{}
			}
			t.values = append(t.values, v)
		}
		return t
	case *syntax.Binary:
		column, other, op := e.X, e.Y, e.Op
		if !isColumn(column) {
			column, other, op = e.Y, e.X, mirrored(e.Op)
		}
		if !isColumn(column) || e.Fold {
			break
		}
		v, ok := x.constant(other, ref)
		if !ok {
			break
		}
		return testAgainst(op, v)
	}
	return columnTest{}
}

func simpleEqual(v event.Value) bool {
	switch v.Kind() {
	case event.KindBool, event.KindInt, event.KindFloat, event.KindString, event.KindTime:
		return true
	}
	return false
}

func mirrored(op syntax.Op) syntax.Op {
	switch op {
	case syntax.OpEq, syntax.OpNe:
		return op
	case syntax.OpLt:
		return syntax.OpGt
	case syntax.OpLe:
		return syntax.OpGe
	case syntax.OpGt:
		return syntax.OpLt
	case syntax.OpGe:
		return syntax.OpLe
	}
	return 0
}

func testAgainst(op syntax.Op, v event.Value) columnTest {
	switch op {
	case syntax.OpEq, syntax.OpNe:
		if simpleEqual(v) {
			return columnTest{op: testEqual, values: []event.Value{v}, not: op == syntax.OpNe}
		}
	case syntax.OpStartsWith:
		if v.Kind() == event.KindString {
			return columnTest{op: testPrefix, prefix: v.AsString()}
		}
	case syntax.OpLt, syntax.OpLe, syntax.OpGt, syntax.OpGe:
		open := op == syntax.OpLt || op == syntax.OpGt
		above := op == syntax.OpGt || op == syntax.OpGe
		switch v.Kind() {
		case event.KindInt, event.KindFloat, event.KindTime:
			if above {
				return columnTest{op: testNumbers, span: interval{lo: v, loOpen: open}}
			}
			return columnTest{op: testNumbers, span: interval{hi: v, hiOpen: open}}
		case event.KindString:
			bound := testText{text: v.AsString(), set: true, open: open}
			if above {
				return columnTest{op: testStrings, lo: bound}
			}
			return columnTest{op: testStrings, hi: bound}
		}
	}
	return columnTest{}
}

// isColumnOf reports whether e is nothing but a stored column.
func isColumnOf(e syntax.Expr) (columnRef, bool) {
	c, ok := e.(*syntax.Column)
	if !ok {
		return columnRef{}, false
	}
	return refOf(c)
}

// ofUsers reports whether a condition looks at nothing but the user.
func ofUsers(c *condition) bool { return len(c.refs) == 1 && c.refs[0].source == sourceUser }
