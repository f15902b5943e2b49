package syntax

import (
	"slices"
	"strconv"
)

// Retention is `retention [first] START -> RETURN [option]…`: which users of each cohort come back in
// which period. Rows: the groups, then cohort, size, and a column for every period or bracket.
type Retention struct {
	Pos
	First         bool // START is the user's first in history
	Start, Return *Selector
	Every         Span  // a period; 1d when not written
	For           int   // periods after the cohort's own, perhaps none; 7 when not written; not used with Brackets
	Brackets      []int // first periods of brackets, ascending, at least one; nil: none
	When          When
	Rolling       bool    // periods of exact length from the user's START; Every is then of h, d or w
	Min           int     // RETURN events that a cell takes, at least 1
	Value         AggFunc // AggSum or AggAvg of X over the RETURN events; 0: users
	X             Expr    // nil unless there is a Value
	By            []Named // values on START
}

// When says in which periods a cell looks for RETURN.
type When uint8

// The periods that cell k looks at.
const (
	On         When = iota // the k-th (those of the bracket)
	OnOrAfter              // the k-th or any later one
	OnOrBefore             // any of 1 … k
	Streak                 // each of 1 … k
)

func (w When) String() string {
	return [...]string{"on", "on or after", "on or before", "streak"}[w]
}

// Periods returns the numbers of the columns p0, p1, … of a retention.
func (s *Retention) Periods() []int {
	if s.Brackets != nil {
		return s.Brackets
	}
	periods := make([]int, s.For+1)
	for i := range periods {
		periods[i] = i
	}
	return periods
}

// Last returns the last period of the column with number i in Periods: that before the next bracket.
func (s *Retention) Last(i int) int {
	if s.Brackets != nil && s.When == On && i+1 < len(s.Brackets) {
		return s.Brackets[i+1] - 1
	}
	return s.Periods()[i]
}

// retentionFor is how many periods a retention has when its text says nothing.
const retentionFor = 7

// periodsMax bounds the columns of a retention.
const periodsMax = 10_000

func (p *parser) retention(pos Pos) Stage {
	s := &Retention{Pos: pos, Every: Span{1, Day}, For: retentionFor, Min: 1}
	if p.peek().isWord("first") && p.termAt(1) {
		p.take()
		s.First = true
		if p.peek().isWord("ever") && p.termAt(1) {
			panic(Errorf(p.peek().pos, "retention has no first ever").
				WithHint("first is the user's first event in history that matches all of START"))
		}
	}
	s.Start = p.oneSelector("the event that begins a cohort")
	if !p.takeMark("->") {
		e := p.unexpected(`"->"`).WithHint("retention START -> RETURN")
		if p.peek().isWord("or") {
			e.Hint = "several events stand in parentheses: (a or b)"
		}
		panic(e)
	}
	if p.peek().is("[") {
		panic(p.unexpected("the event of a return").WithHint("the arrow of retention has no limit on time"))
	}
	s.Return = p.oneSelector("the event of a return")
	switch t := p.peek(); {
	case t.is("->") || t.is("=>"):
		panic(p.unexpected(`an option, "|" or the end`).WithHint("retention has one START and one RETURN"))
	case t.isWord("or"):
		panic(p.unexpected(`an option, "|" or the end`).WithHint("several events stand in parentheses: (a or b)"))
	}
	p.retentionOptions(s)
	fillNames(fixed(s.fixedColumns()), s.By)
	return s
}

func (p *parser) retentionOptions(s *Retention) {
	var every, periods, when, value *token
	setWhen := func(t *token) {
		if when != nil {
			panic(Errorf(t.pos, "%q and %q exclude each other", when.text, t.text))
		}
		when = t
	}
	setValue := func(t *token) {
		if value != nil {
			panic(Errorf(t.pos, "a retention has one sum or avg"))
		}
		value = t
		a := p.sumOf(t)
		s.Value, s.X = AggSum, a.X
		if t.text == "avg" {
			s.Value = AggAvg
		}
	}
	p.options(map[string]func(*token){
		"every": func(*token) { every = p.peek(); s.Every = p.period() },
		"for":   func(t *token) { periods = t; s.For = int(p.wantCount("a number of periods", 0, periodsMax)) },
		"brackets": func(*token) {
			p.list(func() {
				t := p.peek()
				n := int(p.wantCount("the number of a period", 0, countMax))
				if k := len(s.Brackets); k > 0 && n <= s.Brackets[k-1] {
					panic(Errorf(t.pos, "the brackets must ascend"))
				}
				s.Brackets = append(s.Brackets, n)
			})
		},
		"on": func(t *token) {
			setWhen(t)
			s.When = On
			if p.takeWord("or") {
				s.When = OnOrAfter + When(p.choice("after", "before"))
			}
		},
		"streak":  func(t *token) { setWhen(t); s.When = Streak },
		"rolling": func(*token) { s.Rolling = true },
		"min":     func(*token) { s.Min = int(p.wantCount("a whole number", 1, countMax)) },
		"sum":     setValue,
		"avg":     setValue,
		"by":      func(*token) { s.By = p.named(p.keyExpr) },
	})
	if periods != nil && s.Brackets != nil {
		panic(Errorf(periods.pos, `"for" and "brackets" exclude each other`))
	}
	if s.Rolling && s.Every.Elapsed() == 0 {
		panic(Errorf(every.pos, "rolling periods have a fixed length, found %s", every.describe()).
			WithHint("such as 1d, 7d or 30d"))
	}
}

// fixedColumns are the columns behind the keys.
func (s *Retention) fixedColumns() []string {
	names := []string{"cohort", "size"}
	for _, n := range s.Periods() {
		names = append(names, "p"+strconv.Itoa(n))
	}
	return names
}

// Keyword returns the stage's name.
func (*Retention) Keyword() string { return "retention" }

func (s *Retention) print(w *printer) {
	if s.First {
		w.text("first ")
	}
	w.oneSelector(s.Start, s.First)
	w.text(" -> ")
	w.oneSelector(s.Return, false)
	w.text(" every " + s.Every.String())
	switch {
	case s.Brackets != nil:
		w.text(" brackets ")
		for i, n := range s.Brackets {
			w.comma(i)
			w.int(int64(n))
		}
	case s.For != retentionFor:
		w.text(" for ")
		w.int(int64(s.For))
	}
	if s.When != On {
		w.text(" " + s.When.String())
	}
	if s.Rolling {
		w.text(" rolling")
	}
	if s.Min != 1 {
		w.text(" min ")
		w.int(int64(s.Min))
	}
	if s.Value != 0 {
		w.text(" " + s.Value.String() + "(")
		w.expr(s.X)
		w.text(")")
	}
	if len(s.By) > 0 {
		w.text(" by ")
		w.named(s.By, omitNames(fixed(s.fixedColumns()), s.By)[1])
	}
}

func (s *Retention) exprs(yield func(Expr)) {
	yieldConds(s.selectors(), yield)
	if s.X != nil {
		yield(s.X)
	}
	yieldNamed(s.By, yield)
}

func (s *Retention) selectors() []*Selector { return []*Selector{s.Start, s.Return} }

func (s *Retention) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.set(slices.Concat(namesOf(s.By), s.fixedColumns()))
	return nil
}
