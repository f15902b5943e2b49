package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// Stage is one step of a pipeline; each kind has its own file, stage_NAME.go.
type Stage interface {
	// Position is where the stage's name stands.
	Position() Pos
	// Keyword is the stage's name in the language.
	Keyword() string
	// print writes what follows the keyword.
	print(*printer)
	// exprs calls yield for every expression of the stage.
	exprs(yield func(Expr))
	// columns returns the columns behind the stage, given those before it.
	columns(*scope) error
}

// stages are the stages by name. A nil reader belongs to a stage of the language that this version
// cannot run.
var stages = map[string]func(*parser, Pos) Stage{
	"where":   (*parser).where,
	"extend":  (*parser).extend,
	"project": (*parser).project,
	"rename":  (*parser).rename,
	"drop":    (*parser).drop,
	"stats":   (*parser).stats,
	"top":     (*parser).top,
	"facets":  (*parser).facets,
	"sort":    (*parser).sort,
	"limit":   (*parser).limit,
	"offset":  (*parser).offset,
	"running": (*parser).running,
	"fill":    (*parser).fill,
	"users":   (*parser).users,
	"events":  (*parser).events,
	"explain": (*parser).explain,

	"gap":        (*parser).gap,
	"session":    (*parser).session,
	"funnel":     (*parser).funnel,
	"trend":      (*parser).trend,
	"times":      (*parser).times,
	"converted":  (*parser).converted,
	"dropped":    (*parser).dropped,
	"pending":    (*parser).pending,
	"match":      (*parser).match,
	"retention":  (*parser).retention,
	"lifecycle":  (*parser).lifecycle,
	"stickiness": (*parser).stickiness,
	"paths":      (*parser).paths,

	"lookup": nil, "compare": nil, "attribute": nil, "experiment": nil,
}

// stageNames are the names of all stages of the language.
func stageNames() []string {
	var names []string
	for name := range stages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// stageSynonyms are what other languages call our stages.
var stageSynonyms = map[string]string{
	"filter": "where", "having": "where", "summarize": "stats", "aggregate": "stats", "group": "stats", "count": "stats",
	"eval": "extend", "let": "extend", "set": "extend", "select": "project", "fields": "project", "keep": "project",
	"order": "sort", "orderby": "sort", "head": "limit", "take": "limit", "skip": "offset", "cumsum": "running",
	"delete": "drop", "remove": "drop", "join": "lookup", "sequence": "match", "flow": "paths", "by": "stats",
}

// stage reads a stage behind its bar.
func (p *parser) stage() Stage {
	t := p.peek()
	if t.kind != tokenWord {
		p.fail("a stage")
	}
	read, ok := stages[t.text]
	switch {
	case !ok:
		e := Errorf(t.pos, "unknown stage %q", shorten(t.text))
		if next := p.peekAt(1); next.is("->") || next.is("=>") {
			e.Hint = "a pattern stands in a stage: | funnel a -> b"
		} else if synonym := stageSynonyms[strings.ToLower(t.text)]; synonym != "" {
			e.Hint = fmt.Sprintf("did you mean %q?", synonym)
		} else {
			e.WithNearest(t.text, stageNames())
		}
		if e.Hint == "" {
			e.Hint = "such as where, extend, stats, top, sort or limit"
		}
		panic(e)
	case read == nil:
		panic(Errorf(t.pos, "the stage %q is not available yet", t.text))
	}
	p.take()
	return read(p, t.pos)
}

// Named is an expression with the name of the column that it makes. The parser fills in the default
// where the text has none.
type Named struct {
	Pos  Pos
	Name string
	Expr Expr
}

// named reads expressions, with names behind `as` where there are any, separated by commas. fillNames
// gives the others theirs when all are known.
func (p *parser) named(read func() Expr) []Named {
	var list []Named
	p.list(func() {
		n := Named{Pos: p.peek().pos, Expr: read()}
		if p.takeWord("as") {
			n.Pos = p.peek().pos
			n.Name = p.newName()
		}
		list = append(list, n)
	})
	return list
}

// newName reads the name of a new column.
func (p *parser) newName() string {
	t := p.peek()
	if t.kind == tokenWord && reserved[t.text] {
		panic(p.unexpected("a name").WithHint("a column of that name goes in backticks: `%s`", t.text))
	}
	if t.kind == tokenString {
		panic(p.unexpected("a name").WithHint("names go in backticks: `%s`", shorten(t.text)))
	}
	name := p.dotted("a name")
	if name == "" {
		panic(Errorf(t.pos, "a column's name cannot be empty"))
	}
	return name
}

// assignments reads `name = expr`, and where plain is set also `name` alone.
func (p *parser) assignments(plain bool) []Named {
	var list []Named
	p.list(func() {
		n := Named{Pos: p.peek().pos}
		if p.assigns() {
			n.Name = p.newName()
			p.wantMark("=")
			n.Expr = p.expr()
			list = append(list, n)
			return
		}
		if t := p.peek(); !plain && (t.kind == tokenEnd || t.is("|")) {
			p.fail("name = expression")
		}
		n.Expr = p.expr()
		if p.takeWord("as") {
			n.Pos = p.peek().pos
			n.Name = p.newName()
		} else if !plain {
			p.fail(`"as" and a name`)
		}
		list = append(list, n)
	})
	fillNames(list)
	return list
}

// assigns reports whether `name =` comes next.
func (p *parser) assigns() bool {
	if !p.peek().isName() {
		return false
	}
	n := 1
	for p.peekAt(n).is(".") && p.peekAt(n+1).isName() {
		n += 2
	}
	return p.peekAt(n).is("=")
}

// fillNames gives default names to those without and refuses a name that is given twice. The lists
// make the columns of one result, in order.
func fillNames(lists ...[]Named) {
	used := usedNames{}
	for _, list := range lists {
		for _, n := range list {
			if n.Name == "" {
				continue
			}
			if used.has(n.Name) {
				panic(Errorf(n.Pos, "two columns are named %q", n.Name))
			}
			used.add(n.Name)
		}
	}
	for _, list := range lists {
		for i := range list {
			if list[i].Name == "" {
				list[i].Name = used.unused(DefaultName(list[i].Expr))
			}
		}
	}
}

// keys reads what follows `by`; nil when there is none.
func (p *parser) keys() []Expr {
	if !p.takeWord("by") {
		return nil
	}
	var keys []Expr
	p.list(func() { keys = append(keys, p.expr()) })
	return keys
}

// wantCount reads a whole number of at least fewest.
func (p *parser) wantCount(what string, fewest, most int64) int64 {
	t := p.peek()
	if t.kind != tokenInt {
		p.fail(what)
	}
	n, err := parseCount(t.text)
	if err != nil || n < fewest || n > most {
		panic(Errorf(t.pos, "expected %s from %d to %d, found %s", what, fewest, most, t.describe()))
	}
	p.take()
	return n
}
