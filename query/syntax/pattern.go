package syntax

import (
	"fmt"
	"strings"
)

// Pattern is what funnel and match look for in the events of a user: steps joined by arrows.
type Pattern struct {
	Pos   Pos
	Steps []*Step // at least one; the first of a funnel is not optional
}

// Step is one step of a pattern, with the arrow that leads to it: one selector, perhaps several times,
// or a group of several selectors that are all to match, each another event, in any order.
type Step struct {
	Pos       Pos
	Arrow     Arrow       // from the step before; zero for the first step
	First     First       // `first`, `first ever`; never of a group
	Selectors []*Selector // one, or the members of a group
	Min, Max  int         // how often, 1 and 1 where nothing is written; Max is Unbounded for {n,} and +
	Name      string      // behind `as`; "" for none; never of a group
}

// Unbounded stands for no upper bound of a quantifier.
const Unbounded = -1

// groupMax bounds the members of a group: a bit each tells which have their event.
const groupMax = 64

// Optional reports whether a chain may pass over the step.
func (s *Step) Optional() bool { return s.Min == 0 }

// Once reports whether the step has no quantifier and is no group.
func (s *Step) Once() bool { return s.Min == 1 && s.Max == 1 && len(s.Selectors) == 1 }

// First says which of a user's matching events a step takes.
type First uint8

// The kinds of First; see FirstSelector.
const (
	FirstNone  First = iota // any event
	FirstMatch              // `first e{x}`: the user's first event in history that matches all of it
	FirstEver               // `first ever e{x}`: the user's first e in history, if it also matches
)

// Arrow leads from one step to the next.
type Arrow struct {
	Strict bool // `=>`: the very next event of the stream; `->`: later or simultaneous
	// Least and Most bound the time since the step before, in nanoseconds, inclusive unless Open; Most
	// is 0 where there is no upper bound, Least where there is no lower one.
	Least, Most         int64
	LeastOpen, MostOpen bool
}

// Unlimited reports whether the arrow has no limit on time.
func (a Arrow) Unlimited() bool { return a.Least == 0 && !a.LeastOpen && a.Most == 0 }

// Allows reports whether the arrow may lead over so many nanoseconds.
func (a Arrow) Allows(nanos int64) bool {
	switch {
	case nanos < a.Least || a.LeastOpen && nanos == a.Least:
		return false
	case a.Most > 0 && (nanos > a.Most || a.MostOpen && nanos == a.Most):
		return false
	}
	return true
}

// Goal returns the number, from 0, of the last step that is not optional: a chain that has reached it
// has converted.
func (p *Pattern) Goal() int {
	for i := len(p.Steps) - 1; i > 0; i-- {
		if !p.Steps[i].Optional() {
			return i
		}
	}
	return 0
}

// FirstSelector returns the selector whose first match in history is what a step with First takes: the
// selector itself for `first`, without its conditions for `first ever`.
func FirstSelector(first First, s *Selector) *Selector {
	if first != FirstEver {
		return s
	}
	bare := &Selector{Pos: s.Pos}
	for _, t := range s.Terms {
		bare.Terms = append(bare.Terms, &Term{Pos: t.Pos, Any: t.Any, Name: t.Name})
	}
	return bare
}

// pattern reads steps joined by arrows.
func (p *parser) pattern() *Pattern {
	pt := &Pattern{Pos: p.peek().pos}
	for arrow := (Arrow{}); ; {
		if len(pt.Steps) >= p.limits.List {
			panic(Errorf(p.peek().pos, "the pattern has more than the %d steps allowed", p.limits.List))
		}
		s := p.step()
		s.Arrow = arrow
		for _, other := range pt.Steps {
			if s.Name != "" && s.Name == other.Name {
				panic(Errorf(s.Pos, "two steps are named %q", s.Name))
			}
		}
		pt.Steps = append(pt.Steps, s)
		if t := p.peek(); !t.is("->") && !t.is("=>") {
			p.patternEnds()
			return pt
		}
		arrow = p.arrow()
	}
}

// patternEnds refuses what is likely meant as an arrow or as a part of the last step.
func (p *parser) patternEnds() {
	t := p.peek()
	hint := ""
	switch {
	case t.is(","), t.is(">"), t.is("-"), t.is("="), t.is(">="), t.isWord("then"), t.isWord("and"):
		hint = "steps are joined by ->: a -> b"
	case t.isWord("or"):
		hint = "several events for one step stand in parentheses: (a or b)"
	case t.is("&"):
		hint = "a group stands in parentheses: (a & b)"
	case t.is("{") && p.tokens[p.at-1].is(")"):
		hint = "write the condition behind each name"
	case t.is("{"):
		hint = "a step is an event, then its condition, then its quantifier: e{x > 1}{2,}"
	case t.is("+"), t.is("?"), t.is("*"):
		hint = "a step has one quantifier"
	case t.is("["):
		hint = "a limit on time follows an arrow: ->[10m]"
	case t.isWord("as"):
		hint = "a step has one name, behind its quantifier"
	default:
		return
	}
	panic(p.unexpected(`an arrow, an option, "|" or the end`).WithHint("%s", hint))
}

// step reads a step, without the arrow before it.
func (p *parser) step() *Step {
	t := p.peek()
	s := &Step{Pos: t.pos, Min: 1, Max: 1}
	if t.isWord("first") && p.termAt(1) {
		p.take()
		s.First = FirstMatch
		if p.peek().isWord("ever") && p.termAt(1) {
			p.take()
			s.First = FirstEver
		}
	}
	s.Selectors = p.stepSelectors()
	if len(s.Selectors) > 1 {
		p.groupEnds(s)
		return s
	}
	p.quantifier(s)
	if p.takeWord("as") {
		pos := p.peek().pos
		s.Name = p.newName()
		if first, _, _ := strings.Cut(s.Name, "."); first == ColumnUser || first == "fields" {
			panic(Errorf(pos, "a step cannot be named %q, as %s.NAME has a meaning already", s.Name, first))
		}
	}
	return s
}

// groupEnds refuses what cannot belong to a group.
func (p *parser) groupEnds(s *Step) {
	t := p.peek()
	switch {
	case s.First != FirstNone:
		panic(Errorf(s.Pos, "first belongs to one event, not to a group"))
	case t.is("{"), t.is("+"), t.is("?"):
		panic(Errorf(t.pos, "a group has no quantifier, found %s", t.describe()))
	case t.isWord("as"):
		panic(Errorf(t.pos, "a group has no name, found %s", t.describe()).
			WithHint("name the steps before or behind it"))
	}
}

// termAt reports whether the n-th token from here begins a selector, rather than continuing after an
// event's name: first is a keyword where a selector follows it, and else the name of an event.
func (p *parser) termAt(n int) bool {
	switch t, next := p.peekAt(n), p.peekAt(n+1); t.kind {
	case tokenString, tokenQuoted:
		return true
	case tokenMark:
		return t.text == "*" || t.text == "(" || t.text == "{" && !p.quantifiesAt(n)
	case tokenWord:
		switch t.text {
		case "as", "hold":
			return !next.isName()
		case "by":
			return !next.isName() && !next.is("(") && next.kind != tokenString
		case "except":
			return next.kind == tokenEnd || next.kind == tokenMark && !next.is("*") && !next.is("(") && !next.is("{")
		case "count":
			return !next.isWord("users") && !next.isWord("totals") && !next.isWord("sessions")
		case "entry":
			return !next.isWord("first") && !next.isWord("latest")
		case "skip":
			return !next.isWord("past") && !next.isWord("next")
		case "within":
			return next.kind != tokenSpan && next.kind != tokenInt
		case "sum":
			return !next.is("(")
		}
		return !reserved[t.text]
	}
	return false
}

// stepSelectors reads the selector of a step, or those of a group.
func (p *parser) stepSelectors() []*Selector {
	t := p.peek()
	if !t.is("(") {
		if t.is("{") && p.quantifies() || t.kind == tokenMark && !t.is("*") && !t.is("{") ||
			t.kind != tokenMark && !t.isName() && t.kind != tokenString {
			p.fail("a step")
		}
		return []*Selector{{Pos: t.pos, Terms: []*Term{p.term()}}}
	}
	p.enter()
	defer p.leave()
	p.take()
	var members []*Selector
	for {
		members = append(members, p.member())
		if most := min(p.limits.List, groupMax); len(members) > most {
			panic(Errorf(p.peek().pos, "the group has more than the %d events allowed", most))
		}
		if !p.takeMark("&") {
			break
		}
	}
	if !p.takeMark(")") {
		e := p.unexpected(`"&", "or" or ")"`)
		if t := p.peek(); t.is("->") || t.is("=>") {
			e.Hint = "an arrow cannot stand in parentheses"
		} else if t.is(",") || t.isWord("and") {
			e.Hint = "(a & b) is both, (a or b) is one of them"
		}
		panic(e)
	}
	return members
}

// member reads one member of a group: an event, or several in parentheses; alone in its parentheses it
// may be several without further ones.
func (p *parser) member() *Selector {
	s := &Selector{Pos: p.peek().pos}
	alone, several := p.tokens[p.at-1].is("("), false
	for {
		if p.peek().is("(") {
			s.Terms = append(s.Terms, p.parenthesised().Terms...)
		} else {
			s.Terms = append(s.Terms, p.term())
		}
		if len(s.Terms) > p.limits.List {
			panic(Errorf(p.peek().pos, "the selector has more than the %d events allowed", p.limits.List))
		}
		or := p.peek().isWord("or")
		if or && !alone || several && p.peek().is("&") {
			panic(p.unexpected(`")"`).WithHint("within a group several events stand in parentheses: (a & (b or c))"))
		}
		if !or {
			return s
		}
		p.take()
		several = true
	}
}

// parenthesised reads a selector in parentheses.
func (p *parser) parenthesised() *Selector {
	p.take()
	s := p.selector()
	if !p.takeMark(")") {
		e := p.unexpected(`"or" or ")"`)
		if p.peek().is("&") {
			e.Hint = "a group stands alone in its parentheses, as one step: (a & b & c)"
		}
		panic(e)
	}
	return s
}

// oneSelector reads a selector of one event, or of several in parentheses.
func (p *parser) oneSelector(what string) *Selector {
	if t := p.peek(); t.is("(") {
		s := p.parenthesised()
		s.Pos = t.pos
		return s
	} else if t.kind != tokenString && !t.isName() && !t.is("*") && (!t.is("{") || p.quantifies()) {
		p.fail(what)
	}
	t := p.peek()
	return &Selector{Pos: t.pos, Terms: []*Term{p.term()}}
}

// quantifier reads {n}, {n,}, {n,m}, + or ?, if there is one.
func (p *parser) quantifier(s *Step) {
	t := p.peek()
	switch {
	case p.takeMark("+"):
		s.Max = Unbounded
	case p.takeMark("?"):
		s.Min = 0
	case t.is("{") && p.quantifies():
		p.take()
		s.Min = int(p.wantCount("a whole number", 0, countMax))
		s.Max = s.Min
		if p.takeMark(",") {
			s.Max = Unbounded
			if n := p.peek(); n.kind == tokenInt {
				s.Max = int(p.wantCount("a whole number", 0, countMax))
				if s.Max < s.Min {
					panic(Errorf(n.pos, "the most is less than the least in {%d,%d}", s.Min, s.Max))
				}
			}
		}
		p.wantMark("}")
		if s.Max == 0 {
			panic(Errorf(t.pos, "a step cannot happen zero times").WithHint("? makes a step optional"))
		}
	}
}

// arrow reads an arrow with its limit on time.
func (p *parser) arrow() Arrow {
	a := Arrow{Strict: p.take().is("=>")}
	open := p.peek()
	if !p.takeMark("[") {
		return a
	}
	if t := p.peek(); t.kind == tokenSpan || t.kind == tokenInt {
		a.Most = p.elapsedSpan("a duration such as 10m")
		p.limitEnds(open)
		return a
	}
	p.bound(&a)
	if p.takeWord("and") {
		p.bound(&a)
	}
	p.limitEnds(open)
	if a.Most > 0 && (a.Least > a.Most || a.Least == a.Most && (a.LeastOpen || a.MostOpen)) {
		panic(Errorf(open.pos, "no time is within the limits of the arrow"))
	}
	return a
}

func (p *parser) limitEnds(open *token) {
	if p.takeMark("]") {
		return
	}
	e := p.unexpected(`"]"`)
	if t := p.peek(); t.is(",") || t.is("-") || t.isWord("and") || t.isWord("to") || t.is(".") {
		e.Hint = "two limits are written [>= 5s and < 1h]"
	}
	panic(e)
}

// bound reads one limit, such as `>= 5s`.
func (p *parser) bound(a *Arrow) {
	t := p.peek()
	if !t.is(">") && !t.is(">=") && !t.is("<") && !t.is("<=") {
		panic(p.unexpected("a limit on time").WithHint("such as [10m], [> 5s] or [>= 5s and < 1h]"))
	}
	p.take()
	lower := t.text[0] == '>'
	if lower && (a.Least > 0 || a.LeastOpen) || !lower && a.Most > 0 {
		panic(Errorf(t.pos, "the arrow has two limits of the same kind"))
	}
	if !lower {
		a.Most, a.MostOpen = p.elapsedSpan("a duration such as 10m"), t.is("<")
		return
	}
	a.Least, a.LeastOpen = p.elapsed(p.wantSpan("a duration such as 10m")), t.is(">")
}

func (w *printer) pattern(pt *Pattern) {
	for i, s := range pt.Steps {
		if i > 0 {
			w.text(" " + s.Arrow.String() + " ")
		}
		w.step(s)
	}
}

// String prints the arrow as the language writes it.
func (a Arrow) String() string {
	text := "->"
	if a.Strict {
		text = "=>"
	}
	if a.Unlimited() {
		return text
	}
	var limits []string
	switch {
	case a.LeastOpen:
		limits = append(limits, "> "+durationText(a.Least))
	case a.Least > 0:
		limits = append(limits, ">= "+durationText(a.Least))
	}
	switch {
	case a.MostOpen:
		limits = append(limits, "< "+durationText(a.Most))
	case a.Most > 0 && len(limits) == 0:
		limits = append(limits, durationText(a.Most))
	case a.Most > 0:
		limits = append(limits, "<= "+durationText(a.Most))
	}
	return text + "[" + strings.Join(limits, " and ") + "]"
}

func (w *printer) step(s *Step) {
	w.text([...]string{"", "first ", "first ever "}[s.First])
	if len(s.Selectors) > 1 {
		w.text("(")
		for i, member := range s.Selectors {
			if i > 0 {
				w.text(" & ")
			}
			w.oneSelector(member, false)
		}
		w.text(")")
		return
	}
	w.oneSelector(s.Selectors[0], s.First != FirstNone)
	switch {
	case s.Min == 1 && s.Max == 1:
	case s.Min == 0 && s.Max == 1:
		w.text("?")
	case s.Min == 1 && s.Max == Unbounded:
		w.text("+")
	case s.Max == Unbounded:
		w.text(fmt.Sprintf("{%d,}", s.Min))
	case s.Min == s.Max:
		w.text(fmt.Sprintf("{%d}", s.Min))
	default:
		w.text(fmt.Sprintf("{%d,%d}", s.Min, s.Max))
	}
	if s.Name != "" {
		w.text(" as ")
		w.name(s.Name)
	}
}

// oneSelector writes a selector that oneSelector reads. Behind `first` some names would be misread.
func (w *printer) oneSelector(s *Selector, first bool) {
	if len(s.Terms) > 1 {
		w.text("(")
		w.selector(s)
		w.text(")")
		return
	}
	if t := s.Terms[0]; first && !t.Any && (t.Name == "ever" || t.Name == "hold" || t.Name == "except") {
		w.quoted(t.Name, '`')
		w.braces(t.Cond)
		return
	}
	w.selector(s)
}

// selectors returns those of all steps.
func (p *Pattern) selectors() []*Selector {
	var list []*Selector
	for _, s := range p.Steps {
		list = append(list, s.Selectors...)
	}
	return list
}
