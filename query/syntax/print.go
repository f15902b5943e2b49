package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

// String prints the query in its canonical form, on one line. Parsing it gives an equal tree.
func (q *Query) String() string {
	var w printer
	w.settings(&q.Settings)
	for _, l := range q.Lets {
		w.text("let ")
		w.resultName(l.Name)
		w.text(" = ")
		w.pipeline(l.Body)
		w.text("; ")
	}
	w.pipeline(&q.Pipeline)
	return w.String()
}

// String prints the pipeline in its canonical form.
func (pl *Pipeline) String() string {
	var w printer
	w.pipeline(pl)
	return w.String()
}

// String prints the selector in its canonical form.
func (s *Selector) String() string {
	var w printer
	w.selector(s)
	return w.String()
}

// StageString prints a stage in its canonical form.
func StageString(s Stage) string {
	var w printer
	w.stage(s)
	return w.String()
}

// ExprString prints an expression in its canonical form.
func ExprString(e Expr) string {
	var w printer
	w.expr(e)
	return w.String()
}

// String prints the name with the scope in front.
func (c *Column) String() string { return ExprString(c) }

// printer builds the canonical text.
type printer struct{ strings.Builder }

func (w *printer) text(s string) { w.WriteString(s) }

func (w *printer) int(n int64) { w.text(strconv.FormatInt(n, 10)) }

// comma writes the separator in front of the i-th entry of a list.
func (w *printer) comma(i int) {
	if i > 0 {
		w.text(", ")
	}
}

func (w *printer) settings(s *Settings) {
	n := 0
	set := func(name string) {
		if n++; n == 1 {
			w.text("set ")
		}
		w.comma(n - 1)
		w.text(name + " = ")
	}
	if s.Zone != "" {
		set("tz")
		w.quoted(s.Zone, '"')
	}
	if s.Week != nil {
		set("week")
		w.text(strings.ToLower(s.Week.String()[:3]))
	}
	if s.Actor != nil {
		set("actor")
		w.expr(s.Actor)
	}
	if s.Identity != IdentityDefault {
		set("identity")
		w.text(s.Identity.String())
	}
	if n > 0 {
		w.text("; ")
	}
}

func (w *printer) pipeline(pl *Pipeline) {
	w.selector(pl.Selector)
	if pl.Range != nil {
		w.text(" ")
		w.timeRange(pl.Range)
	}
	for _, s := range pl.Stages {
		w.text(" | ")
		w.stage(s)
	}
}

func (w *printer) stage(s Stage) {
	w.text(s.Keyword())
	var rest printer
	s.print(&rest)
	if rest.Len() > 0 {
		w.text(" " + rest.String())
	}
}

func (w *printer) selector(s *Selector) {
	for i, t := range s.Terms {
		if i > 0 {
			w.text(" or ")
		}
		switch {
		case t.Any && t.Cond == nil:
			w.text("*")
		case !t.Any:
			w.name(t.Name)
		}
		w.braces(t.Cond)
	}
}

// braces writes the condition of a term, if it has one.
func (w *printer) braces(cond Expr) {
	if l, ok := cond.(*Literal); ok && l.Value.Kind() == event.KindInt {
		w.text("{(") // {2} is a quantifier
		w.value(l.Value)
		w.text(")}")
	} else if cond != nil {
		w.text("{")
		w.expr(cond)
		w.text("}")
	}
}

func (w *printer) timeRange(r *Range) {
	switch r.Kind {
	case RangeLast:
		w.text("last " + r.Last.String())
	case RangeBetween:
		w.text("from " + r.From.String() + " to " + r.To.String())
	case RangeOn:
		w.text("on " + r.From.String())
	}
}

// String prints the span as the language writes it.
func (s Span) String() string { return fmt.Sprintf("%d%s", s.Count, s.Unit) }

// String prints the instant as the language writes it.
func (i Instant) String() string {
	switch i.Kind {
	case InstantDate:
		return i.Wall.Format("2006-01-02")
	case InstantLocal:
		return i.Wall.Format("2006-01-02T15:04:05.999999999")
	case InstantExact:
		return i.Wall.Format(time.RFC3339Nano)
	}
	return "now"
}

// keywords have a meaning somewhere in the language; the printer puts names that are one of them in
// backticks, though most places could do without.
var keywords = map[string]bool{}

func init() {
	for name := range reserved {
		keywords[name] = true
	}
	for _, name := range strings.Fields("set let last from on to now by as if over desc asc with contains starts ends first fields") {
		keywords[name] = true
	}
}

// name writes a name of a column, event or result, in backticks where it needs them.
func (w *printer) name(name string) {
	parts := strings.Split(name, ".")
	plain := !keywords[strings.ToLower(parts[0])] && (len(parts) == 1 || parts[0] != "user")
	for _, part := range parts {
		plain = plain && isWord(part)
	}
	if plain {
		w.text(name)
		return
	}
	w.quoted(name, '`')
}

// nameText returns a name as name writes it.
func nameText(name string) string {
	var w printer
	w.name(name)
	return w.String()
}

// resultName writes the name of a Let, which has one part.
func (w *printer) resultName(name string) {
	if strings.Contains(name, ".") {
		w.quoted(name, '`')
		return
	}
	w.name(name)
}

// quoted writes a string or name between quotes.
func (w *printer) quoted(s string, quote byte) {
	w.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			w.text("\\" + string(r))
		case r == '\n':
			w.text(`\n`)
		case r == '\t':
			w.text(`\t`)
		case r == '\r':
			w.text(`\r`)
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(w, `\u%04x`, r)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte(quote)
}

// value writes a constant.
func (w *printer) value(v event.Value) {
	switch v.Kind() {
	case event.KindNull:
		w.text("null")
	case event.KindBool:
		w.text(strconv.FormatBool(v.AsBool()))
	case event.KindInt:
		w.int(v.AsInt())
	case event.KindFloat:
		s := strconv.FormatFloat(v.AsFloat(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		w.text(s)
	case event.KindString:
		w.quoted(v.AsString(), '"')
	case event.KindDuration:
		w.text(durationText(v.AsInt()))
	default:
		w.text(v.Kind().String())
	}
}

// durationText writes nanoseconds in the largest unit, up to days, that divides them.
func durationText(nanos int64) string {
	if nanos == 0 {
		return "0s"
	}
	u := Day
	for nanos%u.Elapsed() != 0 {
		u--
	}
	return fmt.Sprintf("%d%s", nanos/u.Elapsed(), u)
}

func (w *printer) assignment(n Named) {
	w.name(n.Name)
	w.text(" = ")
	w.expr(n.Expr)
}

// named writes expressions with the names that are not omitted.
func (w *printer) named(list []Named, omitted []bool) {
	for i, n := range list {
		w.comma(i)
		w.expr(n.Expr)
		if !omitted[i] {
			w.text(" as ")
			w.name(n.Name)
		}
	}
}

func (w *printer) by(keys []Expr) {
	for i, k := range keys {
		if i == 0 {
			w.text(" by ")
		}
		w.comma(i)
		w.expr(k)
	}
}
