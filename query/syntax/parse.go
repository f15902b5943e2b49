package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// Limits bound what a text may ask of the parser. A zero member means its default.
type Limits struct {
	TextBytes int // length of the text; default 64 KiB
	Depth     int // nesting of expressions, selectors and parentheses; default 100
	List      int // entries of one list: in (…), stats …, by …; default 10,000
	Lets      int // named results; default 100
	Stages    int // stages of one pipeline; default 100
}

// EnsureDefaults fills the members that are zero.
func (l *Limits) EnsureDefaults() {
	for _, m := range []struct {
		member   *int
		standard int
	}{{&l.TextBytes, 64 << 10}, {&l.Depth, 100}, {&l.List, 10_000}, {&l.Lets, 100}, {&l.Stages, 100}} {
		if *m.member == 0 {
			*m.member = m.standard
		}
	}
}

// Parse reads a query text within the default limits. An error is always an *Error.
func Parse(text string) (*Query, error) { return Limits{}.Parse(text) }

// ParseSelector reads a selector alone, such as `a or b{x > 1}`, with no time range.
func ParseSelector(text string) (*Selector, error) {
	return parseWhole(Limits{}, text, (*parser).selector)
}

// ParseExpr reads an expression alone, such as `amount > 100`, without aggregates.
func ParseExpr(text string) (Expr, error) {
	return parseWhole(Limits{}, text, (*parser).expr)
}

// Parse reads a query text. An error is always an *Error.
func (l Limits) Parse(text string) (*Query, error) {
	q, err := l.parseTree(text)
	if err != nil {
		return nil, err
	}
	if err := check(q); err != nil {
		return nil, err
	}
	return q, nil
}

// parseTree is Parse without the check of column names.
func (l Limits) parseTree(text string) (*Query, error) { return parseWhole(l, text, (*parser).query) }

// parseWhole runs one rule of the grammar over the whole of a text.
func parseWhole[T any](l Limits, text string, rule func(*parser) T) (result T, err error) {
	l.EnsureDefaults()
	if len(text) > l.TextBytes {
		return result, Errorf(Pos{Line: 1, Column: 1}, "the query has %d bytes, more than the %d allowed", len(text), l.TextBytes)
	}
	p := &parser{limits: l, tokens: lex(text)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			var none T
			result, err = none, r
		default:
			panic(r)
		}
	}()
	result = rule(p)
	p.wantEnd()
	return result, nil
}

// parser goes through the tokens by recursive descent. A mistake leaves it by a panic with an
// *Error, which parseWhole turns into a result.
type parser struct {
	limits Limits
	tokens []token
	at     int
	depth  int
	names  []string // of the lets so far
	aggs   aggMode
}

// peek returns the next token; peekAt(1) the one behind it.
func (p *parser) peek() *token { return p.peekAt(0) }

func (p *parser) peekAt(n int) *token {
	t := &p.tokens[min(p.at+n, len(p.tokens)-1)]
	if t.kind == tokenBad && n == 0 {
		panic(t.err)
	}
	return t
}

// take returns the next token and moves on.
func (p *parser) take() *token {
	t := p.peek()
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// takeMark moves over a mark if it is next.
func (p *parser) takeMark(mark string) bool {
	if p.peek().is(mark) {
		p.at++
		return true
	}
	return false
}

// takeWord moves over a word if it is next.
func (p *parser) takeWord(word string) bool {
	if p.peek().isWord(word) {
		p.at++
		return true
	}
	return false
}

// fail leaves the parser with an error at the next token: `expected WHAT after "…", found "…"`.
func (p *parser) fail(what string) { panic(p.unexpected(what)) }

func (p *parser) unexpected(what string) *Error {
	t := p.peek()
	after := ""
	if p.at > 0 {
		after = " after " + p.tokens[p.at-1].describe()
	}
	e := Errorf(t.pos, "expected %s%s, found %s", what, after, t.describe())
	switch {
	case t.is("|") && p.at > 0 && p.tokens[p.at-1].is("|") && p.tokens[p.at-1].end == t.pos.Offset:
		e.Hint = `write "or"`
	case t.kind == tokenWord && p.at > 0 && p.tokens[p.at-1].kind == tokenInt && unitCalled(t.text) != "":
		e.Hint = fmt.Sprintf("did you mean %q?", p.tokens[p.at-1].raw+unitCalled(t.text))
	case t.kind == tokenWord && foreignWords[strings.ToLower(t.text)] != "":
		e.Hint = foreignWords[strings.ToLower(t.text)]
	case t.kind == tokenWord && keywords[strings.ToLower(t.text)] && !keywords[t.text]:
		e.Hint = fmt.Sprintf("did you mean %q?", strings.ToLower(t.text))
	case t.is("&"):
		e.Hint = `write "and"`
	case t.is("=>"):
		e.Hint = `at least is written ">="`
	case t.is("~") && p.at > 0 && p.tokens[p.at-1].is("="):
		e.Hint = `a regular expression is matched by ~ alone`
	case t.is(">") && p.at > 0 && p.tokens[p.at-1].is("<"):
		e.Hint = `write "!="`
	case t.kind == tokenDate && p.at > 0 && !p.tokens[p.at-1].isWord("on"):
		e.Hint = fmt.Sprintf(`in an expression write time("%s")`, t.raw)
	}
	return e
}

// foreignWords are words of other languages, with what ours writes instead.
var foreignWords = map[string]string{
	"is":      `write "= null" or "exists(…)"`,
	"like":    `write "contains", "starts with" or "~"`,
	"ilike":   `write "contains~i" or "starts with~i"`,
	"matches": `write "~"`,
	"between": `write "a >= 1 and a <= 5"`,
	"group":   `write "by"`,
	"order":   `write "| sort"`,

	"contains":    `write a contains "b"`,
	"startswith":  `write a starts with "b"`,
	"starts_with": `write a starts with "b"`,
	"endswith":    `write a ends with "b"`,
	"ends_with":   `write a ends with "b"`,
	"match":       `write a ~ "b"`,
}

func (p *parser) wantMark(mark string) *token {
	if !p.peek().is(mark) {
		p.fail(fmt.Sprintf("%q", mark))
	}
	return p.take()
}

func (p *parser) wantWord(word string) *token {
	if !p.peek().isWord(word) {
		p.fail(fmt.Sprintf("%q", word))
	}
	return p.take()
}

func (p *parser) wantEnd() {
	if p.peek().kind != tokenEnd {
		p.fail("the end")
	}
}

// enter counts one level of nesting; the caller defers leave.
func (p *parser) enter() {
	p.depth++
	if p.depth > p.limits.Depth {
		panic(Errorf(p.peek().pos, "the query nests deeper than %d levels", p.limits.Depth))
	}
}

func (p *parser) leave() { p.depth-- }

// list reads entries separated by commas, at least one.
func (p *parser) list(entry func()) {
	for n := 1; ; n++ {
		if n > p.limits.List {
			panic(Errorf(p.peek().pos, "the list has more than the %d entries allowed", p.limits.List))
		}
		entry()
		if !p.takeMark(",") {
			return
		}
	}
}

// query reads a whole text.
func (p *parser) query() *Query {
	q := &Query{}
	if p.peek().kind == tokenEnd {
		panic(Errorf(p.peek().pos, "the query is empty").WithHint("the shortest query is *, every event"))
	}
	for {
		switch {
		case p.declares("set"):
			p.set(&q.Settings)
			continue
		case p.declares("let"):
			q.Lets = append(q.Lets, p.let())
			continue
		}
		break
	}
	q.Pipeline = *p.pipeline()
	p.takeMark(";")
	if t := p.peek(); t.kind != tokenEnd && p.at > 0 && p.tokens[p.at-1].is(";") {
		e := p.unexpected("the end")
		if t.isWord("set") || t.isWord("let") {
			e.Hint = fmt.Sprintf("%q stands before the selector", t.text)
		} else {
			e.Hint = "a query has one pipeline; name the others with let"
		}
		panic(e)
	}
	return q
}

// declares reports whether a `set` or `let` begins here, rather than an event of that name.
func (p *parser) declares(word string) bool {
	if !p.peek().isWord(word) || !p.peekAt(1).isName() {
		return false
	}
	next := p.peekAt(2)
	return next.is("=") || !(next.is("|") || next.kind == tokenEnd) && !isRangeWord(p.peekAt(1).text)
}

func isRangeWord(word string) bool {
	return word == "last" || word == "from" || word == "on" || word == "or"
}

// let reads `let name = pipeline;`.
func (p *parser) let() *Let {
	l := &Let{Pos: p.take().pos}
	name := p.take()
	l.Name, l.NamePos = name.text, name.pos
	if l.Name == "" {
		panic(Errorf(name.pos, "a result's name cannot be empty"))
	}
	if slices.Contains(p.names, l.Name) {
		panic(Errorf(name.pos, "the name %q is given twice", l.Name))
	}
	if len(p.names) >= p.limits.Lets {
		panic(Errorf(l.Pos, "the query has more than the %d named results allowed", p.limits.Lets))
	}
	p.wantMark("=")
	l.Body = p.pipeline()
	if !p.takeMark(";") {
		p.fail(`"|" or ";"`)
	}
	p.names = append(p.names, l.Name)
	return l
}

// pipeline reads a selector, a range and stages, up to a semicolon or the end.
func (p *parser) pipeline() *Pipeline {
	pl := &Pipeline{Pos: p.peek().pos}
	pl.Selector = p.sourceSelector()
	pl.Range = p.timeRange()
	for p.takeMark("|") {
		if len(pl.Stages) >= p.limits.Stages {
			panic(Errorf(p.peek().pos, "the query has more than the %d stages allowed", p.limits.Stages))
		}
		pl.Stages = append(pl.Stages, p.stage())
	}
	switch t := p.peek(); {
	case t.kind == tokenEnd || t.is(";"):
		return pl
	case len(pl.Stages) > 0:
		p.failAfterStage(pl.Stages[len(pl.Stages)-1])
	default:
		p.failAfterSelector(pl.Range != nil)
	}
	return pl
}

// failAfterSelector reports what stands where a range, a stage or the end should.
func (p *parser) failAfterSelector(ranged bool) {
	what := `a time range, "|" or the end`
	if ranged {
		what = `"|" or the end`
	}
	e, t := p.unexpected(what), p.peek()
	if t.kind == tokenWord {
		if slices.Contains(stageNames(), t.text) {
			e.Hint = fmt.Sprintf(`stages follow a bar: | %s`, t.text)
		} else if !ranged {
			e.WithNearest(t.text, []string{"last", "from", "on", "or"})
		}
	}
	switch {
	case t.is("{"), t.is("?"), t.is("+"):
		e.Hint = "a quantifier stands in patterns only"
	case t.is("->"), t.is("=>"):
		e.Hint = "a pattern stands in a stage: | funnel a -> b"
	case t.is("("):
		e.Hint = "a condition on an event stands in braces: name{field = 1}"
	case t.is(",") && !ranged:
		e.Hint = `several events are joined by "or"`
	case t.is("-") && !ranged:
		e.Hint = "a name with such characters goes in backticks"
	}
	panic(e)
}

// failAfterStage reports what stands where a bar or the end should.
func (p *parser) failAfterStage(s Stage) {
	e, t := p.unexpected(`"|" or the end`), p.peek()
	if t.kind == tokenWord && slices.Contains(stageNames(), t.text) && e.Hint == "" {
		e.Hint = fmt.Sprintf(`stages follow a bar: | %s`, t.text)
	} else if meant := optionSynonyms[strings.ToLower(t.text)]; meant != "" && slices.Contains(stageOptions[s.Keyword()], meant) {
		e.Hint = fmt.Sprintf("did you mean %q?", meant)
	} else if t.kind == tokenWord && e.Hint == "" {
		e.WithNearest(t.text, append(strings.Fields("and or as by in not contains starts ends"), stageOptions[s.Keyword()]...))
	}
	panic(e)
}

// stageOptions are the words that may follow the beginning of a stage, for suggestions.
var stageOptions = map[string][]string{
	"stats":      {"if", "over"},
	"sort":       {"desc", "asc"},
	"funnel":     strings.Fields("within except between remove hold count entry increasing open sum at step top"),
	"match":      strings.Fields("within skip"),
	"retention":  strings.Fields("every for brackets on streak rolling min sum avg"),
	"lifecycle":  {"every"},
	"stickiness": strings.Fields("every min at"),
	"paths":      strings.Fields("from to of max gap within collapse except top shortest loops dead"),
	"session":    {"gap", "max"},
	"times":      {"hist", "to"},
	"dropped":    {"after"},
}

// optionSynonyms are what other languages call our options.
var optionSynonyms = map[string]string{
	"exclude": "except", "excluding": "except", "without": "except", "window": "within", "per": "every", "interval": "every",
	"start": "from", "end": "to", "holding": "hold", "periods": "for", "timeout": "gap", "limit": "top",
}
