package syntax

import (
	"fmt"
	"strings"

	"cairn/engine/event"
)

// Function is what the parser knows of a function of the language.
type Function struct {
	Name  string
	Min   int    // fewest arguments
	Max   int    // most arguments; -1: any number
	Usage string // for messages
}

// Functions are those that become a Call. bin, did and first_time have nodes of their own.
var Functions = []Function{
	{"exists", 1, 1, "exists(field)"},
	{"coalesce", 1, -1, "coalesce(a, b, …)"},
	{"if", 3, 3, "if(condition, then, else)"},
	{"lower", 1, 1, "lower(text)"},
	{"upper", 1, 1, "upper(text)"},
	{"len", 1, 1, "len(text)"},
	{"substr", 2, 3, "substr(text, start [, length])"},
	{"concat", 1, -1, "concat(a, b, …)"},
	{"num", 1, 1, "num(text)"},
	{"str", 1, 1, "str(value)"},
	{"round", 1, 2, "round(number [, digits])"},
	{"floor", 1, 1, "floor(number)"},
	{"ceil", 1, 1, "ceil(number)"},
	{"abs", 1, 1, "abs(number)"},
	{"log", 1, 1, "log(number)"},
	{"exp", 1, 1, "exp(number)"},
	{"sqrt", 1, 1, "sqrt(number)"},
	{"pow", 2, 2, "pow(number, exponent)"},
	{"bucket", 2, -1, "bucket(number, width) or bucket(number, edge, edge, …)"},
	{"hour", 1, 1, "hour([time])"},
	{"weekday", 1, 1, "weekday([time])"},
	{"host", 1, 1, "host(url)"},
	{"path", 1, 1, "path(url)"},
	{"param", 2, 2, `param(url, "name")`},
	{"time", 1, 1, `time("2025-06-01T10:30")`},
}

// functionNamed returns the function of a name, or nil.
func functionNamed(name string) *Function {
	for i := range Functions {
		if Functions[i].Name == name {
			return &Functions[i]
		}
	}
	return nil
}

// functionNames are all names that an opening parenthesis may follow in an expression.
func functionNames() []string {
	names := []string{"bin", "did", "first_time"}
	for _, f := range Functions {
		names = append(names, f.Name)
	}
	return names
}

// functionSynonyms are what other languages call our functions and aggregates.
var functionSynonyms = map[string]string{
	"mean": "avg", "average": "avg", "percentile": "quantile", "std": "stddev", "stdev": "stddev", "histogram": "hist",
	"uniq": "distinct", "unique": "distinct", "dcount": "distinct", "count_distinct": "distinct", "countdistinct": "distinct",
	"nunique": "distinct", "countif": "count", "sumif": "sum", "earliest": "first", "latest": "last", "mode": "topk",
	"length": "len", "strlen": "len", "substring": "substr", "tostring": "str", "tonumber": "num", "toint": "num", "tofloat": "num",
	"cast": "num", "isnull": "exists", "isnotnull": "exists", "defined": "exists", "ifnull": "coalesce", "nvl": "coalesce",
	"iff": "if", "iif": "if", "case": "if", "ln": "log", "power": "pow", "ceiling": "ceil", "domain": "host",
	"dayofweek": "weekday", "date_trunc": "bin", "time_bucket": "bin", "todatetime": "time", "timestamp": "time",
}

func unknownFunction(name *token, known []string) *Error {
	e := Errorf(name.pos, "unknown function %q", shorten(name.text))
	lower := strings.ToLower(name.text)
	switch {
	case functionSynonyms[lower] != "":
		return e.WithHint("did you mean %q?", functionSynonyms[lower])
	case foreignWords[lower] != "":
		return e.WithHint("%s", foreignWords[lower])
	}
	return e.WithNearest(name.text, known)
}

// call reads a function call, its name being the next token.
func (p *parser) call() Expr {
	name := p.take()
	p.wantMark("(")
	switch name.text {
	case "bin":
		return p.bin(name)
	case "did":
		return p.did(name)
	case "first_time":
		p.rowsOnly(name)
		defer p.mode(aggNone)()
		e := &FirstTime{Pos: name.pos, Selector: p.selector()}
		p.wantClose()
		return e
	}
	f := functionNamed(name.text)
	if f == nil {
		known := functionNames()
		if p.aggs == aggHere {
			known = append(known, aggregateNames()...)
		}
		panic(unknownFunction(name, known))
	}
	c := &Call{Pos: name.pos, Name: f.Name}
	if !p.peek().is(")") {
		p.list(func() {
			if f.Name == "if" && len(c.Args) == 0 {
				c.Args = append(c.Args, p.condition())
				return
			}
			c.Args = append(c.Args, p.expr())
		})
	} else if f.Name == "hour" || f.Name == "weekday" {
		p.rowsOnly(name)
		c.Args = []Expr{&Column{Pos: name.pos, Name: ColumnTime}}
	}
	p.wantClose()
	if n := len(c.Args); n < f.Min || f.Max >= 0 && n > f.Max {
		panic(Errorf(name.pos, "%s takes %s, found %d", f.Name, arguments(f.Min, f.Max), n).WithHint("%s", f.Usage))
	}
	if f.Name == "bucket" {
		checkBucket(c)
	}
	return c
}

// arguments says how many arguments a function takes.
func arguments(fewest, most int) string {
	switch {
	case most == 0:
		return "no argument"
	case fewest == most && fewest == 1:
		return "1 argument"
	case fewest == most:
		return fmt.Sprintf("%d arguments", fewest)
	case most < 0 && fewest == 1:
		return "at least 1 argument"
	case most < 0:
		return fmt.Sprintf("at least %d arguments", fewest)
	}
	return fmt.Sprintf("%d to %d arguments", fewest, most)
}

func (p *parser) wantClose() {
	if !p.takeMark(")") {
		p.fail(`"," or ")"`)
	}
}

// checkBucket refuses a width or edges that cannot work.
func checkBucket(c *Call) {
	if len(c.Args) == 2 {
		if l, ok := c.Args[1].(*Literal); ok && (!isMeasure(l.Value) || !positive(l.Value)) {
			panic(Errorf(l.Pos, "the width of a bucket is a number or a duration above 0"))
		}
		return
	}
	edges(c.Args[1:], c.Name)
}

// edges returns the values of literals that ascend and are all numbers or all durations.
func edges(args []Expr, of string) []event.Value {
	var values []event.Value
	for _, arg := range args {
		l, ok := arg.(*Literal)
		if !ok || !isMeasure(l.Value) {
			panic(Errorf(arg.Position(), "the edges of %s are numbers or durations", of))
		}
		if len(values) > 0 {
			last := values[len(values)-1]
			if last.IsNumber() != l.Value.IsNumber() {
				panic(Errorf(l.Pos, "the edges of %s are all numbers or all durations", of))
			}
			if !less(last, l.Value) {
				panic(Errorf(l.Pos, "the edges of %s must ascend", of))
			}
		}
		values = append(values, l.Value)
	}
	return values
}

func isMeasure(v event.Value) bool { return v.IsNumber() || v.Kind() == event.KindDuration }

func positive(v event.Value) bool {
	if v.Kind() == event.KindFloat {
		return v.AsFloat() > 0
	}
	return v.AsInt() > 0
}

// less orders two numbers or two durations.
func less(a, b event.Value) bool {
	if a.IsNumber() {
		return event.CompareNumbers(a, b) < 0
	}
	return a.AsInt() < b.AsInt()
}

// bin reads the rest of `bin(span)` or `bin(x, span)`.
func (p *parser) bin(name *token) Expr {
	b := &Bin{Pos: name.pos}
	if p.peek().kind == tokenSpan && p.peekAt(1).is(")") {
		p.rowsOnly(name)
		b.X = &Column{Pos: name.pos, Name: ColumnTime}
	} else {
		if t := p.peek(); t.kind == tokenWord && unitCalled(t.text) != "" && p.peekAt(1).is(")") {
			p.wantSpan("a duration such as 1d")
		}
		if p.peek().is(")") || p.peek().kind == tokenInt && p.peekAt(1).is(")") {
			p.wantSpan("a duration such as 1d")
		}
		b.X = p.expr()
		if !p.takeMark(",") {
			p.fail(`"," and a duration`)
		}
	}
	pos := p.peek().pos
	b.Span = p.calendarSpan("a duration such as 1d")
	if !b.Span.Bins() {
		panic(Errorf(pos, "a day cannot be divided into bins of %s", b.Span).
			WithHint("such as 5m, 15m, 1h, 2h, 6h, or whole days"))
	}
	if !p.takeMark(")") {
		p.fail(`")"`)
	}
	return b
}

// did reads the rest of `did(selector [last dur])`.
func (p *parser) did(name *token) Expr {
	p.rowsOnly(name)
	defer p.mode(aggNone)()
	d := &Did{Pos: name.pos, Selector: p.selector()}
	if p.takeWord("last") {
		d.Last = p.elapsedSpan("a duration such as 7d")
	}
	if !p.takeMark(")") {
		e := p.unexpected(`"last" or ")"`)
		if t := p.peek(); t.isWord("from") || t.isWord("on") {
			e.Hint = "did counts in the query's range, or with last in a time up to its end"
		}
		panic(e)
	}
	return d
}

// reserved words are never a bare name in an expression or selector.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "true": true, "false": true, "null": true,
}
