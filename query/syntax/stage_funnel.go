package syntax

import (
	"fmt"
	"slices"
)

// Funnel is `funnel PATTERN [option]…`: how far the attempts of each user get along the pattern. Rows:
// the groups, then FunnelColumns, then the sums. Trend, Times, Converted, Dropped, Pending and Users
// right behind it are other views of the same run.
type Funnel struct {
	Pos
	Pattern    *Pattern
	Within     int64     // nanoseconds from the attempt's first event, inclusive; 7d when not written
	Except     []*Except // any number
	Hold       []Expr    // values that all steps share with the first
	Count      CountUnit
	Latest     bool    // `entry latest`: of equally deep attempts the one that starts last
	Increasing bool    // simultaneous events do not follow each other
	Open       bool    // an attempt may start at any step
	Sums       []Named // `sum(f)`: default names sum_f
	By         []Named // breakdown
	At         At      // the step that gives the breakdown's value
	AtStep     int     // AtOne: the step's number, from 1
	Top        int     // groups with most users at step 1; 0: all
}

// FunnelWithin is the conversion window of a funnel that names none.
const FunnelWithin = 7 * 24 * 3600 * 1_000_000_000

// FunnelColumns are the columns of a Funnel between those of groups and sums.
var FunnelColumns = [...]string{"step", "event", "count", "rate", "step_rate", "dropped", "pending", "avg_time", "median_time"}

// Except is `except SEL [between i and j] [remove]`: an event that ends the attempt when it lies strictly
// between the times of two steps.
type Except struct {
	Pos      Pos
	Selector *Selector
	From, To int  // numbers of steps, From < To; first and last when not written
	Remove   bool // a user whose deepest attempts are all spoilt leaves the funnel
}

// CountUnit is what a funnel counts.
type CountUnit uint8

// What a funnel counts.
const (
	CountUsers    CountUnit = iota
	CountTotals             // attempts
	CountSessions           // sessions
)

func (c CountUnit) String() string { return [...]string{"users", "totals", "sessions"}[c] }

// At says which event gives the value of a breakdown.
type At uint8

// The places of a breakdown.
const (
	AtOne   At = iota // at step n, the first when nothing is written
	AtFirst           // the first value on any event that matches a step
	AtLast            // the last one
	AtAll             // all steps' events have the value
)

func (p *parser) funnel(pos Pos) Stage {
	s := &Funnel{Pos: pos, Pattern: p.pattern(), Within: FunnelWithin, AtStep: 1}
	if first := s.Pattern.Steps[0]; first.Optional() {
		panic(Errorf(first.Pos, "the first step of a funnel cannot be optional"))
	}
	var at, top *token
	p.options(map[string]func(*token){
		"within":     func(*token) { s.Within = p.elapsedSpan("a duration such as 7d") },
		"except":     func(t *token) { s.Except = append(s.Except, p.except(s, t.pos)) },
		"hold":       func(*token) { p.list(func() { s.Hold = append(s.Hold, p.expr()) }) },
		"count":      func(*token) { s.Count = CountUnit(p.choice("users", "totals", "sessions")) },
		"entry":      func(*token) { s.Latest = p.choice("first", "latest") == 1 },
		"increasing": func(*token) { s.Increasing = true },
		"open":       func(*token) { s.Open = true },
		"sum":        func(t *token) { p.sums(s, t) },
		"by":         func(*token) { s.By = p.named(p.keyExpr) },
		"at":         func(t *token) { at = t; p.funnelAt(s) },
		"top":        func(t *token) { top = t; s.Top = int(p.wantCount("a whole number", 1, countMax)) },
	}, "except", "sum")
	if s.By == nil && at != nil {
		panic(Errorf(at.pos, `"at" needs a breakdown`).WithHint("add: by field"))
	}
	if s.By == nil && top != nil {
		panic(Errorf(top.pos, `"top" needs a breakdown`).WithHint("add: by field"))
	}
	fillNames(fixed(FunnelColumns[:]), s.By, s.Sums)
	return s
}

// except reads the rest of an exclusion.
func (p *parser) except(s *Funnel, pos Pos) *Except {
	steps := len(s.Pattern.Steps)
	if steps < 2 {
		panic(Errorf(pos, "except needs a funnel of at least two steps"))
	}
	e := &Except{Pos: pos, Selector: p.optionSelector(), From: 1, To: steps}
	if p.takeWord("between") {
		e.From = p.stepNumber(steps)
		p.wantWord("and")
		to := p.peek()
		e.To = p.stepNumber(steps)
		if e.To <= e.From {
			panic(Errorf(to.pos, "expected a step after step %d, found %s", e.From, to.describe()))
		}
	}
	e.Remove = p.takeWord("remove")
	return e
}

// stepNumber reads the number of a step of a pattern.
func (p *parser) stepNumber(steps int) int {
	t := p.peek()
	if t.kind == tokenInt {
		if n, err := parseCount(t.text); err != nil || n < 1 || n > int64(steps) {
			panic(Errorf(t.pos, "the pattern has no step %s", shorten(t.text)).WithHint("its steps go from 1 to %d", steps))
		}
	}
	return int(p.wantCount("the number of a step", 1, int64(steps)))
}

// sums reads the rest of `sum(f) [as name] [, sum(g) …]`.
func (p *parser) sums(s *Funnel, t *token) {
	for {
		n := Named{Pos: t.pos, Expr: p.sumOf(t)}
		if p.takeWord("as") {
			n.Pos = p.peek().pos
			n.Name = p.newName()
		}
		s.Sums = append(s.Sums, n)
		if !p.peek().is(",") || !p.peekAt(1).isWord("sum") {
			return
		}
		p.take()
		t = p.take()
	}
}

// sumOf reads the argument of a sum.
func (p *parser) sumOf(t *token) *Agg {
	a := &Agg{Pos: t.pos, Func: AggSum}
	defer p.mode(aggInside)()
	p.wantMark("(")
	a.X = p.expr()
	if !p.takeMark(")") {
		p.fail(`")"`)
	}
	return a
}

// funnelAt reads the rest of `at step n|first|last|all`; the word step may be left out.
func (p *parser) funnelAt(s *Funnel) {
	step := p.takeWord("step")
	if t := p.peek(); t.kind == tokenInt {
		s.At, s.AtStep = AtOne, p.stepNumber(len(s.Pattern.Steps))
		return
	}
	if t := p.peek(); !t.isWord("first") && !t.isWord("last") && !t.isWord("all") && !step {
		e := p.unexpected(`"step", "first", "last" or "all"`)
		if t.kind == tokenWord {
			e.WithNearest(t.text, []string{"step", "first", "last", "all"})
		}
		panic(e)
	}
	s.At, s.AtStep = At(1+p.choice("first", "last", "all")), 0
}

// Keyword returns the stage's name.
func (*Funnel) Keyword() string { return "funnel" }

func (s *Funnel) print(w *printer) {
	w.pattern(s.Pattern)
	w.text(" within " + durationText(s.Within))
	for _, e := range s.Except {
		w.text(" except ")
		w.oneSelector(e.Selector, false)
		if e.From != 1 || e.To != len(s.Pattern.Steps) {
			w.text(fmt.Sprintf(" between %d and %d", e.From, e.To))
		}
		if e.Remove {
			w.text(" remove")
		}
	}
	for i, e := range s.Hold {
		if i == 0 {
			w.text(" hold ")
		}
		w.comma(i)
		w.expr(e)
	}
	if s.Count != CountUsers {
		w.text(" count " + s.Count.String())
	}
	if s.Latest {
		w.text(" entry latest")
	}
	if s.Increasing {
		w.text(" increasing")
	}
	if s.Open {
		w.text(" open")
	}
	omitted := omitNames(fixed(FunnelColumns[:]), s.By, s.Sums)
	for i, n := range s.Sums {
		w.text(" ")
		w.named([]Named{n}, omitted[2][i:])
	}
	if len(s.By) > 0 {
		w.text(" by ")
		w.named(s.By, omitted[1])
		switch {
		case s.At != AtOne:
			w.text(" at " + [...]string{"", "first", "last", "all"}[s.At])
		case s.AtStep != 1:
			w.text(" at step ")
			w.int(int64(s.AtStep))
		}
		if s.Top > 0 {
			w.text(" top ")
			w.int(int64(s.Top))
		}
	}
}

func (s *Funnel) exprs(yield func(Expr)) {
	yieldConds(s.selectors(), yield)
	yieldExprs(s.Hold, yield)
	yieldNamed(s.Sums, yield)
	yieldNamed(s.By, yield)
}

func (s *Funnel) selectors() []*Selector {
	list := s.Pattern.selectors()
	for _, e := range s.Except {
		list = append(list, e.Selector)
	}
	return list
}

func (s *Funnel) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.set(slices.Concat(namesOf(s.By), FunnelColumns[:], namesOf(s.Sums)))
	return nil
}
