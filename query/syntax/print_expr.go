package syntax

import "cairn/engine/event"

// Binding strengths, the loosest first.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindComparison
	bindSum
	bindProduct
	bindMinus
	bindOperand
)

func binding(e Expr) int {
	switch e := e.(type) {
	case *Unary:
		if e.Op == OpNot {
			return bindNot
		}
		return bindMinus
	case *Binary:
		switch e.Op {
		case OpOr:
			return bindOr
		case OpAnd:
			return bindAnd
		case OpAdd, OpSub:
			return bindSum
		case OpMul, OpDiv, OpMod:
			return bindProduct
		}
		return bindComparison
	case *Regex, *In, *UserIn:
		return bindComparison
	}
	return bindOperand
}

// expr writes an expression.
func (w *printer) expr(e Expr) { w.operand(e, bindOr) }

// operand writes an expression, in parentheses when it binds more loosely than its place asks for.
func (w *printer) operand(e Expr, least int) {
	if binding(e) < least {
		w.text("(")
		defer w.text(")")
	}
	switch e := e.(type) {
	case *Literal:
		w.value(e.Value)
	case *Column:
		w.column(e)
	case *Unary:
		w.unary(e)
	case *Binary:
		w.binary(e)
	case *Regex:
		w.operand(e.X, bindSum)
		if e.Not {
			w.text(" !~ ")
		} else {
			w.text(" ~ ")
		}
		w.quoted(e.Pattern, '"')
	case *In:
		w.operand(e.X, bindSum)
		w.not(e.Not)
		w.text(" in (")
		w.list(e.List)
		w.text(")")
	case *UserIn:
		w.text(ColumnUser)
		w.not(e.Not)
		w.text(" in ")
		w.resultName(e.Name)
	case *Call:
		w.text(e.Name + "(")
		if c, ok := e.Args[0].(*Column); !ok || !isTimeColumn(c) || e.Name != "hour" && e.Name != "weekday" {
			w.list(e.Args)
		}
		w.text(")")
	case *Bin:
		w.text("bin(")
		if c, ok := e.X.(*Column); !ok || !isTimeColumn(c) {
			w.expr(e.X)
			w.text(", ")
		}
		w.text(e.Span.String() + ")")
	case *Did:
		w.text("did(")
		w.selector(e.Selector)
		if e.Last != 0 {
			w.text(" last " + durationText(e.Last))
		}
		w.text(")")
	case *FirstTime:
		w.text("first_time(")
		w.selector(e.Selector)
		w.text(")")
	case *Agg:
		w.aggregate(e)
	}
}

func (w *printer) not(not bool) {
	if not {
		w.text(" not")
	}
}

func (w *printer) list(list []Expr) {
	for i, e := range list {
		w.comma(i)
		w.expr(e)
	}
}

func (w *printer) column(c *Column) {
	switch c.Scope {
	case ScopeFields:
		w.text("fields.")
	case ScopeProfile:
		w.text("user.")
	}
	w.name(c.Name)
}

func (w *printer) unary(e *Unary) {
	if e.Op == OpNot {
		w.text("not ")
		w.operand(e.X, bindNot)
		return
	}
	w.text("-")
	if l, ok := e.X.(*Literal); ok && isMeasure(l.Value) {
		w.text("(")
		w.value(l.Value)
		w.text(")")
		return
	}
	w.operand(e.X, bindMinus)
}

func (w *printer) binary(e *Binary) {
	strength := binding(e)
	left, right := strength, strength+1
	if strength == bindComparison {
		left = right
	}
	w.operand(e.X, left)
	w.text(" " + e.Op.String())
	if e.Fold {
		w.text("~i")
	}
	w.text(" ")
	w.operand(e.Y, right)
}

func (w *printer) aggregate(a *Agg) {
	percent := percentText(a.Q)
	short := a.Func == AggQuantile && percentile(percent) == a.Q && len(percent) <= 6
	if short {
		w.text("p" + percent)
	} else {
		w.text(a.Func.String())
	}
	w.text("(")
	cond := a.If
	if a.X == nil {
		if cond != nil {
			w.expr(cond)
		}
		cond = nil
	} else {
		w.expr(a.X)
	}
	switch {
	case a.Func == AggQuantile && !short:
		w.text(", ")
		w.value(event.Float(a.Q))
	case a.Func == AggTopK:
		w.text(", ")
		w.int(int64(a.N))
	}
	for _, edge := range a.Edges {
		w.text(", ")
		w.value(edge)
	}
	w.text(")")
	if cond != nil {
		w.text(" if (")
		w.expr(cond)
		w.text(")")
	}
	if a.Over != 0 {
		w.text(" over " + durationText(a.Over))
	}
}
