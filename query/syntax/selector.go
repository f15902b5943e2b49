package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// sourceSelector reads the selector that a pipeline begins with.
func (p *parser) sourceSelector() *Selector {
	t := p.peek()
	if t.kind == tokenWord && isRangeWord(t.text) {
		if k := p.peekAt(1).kind; k == tokenSpan || k == tokenDate || k == tokenInt {
			panic(Errorf(t.pos, "expected a selector before the time range, found %s", t.describe()).
				WithHint("* %s … takes every event", t.text))
		}
	}
	if t.is("|") {
		panic(p.unexpected("a selector").WithHint("begin with an event name, or with * for every event"))
	}
	return p.selector()
}

// selector reads terms joined by `or`.
func (p *parser) selector() *Selector {
	p.enter()
	defer p.leave()
	s := &Selector{Pos: p.peek().pos}
	for {
		if p.takeMark("(") {
			s.Terms = append(s.Terms, p.selector().Terms...)
			p.wantMark(")")
			if t := p.peek(); t.is("{") {
				panic(Errorf(t.pos, "braces follow one event, not a group").
					WithHint("write the condition behind each name"))
			}
		} else {
			s.Terms = append(s.Terms, p.term())
		}
		if len(s.Terms) > p.limits.List {
			panic(Errorf(p.peek().pos, "the selector has more than the %d events allowed", p.limits.List))
		}
		if !p.takeWord("or") {
			break
		}
	}
	if t := p.peek(); t.isWord("and") || t.is(",") && p.depth > 1 {
		panic(p.unexpected(`"or"`).WithHint(`several events are joined by "or"`))
	}
	return s
}

// term reads `*`, a name or neither, and a condition in braces.
func (p *parser) term() *Term {
	t := p.peek()
	term := &Term{Pos: t.pos}
	switch {
	case t.is("*"):
		p.take()
		term.Any = true
	case t.is("{") && !p.quantifies():
		term.Any = true
	case t.kind == tokenString:
		p.take()
		term.Name = t.text
	case t.kind == tokenWord && reserved[t.text]:
		panic(p.unexpected("an event").WithHint("an event of that name goes in backticks: `%s`", t.text))
	case t.isName():
		term.Name = p.dotted("an event")
	default:
		p.fail("an event")
	}
	if !term.Any && term.Name == "" {
		panic(Errorf(t.pos, "an event's name cannot be empty").WithHint("* takes every event"))
	}
	if p.peek().is("{") && !p.quantifies() {
		p.take()
		term.Cond = p.braces()
	}
	return term
}

// quantifies reports whether {n}, {n,} or {n,m} comes next, which is a quantifier and no condition.
func (p *parser) quantifies() bool { return p.quantifiesAt(0) }

func (p *parser) quantifiesAt(n int) bool {
	if !p.peekAt(n).is("{") || p.peekAt(n+1).kind != tokenInt {
		return false
	}
	n += 2
	if p.peekAt(n).is(",") {
		n++
		if p.peekAt(n).kind == tokenInt {
			n++
		}
	}
	return p.peekAt(n).is("}")
}

// braces reads a condition up to its closing brace; a comma is an `and` that binds loosest.
func (p *parser) braces() Expr {
	if p.takeMark("}") {
		return nil
	}
	defer p.mode(aggNone)()
	var cond Expr
	for {
		e := p.condition()
		if cond == nil {
			cond = e
		} else {
			cond = &Binary{Pos: p.tokens[p.at-1].pos, Op: OpAnd, X: cond, Y: e}
		}
		if p.takeMark("}") {
			return cond
		}
		if !p.takeMark(",") {
			p.fail(`"," or "}"`)
		}
	}
}

// dotted reads a name of one or more parts joined by dots.
func (p *parser) dotted(what string) string {
	name := p.part(what)
	for p.takeMark(".") {
		name += "." + p.part("a name")
	}
	return name
}

// part reads one part of a name.
func (p *parser) part(what string) string {
	t := p.peek()
	if !t.isName() {
		e := p.unexpected(what)
		if (t.kind == tokenInt || t.kind == tokenFloat) && p.at > 0 && p.tokens[p.at-1].is(".") {
			e.Hint = "a name with such parts goes in backticks as a whole"
		}
		panic(e)
	}
	return p.take().text
}

// timeRange reads `last SPAN`, `from T to T` or `on T`, or nothing.
func (p *parser) timeRange() *Range {
	t := p.peek()
	r := &Range{Pos: t.pos}
	switch {
	case p.takeWord("last"):
		r.Kind = RangeLast
		r.Last = p.calendarSpan("a duration such as 30d")
	case p.takeWord("from"):
		r.Kind = RangeBetween
		r.From = p.instant()
		p.wantWord("to")
		r.To = p.instant()
		if a, b := r.From, r.To; a.Kind == b.Kind && a.Kind != InstantNow && !a.Wall.Before(b.Wall) {
			panic(Errorf(b.Pos, "the time range ends before it begins").
				WithHint("from T to T takes its beginning and leaves out its end"))
		}
	case p.takeWord("on"):
		r.Kind = RangeOn
		r.From = p.instant()
		if r.From.Kind != InstantDate && r.From.Kind != InstantNow {
			panic(Errorf(r.From.Pos, "expected a date after \"on\", found a time of day").
				WithHint("write from … to …"))
		}
	default:
		return nil
	}
	return r
}

// instant reads a date, a date-time, or `now`, with quotes or without.
func (p *parser) instant() Instant {
	t := p.peek()
	switch {
	case t.kind == tokenDate:
		p.take()
		return t.instant
	case t.isWord("now"):
		p.take()
		return Instant{Pos: t.pos, Kind: InstantNow}
	case t.kind == tokenString:
		i, ok := parseInstant(strings.TrimSpace(t.text))
		if !ok {
			panic(notDate(t.pos, t.describe(), t.text))
		}
		p.take()
		i.Pos = t.pos
		return i
	}
	e := p.unexpected("a date")
	if t.kind == tokenInt || t.kind == tokenWord {
		e.Hint = "dates look like 2025-06-01, 2025-06-01T10:30, or now"
	}
	panic(e)
}

// calendarSpan reads a number of units of which each counts as the calendar has it.
func (p *parser) calendarSpan(what string) Span {
	t := p.wantSpan(what)
	if len(t.span) == 1 {
		part := t.span[0]
		if n, err := parseCount(part.number); err == nil {
			s := Span{Count: n, Unit: part.unit}
			if n == 0 {
				panic(Errorf(t.pos, "the duration %s is empty", t.raw))
			}
			if n > longestSpan(part.unit) {
				panic(Errorf(t.pos, "the duration %s is too long", t.raw))
			}
			return s
		}
		if part.unit >= Day {
			panic(Errorf(t.pos, "%s is not a whole number of units", t.raw).WithHint("write it in hours"))
		}
	}
	nanos := p.elapsed(t)
	if nanos <= 0 {
		panic(Errorf(t.pos, "the duration %s is empty", t.raw))
	}
	for u := Hour; ; u-- {
		if nanos%u.Elapsed() == 0 {
			return Span{Count: nanos / u.Elapsed(), Unit: u}
		}
	}
}

// longestSpan returns the largest count of a unit: some 292 years.
func longestSpan(u Unit) int64 {
	switch u {
	case Month:
		return 292 * 12
	case Quarter:
		return 292 * 4
	case Year:
		return 292
	}
	return (1<<63 - 1) / u.Elapsed()
}

// elapsedSpan reads a duration longer than 0 that does not depend on the calendar, in nanoseconds.
func (p *parser) elapsedSpan(what string) int64 {
	t := p.wantSpan(what)
	nanos := p.elapsed(t)
	if nanos <= 0 {
		panic(Errorf(t.pos, "the duration %s is empty", t.raw))
	}
	return nanos
}

func (p *parser) wantSpan(what string) *token {
	t := p.peek()
	if t.kind == tokenSpan {
		return p.take()
	}
	e := p.unexpected(what)
	switch {
	case t.kind == tokenInt:
		e.Hint = fmt.Sprintf("a duration has a unit: %sd", t.text)
	case t.kind == tokenWord && unitCalled(t.text) != "":
		e.Hint = fmt.Sprintf("did you mean %q?", "1"+unitCalled(t.text))
	}
	panic(e)
}

// elapsed adds up a span in nanoseconds.
func (p *parser) elapsed(t *token) int64 {
	nanos, err := elapsedNanos(t.span, false)
	if err != "" {
		e := Errorf(t.pos, "the duration %s %s", t.raw, err)
		days := map[Unit]int{Month: 30, Quarter: 90, Year: 365}[t.span[0].unit]
		if n, bad := strconv.Atoi(t.span[0].number); bad == nil && days > 0 && n <= 100 {
			e.Hint = fmt.Sprintf("write %dd", n*days)
		}
		panic(e)
	}
	return nanos
}
