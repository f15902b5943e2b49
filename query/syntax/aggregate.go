package syntax

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"cairn/engine/event"
)

// aggMode says what aggregates mean at a place of the text.
type aggMode uint8

const (
	aggNone   aggMode = iota // rows are at hand, aggregates are out of place
	aggHere                  // aggregates are wanted, columns are out of place
	aggInside                // within an aggregate: columns, and no further aggregate
	aggKey                   // within a key of stats or top
)

// mode switches the mode and returns what switches it back.
func (p *parser) mode(m aggMode) func() {
	before := p.aggs
	p.aggs = m
	return func() { p.aggs = before }
}

// rowsOnly refuses what needs a row among aggregates.
func (p *parser) rowsOnly(name *token) {
	if p.aggs == aggHere {
		panic(Errorf(name.pos, "%s stands outside of an aggregate", name.text).
			WithHint("it needs an event; put it inside of an aggregate or behind by"))
	}
}

// aggregateSpec is what an aggregate of a name takes.
type aggregateSpec struct {
	fn       AggFunc
	quantile float64 // of pNN
	usage    string
}

var aggregates = map[string]aggregateSpec{
	"count":    {fn: AggCount, usage: "count() or count(condition)"},
	"users":    {fn: AggUsers, usage: "users() or users(condition)"},
	"distinct": {fn: AggDistinct, usage: "distinct(field)"},
	"sum":      {fn: AggSum, usage: "sum(field)"},
	"avg":      {fn: AggAvg, usage: "avg(field)"},
	"min":      {fn: AggMin, usage: "min(field)"},
	"max":      {fn: AggMax, usage: "max(field)"},
	"stddev":   {fn: AggStddev, usage: "stddev(field)"},
	"median":   {fn: AggMedian, quantile: 0.5, usage: "median(field)"},
	"quantile": {fn: AggQuantile, usage: "quantile(field, 0.9)"},
	"first":    {fn: AggFirst, usage: "first(field)"},
	"last":     {fn: AggLast, usage: "last(field)"},
	"topk":     {fn: AggTopK, usage: "topk(field, 10)"},
	"hist":     {fn: AggHist, usage: "hist(field [, edge, edge, …])"},
}

// aggregateNames are the names of aggregates, for suggestions; any pNN works beside them.
func aggregateNames() []string {
	names := []string{"p50", "p75", "p90", "p95", "p99"}
	for name := range aggregates {
		names = append(names, name)
	}
	return names
}

var percentileName = regexp.MustCompile(`^p[0-9]+(\.[0-9]+)?$`)

// aggregateNamed finds the aggregate of a name; pNN is the NN-th percentile.
func aggregateNamed(name string) (aggregateSpec, bool) {
	if s, ok := aggregates[name]; ok {
		return s, true
	}
	if !percentileName.MatchString(name) {
		return aggregateSpec{}, false
	}
	return aggregateSpec{fn: AggQuantile, quantile: percentile(name[1:]), usage: name + "(field)"}, true
}

// percentile divides a decimal by a hundred without rounding twice.
func percentile(number string) float64 {
	whole, fraction, _ := strings.Cut(number, ".")
	whole = "00" + whole
	f, err := strconv.ParseFloat(whole[:len(whole)-2]+"."+whole[len(whole)-2:]+fraction, 64)
	if err != nil {
		return 2
	}
	return f
}

// aggregate reads an aggregate, its name being the next token.
func (p *parser) aggregate(spec aggregateSpec) Expr {
	name := p.take()
	switch p.aggs {
	case aggNone:
		panic(Errorf(name.pos, "the aggregate %s stands outside of stats", name.text).
			WithHint("| stats %s", strings.Split(spec.usage, " or ")[0]))
	case aggKey:
		panic(Errorf(name.pos, "the aggregate %s stands in a key", name.text).
			WithHint("use two stats, one after the other"))
	case aggInside:
		panic(Errorf(name.pos, "%s stands inside of another aggregate", name.text).
			WithHint("use two stats, one after the other"))
	}
	a := &Agg{Pos: name.pos, Func: spec.fn, Q: spec.quantile}
	if a.Q > 1 {
		e := Errorf(name.pos, "a percentile is at most 100, found %q", name.text)
		if strings.HasPrefix(name.text, "p99") && !strings.Contains(name.text, ".") {
			e.Hint = fmt.Sprintf("did you mean %q?", "p99."+name.text[3:])
		}
		panic(e)
	}
	p.take()
	back := p.mode(aggInside)
	p.aggregateArgs(a, name, spec)
	for p.peek().isWord("if") || p.peek().isWord("over") {
		p.aggregateOption(a)
	}
	back()
	return a
}

// aggregateArgs reads the arguments of an aggregate up to the closing parenthesis.
func (p *parser) aggregateArgs(a *Agg, name *token, spec aggregateSpec) {
	if a.Func == AggCount || a.Func == AggUsers {
		if !p.takeMark(")") {
			if p.peek().is("*") && p.peekAt(1).is(")") {
				panic(Errorf(p.peek().pos, "%s takes no star", name.text).WithHint("%s()", name.text))
			}
			a.If = p.condition()
			if c, ok := a.If.(*Column); ok && c.Name == "distinct" && p.peek().isName() {
				panic(p.unexpected(`")"`).WithHint("write distinct(%s)", p.peek().raw))
			}
			p.wantClose()
		}
		return
	}
	var args []Expr
	if !p.peek().is(")") {
		p.list(func() { args = append(args, p.expr()) })
	}
	p.wantClose()
	fewest, most := 1, 1
	switch {
	case a.Func == AggQuantile && name.text == "quantile":
		fewest, most = 2, 2
	case a.Func == AggTopK:
		most = 2
	case a.Func == AggHist:
		most = -1
	}
	if len(args) < fewest || most >= 0 && len(args) > most {
		panic(Errorf(name.pos, "%s takes %s, found %d", name.text, arguments(fewest, most), len(args)).
			WithHint("%s", spec.usage))
	}
	a.X = args[0]
	switch {
	case name.text == "quantile":
		a.Q = quantile(args[1])
	case a.Func == AggTopK:
		a.N = 10
		if len(args) == 2 {
			a.N = topCount(args[1])
		}
	case a.Func == AggHist:
		a.Edges = edges(args[1:], "hist")
	}
}

func quantile(e Expr) float64 {
	if l, ok := e.(*Literal); ok && l.Value.IsNumber() {
		if q := l.Value.AsFloat(); q >= 0 && q <= 1 {
			return q + 0 // turns -0 into 0
		}
	}
	panic(Errorf(e.Position(), "the second argument of quantile is a number from 0 to 1"))
}

func topCount(e Expr) int {
	if l, ok := e.(*Literal); ok && l.Value.Kind() == event.KindInt {
		if n := l.Value.AsInt(); n >= 1 && n <= countMax {
			return int(n)
		}
	}
	panic(Errorf(e.Position(), "the second argument of topk is a whole number from 1 to %d", countMax))
}

// countMax is the largest number of values that top, facets and topk give.
const countMax = 1_000_000

// aggregateOption reads `if (cond)` or `over dur` behind an aggregate.
func (p *parser) aggregateOption(a *Agg) {
	if t := p.peek(); p.takeWord("over") {
		if a.Over != 0 {
			panic(Errorf(t.pos, `"over" is given twice`))
		}
		a.Over = p.elapsedSpan("a duration such as 7d")
		return
	}
	pos := p.take().pos
	if !p.takeMark("(") {
		panic(p.unexpected(`"("`).WithHint("the condition of an aggregate stands in parentheses"))
	}
	cond := p.condition()
	if !p.takeMark(")") {
		p.fail(`")"`)
	}
	if a.If != nil {
		cond = &Binary{Pos: pos, Op: OpAnd, X: a.If, Y: cond}
	}
	a.If = cond
}

// keyExpr reads a key of stats or top.
func (p *parser) keyExpr() Expr {
	defer p.mode(aggKey)()
	e := p.expr()
	if b, ok := namesBin(e); ok {
		panic(Errorf(b.Pos, `expected "as" and a name behind a key, found "="`).
			WithHint("write %s as %s", ExprString(b.Y), ExprString(b.X)))
	}
	return e
}

// namesBin recognises `day = bin(1d)`: as a key it is meant as a name, never as a test.
func namesBin(e Expr) (*Binary, bool) {
	b, ok := e.(*Binary)
	if !ok || b.Op != OpEq {
		return nil, false
	}
	_, named := b.X.(*Column)
	_, bin := b.Y.(*Bin)
	return b, named && bin
}

// aggregateExpr reads an expression over aggregates.
func (p *parser) aggregateExpr() Expr {
	back := p.mode(aggHere)
	pos := p.peek().pos
	if t := p.peek(); t.kind == tokenEnd || t.is("|") || t.is(",") {
		p.fail("an aggregate")
	}
	e := p.expr()
	back()
	if len(Aggregates(e)) == 0 {
		panic(Errorf(pos, "expected an aggregate such as count()"))
	}
	return e
}
