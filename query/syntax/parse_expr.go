package syntax

import (
	"errors"
	"fmt"
	"regexp"
	resyntax "regexp/syntax"
	"slices"
	"strings"

	"cairn/engine/event"
)

// expr reads an expression.
func (p *parser) expr() Expr { return p.or() }

// condition reads an expression whose truth is wanted.
func (p *parser) condition() Expr { return truth(p.or()) }

// truth puts `> 0` around a did that stands alone.
func truth(e Expr) Expr {
	if d, ok := e.(*Did); ok {
		return &Binary{Pos: d.Pos, Op: OpGt, X: d, Y: &Literal{Pos: d.Pos, Value: event.Int(0)}}
	}
	return e
}

func (p *parser) or() Expr {
	p.enter()
	defer p.leave()
	x := p.and()
	for p.peek().isWord("or") {
		pos := p.take().pos
		x = &Binary{Pos: pos, Op: OpOr, X: truth(x), Y: truth(p.and())}
	}
	return x
}

func (p *parser) and() Expr {
	x := p.not()
	for p.peek().isWord("and") {
		pos := p.take().pos
		x = &Binary{Pos: pos, Op: OpAnd, X: truth(x), Y: truth(p.not())}
	}
	return x
}

func (p *parser) not() Expr {
	if !p.peek().isWord("not") {
		return p.comparison()
	}
	p.enter()
	defer p.leave()
	pos := p.take().pos
	return &Unary{Pos: pos, Op: OpNot, X: truth(p.not())}
}

var comparisons = map[string]Op{"=": OpEq, "!=": OpNe, "<": OpLt, "<=": OpLe, ">": OpGt, ">=": OpGe}

func (p *parser) comparison() Expr {
	x := p.sum()
	t := p.peek()
	var e Expr
	switch {
	case t.kind == tokenMark && comparisons[t.text] != 0:
		p.take()
		e = &Binary{Pos: t.pos, Op: comparisons[t.text], X: x, Y: p.sum()}
	case t.is("~") || t.is("!~"):
		p.take()
		e = p.regex(x, t)
	case t.isWord("not"):
		e = p.negated(x)
	default:
		e = p.wordTest(x, t.pos)
	}
	if e == nil {
		return x
	}
	switch t := p.peek(); {
	case t.kind == tokenMark && comparisons[t.text] != 0, t.is("~"), t.is("!~"):
		panic(Errorf(t.pos, "comparisons cannot be chained, found %s", t.describe()).
			WithHint(`join them with "and", or use parentheses`))
	}
	return e
}

// negated reads `not in`, `not contains` and the like behind x.
func (p *parser) negated(x Expr) Expr {
	pos := p.take().pos
	switch e := p.wordTest(x, pos).(type) {
	case *In:
		e.Not = true
		return e
	case *UserIn:
		e.Not = true
		return e
	case *Binary:
		return &Unary{Pos: pos, Op: OpNot, X: e}
	}
	e := p.unexpected(`"in", "contains", "starts with" or "ends with"`)
	if t := p.peek(); t.is("~") || t.is("=") {
		e.Hint = fmt.Sprintf(`write "!%s"`, t.text)
	}
	panic(e)
}

// wordTest reads a comparison that is spelt as a word behind x; nil when there is none.
func (p *parser) wordTest(x Expr, pos Pos) Expr {
	t := p.peek()
	var op Op
	switch {
	case t.isWord("in"):
		p.take()
		return p.in(x, pos)
	case t.isWord("contains"):
		p.take()
		op = OpContains
	case t.isWord("starts"):
		p.take()
		p.wantWord("with")
		op = OpStartsWith
	case t.isWord("ends"):
		p.take()
		p.wantWord("with")
		op = OpEndsWith
	default:
		return nil
	}
	b := &Binary{Pos: pos, Op: op, X: x}
	if p.takeMark("~") {
		if !p.takeWord("i") {
			p.fail(`"i"`)
		}
		b.Fold = true
	}
	b.Y = p.sum()
	return b
}

// in reads the rest of `x in (…)` or `user in NAME`.
func (p *parser) in(x Expr, pos Pos) Expr {
	if p.takeMark("(") {
		in := &In{Pos: pos, X: x}
		p.list(func() { in.List = append(in.List, p.expr()) })
		p.wantClose()
		return in
	}
	name := p.peek()
	if !name.isName() {
		p.fail(`"(" or the name of a result`)
	}
	p.take()
	if c, ok := x.(*Column); !ok || c.Scope != ScopeRow || c.Name != ColumnUser {
		panic(Errorf(name.pos, "only user is looked up in a named result, found %s", name.describe()).
			WithHint("a list of values stands in parentheses"))
	}
	if !slices.Contains(p.names, name.text) {
		e := Errorf(name.pos, "unknown result %q", shorten(name.text)).WithNearest(name.text, p.names)
		if e.Hint == "" {
			e.Hint = fmt.Sprintf("define it before: let %s = … | users;", shorten(name.text))
		}
		panic(e)
	}
	return &UserIn{Pos: pos, Name: name.text}
}

// regex reads the pattern behind ~ or !~.
func (p *parser) regex(x Expr, op *token) Expr {
	t := p.peek()
	if t.kind != tokenString {
		e := p.unexpected("a regular expression in quotes")
		panic(e)
	}
	p.take()
	re, err := regexp.Compile(t.text)
	if err != nil {
		e := Errorf(t.pos, "%s is not a regular expression", t.describe())
		var problem *resyntax.Error
		if errors.As(err, &problem) {
			e.Hint = fmt.Sprintf("%s: %s", problem.Code, shorten(problem.Expr))
		}
		panic(e)
	}
	return &Regex{Pos: op.pos, X: x, Pattern: t.text, Regexp: re, Not: op.text == "!~"}
}

func (p *parser) sum() Expr {
	x := p.product()
	for {
		t := p.peek()
		if !t.is("+") && !t.is("-") {
			return x
		}
		p.take()
		op := OpAdd
		if t.text == "-" {
			op = OpSub
		}
		x = &Binary{Pos: t.pos, Op: op, X: x, Y: p.product()}
	}
}

func (p *parser) product() Expr {
	x := p.minus()
	for {
		t := p.peek()
		var op Op
		switch {
		case t.is("*"):
			op = OpMul
		case t.is("/"):
			op = OpDiv
		case t.is("%"):
			op = OpMod
		default:
			return x
		}
		p.take()
		x = &Binary{Pos: t.pos, Op: op, X: x, Y: p.minus()}
	}
}

func (p *parser) minus() Expr {
	t := p.peek()
	if !t.is("-") {
		return p.operand()
	}
	p.enter()
	defer p.leave()
	p.take()
	if n := p.peek(); n.kind == tokenInt || n.kind == tokenFloat || n.kind == tokenSpan {
		p.take()
		return &Literal{Pos: t.pos, Value: p.literal(n, true)}
	}
	return &Unary{Pos: t.pos, Op: OpNeg, X: p.minus()}
}

// operand reads a literal, a column, a call or an expression in parentheses.
func (p *parser) operand() Expr {
	t := p.peek()
	switch t.kind {
	case tokenInt, tokenFloat, tokenSpan:
		p.take()
		return &Literal{Pos: t.pos, Value: p.literal(t, false)}
	case tokenString:
		p.take()
		return &Literal{Pos: t.pos, Value: event.String(t.text)}
	case tokenDate:
		panic(Errorf(t.pos, "expected a value, found the date %s", t.describe()).
			WithHint(`write time("%s")`, t.raw))
	case tokenQuoted:
		return p.columnHere()
	case tokenMark:
		if !t.is("(") {
			break
		}
		p.take()
		e := p.expr()
		if !p.takeMark(")") {
			p.fail(`")"`)
		}
		return e
	case tokenWord:
		return p.word(t)
	}
	e := p.unexpected("a value")
	if t.is("*") && p.at > 0 && p.tokens[p.at-1].is("(") {
		e.Hint = "count() and users() take no star"
	}
	panic(e)
}

// word reads an operand that begins with a word.
func (p *parser) word(t *token) Expr {
	switch t.text {
	case "true", "false":
		p.take()
		return &Literal{Pos: t.pos, Value: event.Bool(t.text == "true")}
	case "null":
		p.take()
		return &Literal{Pos: t.pos, Value: event.Null}
	}
	if lower := strings.ToLower(t.text); reserved[lower] {
		e := p.unexpected("a value")
		switch {
		case lower != t.text:
			e.Hint = fmt.Sprintf("did you mean %q?", lower)
		case t.text == "not":
			e.Hint = "put the negation in parentheses"
		default:
			e.Hint = fmt.Sprintf("a field of that name goes in backticks: `%s`", t.text)
		}
		panic(e)
	}
	if p.peekAt(1).is("(") {
		if f, ok := aggregateNamed(t.text); ok {
			return p.aggregate(f)
		}
		return p.call()
	}
	return p.columnHere()
}

// columnHere reads a column where rows are at hand, and refuses one among aggregates.
func (p *parser) columnHere() Expr {
	c := p.column()
	if p.aggs == aggHere {
		e := Errorf(c.Pos, "%s stands outside of an aggregate", c)
		switch next := p.peek(); {
		case next.is("=") && p.peekAt(1).kind == tokenWord:
			e.Hint = fmt.Sprintf("a name follows its aggregate: %s(…) as %s", p.peekAt(1).text, c)
		case slices.Contains(aggregateNames(), c.Name):
			e.Hint = fmt.Sprintf("write %s(…)", c.Name)
		default:
			e.Hint = fmt.Sprintf("such as sum(%s), or a key behind by", c)
		}
		panic(e)
	}
	return c
}

// column reads a name, with `fields.` or `user.` in front or without.
func (p *parser) column() *Column {
	t := p.peek()
	if !t.isName() {
		p.fail("a name")
	}
	if t.kind == tokenWord && reserved[t.text] {
		panic(p.unexpected("a name").WithHint("a field of that name goes in backticks: `%s`", t.text))
	}
	c := &Column{Pos: t.pos}
	if p.peekAt(1).is(".") && (t.isWord("fields") || t.isWord("user")) {
		c.Scope = ScopeFields
		if t.text == "user" {
			c.Scope = ScopeProfile
		}
		p.take()
		p.take()
	}
	c.Name = p.dotted("a name")
	return c
}
