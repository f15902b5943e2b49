package plan

import "cairn/query/syntax"

// children returns the expressions directly below e. The conditions inside the selectors of did and
// first_time are not among them: they see events of their own.
func children(e syntax.Expr) []syntax.Expr {
	switch e := e.(type) {
	case *syntax.Unary:
		return []syntax.Expr{e.X}
	case *syntax.Binary:
		return []syntax.Expr{e.X, e.Y}
	case *syntax.Regex:
		return []syntax.Expr{e.X}
	case *syntax.In:
		return append([]syntax.Expr{e.X}, e.List...)
	case *syntax.Call:
		return e.Args
	case *syntax.Bin:
		return []syntax.Expr{e.X}
	case *syntax.Agg:
		var list []syntax.Expr
		if e.X != nil {
			list = append(list, e.X)
		}
		if e.If != nil {
			list = append(list, e.If)
		}
		return list
	}
	return nil
}

// Walk calls visit for e and everything below it, parents first; below an expression for which
// visit returns false it does not go.
func Walk(e syntax.Expr, visit func(syntax.Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	for _, child := range children(e) {
		Walk(child, visit)
	}
}

// Rewrite returns e with every expression replaced for which replace returns one. Replacements are
// not looked into. Unchanged parts are shared with e.
func Rewrite(e syntax.Expr, replace func(syntax.Expr) syntax.Expr) syntax.Expr {
	if e == nil {
		return nil
	}
	if r := replace(e); r != nil {
		return r
	}
	sub := func(x syntax.Expr) syntax.Expr { return Rewrite(x, replace) }
	switch e := e.(type) {
	case *syntax.Unary:
		c := *e
		c.X = sub(e.X)
		return &c
	case *syntax.Binary:
		c := *e
		c.X, c.Y = sub(e.X), sub(e.Y)
		return &c
	case *syntax.Regex:
		c := *e
		c.X = sub(e.X)
		return &c
	case *syntax.In:
		c := *e
		c.X = sub(e.X)
		c.List = make([]syntax.Expr, len(e.List))
		for i, x := range e.List {
			c.List[i] = sub(x)
		}
		return &c
	case *syntax.Call:
		c := *e
		c.Args = make([]syntax.Expr, len(e.Args))
		for i, x := range e.Args {
			c.Args[i] = sub(x)
		}
		return &c
	case *syntax.Bin:
		c := *e
		c.X = sub(e.X)
		return &c
	case *syntax.Agg:
		c := *e
		if e.X != nil {
			c.X = sub(e.X)
		}
		if e.If != nil {
			c.If = sub(e.If)
		}
		return &c
	}
	return e
}
