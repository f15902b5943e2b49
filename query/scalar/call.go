package scalar

import (
	"math"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// functions of one argument that need nothing else.
var unaryFunctions = map[string]func(event.Value) event.Value{
	"lower": lower, "upper": upper, "len": length, "num": number,
	"floor": floor, "ceil": ceil, "abs": absolute,
	"log":  realFunction(math.Log),
	"exp":  realFunction(math.Exp),
	"sqrt": realFunction(math.Sqrt),
	"host": host, "path": path,
}

// call compiles a function. Names and numbers of arguments were checked by the parser; here they are
// checked again so that a tree made by hand gives an error and no panic.
func (c *compiler) call(e *syntax.Call) (Func, bool, error) {
	if f, ok := unaryFunctions[e.Name]; ok && len(e.Args) == 1 {
		return c.apply1(e.Args[0], f)
	}
	switch n := len(e.Args); {
	case e.Name == "exists" && n == 1:
		t, fixed, err := c.test(e)
		if err != nil {
			return nil, false, err
		}
		return func(row Row) event.Value { return event.Bool(t(row)) }, fixed, nil
	case e.Name == "if" && n == 3:
		return c.conditional(e)
	case e.Name == "coalesce" && n >= 1:
		return c.coalesce(e)
	case e.Name == "substr" && (n == 2 || n == 3):
		return c.applyAll(e, substring)
	case e.Name == "concat" && n >= 1:
		return c.applyAll(e, c.concat)
	case e.Name == "str" && n == 1:
		return c.apply1(e.Args[0], c.text)
	case e.Name == "time" && n == 1:
		return c.apply1(e.Args[0], c.time)
	case e.Name == "round" && n == 1:
		return c.apply1(e.Args[0], func(v event.Value) event.Value { return round(v, event.Int(0)) })
	case e.Name == "round" && n == 2:
		return c.apply2(e.Args[0], e.Args[1], round)
	case e.Name == "pow" && n == 2:
		return c.apply2(e.Args[0], e.Args[1], power)
	case e.Name == "param" && n == 2:
		return c.apply2(e.Args[0], e.Args[1], param)
	case e.Name == "hour" && n == 1:
		return c.apply1(e.Args[0], c.hour)
	case e.Name == "weekday" && n == 1:
		return c.apply1(e.Args[0], c.weekday)
	case e.Name == "bucket" && n == 2:
		return c.bucket(e)
	case e.Name == "bucket" && n > 2:
		return c.bucketEdges(e)
	}
	return nil, false, syntax.Errorf(e.Pos, "expected a function and its arguments, found %s with %d", e.Name, len(e.Args))
}

// applyAll compiles a function of several arguments. The slice is the caller's for the call only.
func (c *compiler) applyAll(e *syntax.Call, op func(args []event.Value) event.Value) (Func, bool, error) {
	fs, fixed, err := c.values(e.Args)
	if err != nil {
		return nil, false, err
	}
	return func(row Row) event.Value {
		var space [4]event.Value
		args := space[:0]
		for _, f := range fs {
			args = append(args, f(row))
		}
		return op(args)
	}, fixed, nil
}

func (c *compiler) conditional(e *syntax.Call) (Func, bool, error) {
	t, fixed, err := c.test(e.Args[0])
	if err != nil {
		return nil, false, err
	}
	fs, fixedBranches, err := c.values(e.Args[1:])
	if err != nil {
		return nil, false, err
	}
	yes, no := fs[0], fs[1]
	return func(row Row) event.Value {
		if t(row) {
			return yes(row)
		}
		return no(row)
	}, fixed && fixedBranches, nil
}

func (c *compiler) coalesce(e *syntax.Call) (Func, bool, error) {
	fs, fixed, err := c.values(e.Args)
	if err != nil {
		return nil, false, err
	}
	return func(row Row) event.Value {
		for _, f := range fs {
			if v := f(row); v.Exists() {
				return v
			}
		}
		return event.Null
	}, fixed, nil
}
