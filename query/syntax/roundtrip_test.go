package syntax

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
)

// TestRoundTrip prints random trees and parses the text: the tree must come back.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { mustRoundTrip(t, randomQuery(t)) })
}

func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { mustRoundTrip(t, randomQuery(t)) }))
}

// random draws trees that the parser can make.
type random struct {
	*rapid.T
	lets  []string
	depth int
}

func randomQuery(t *rapid.T) *Query {
	g := &random{T: t}
	q := &Query{}
	if g.chance() {
		q.Settings.Zone = g.of("UTC", "Asia/Shanghai", "America/St_Johns")
	}
	if g.chance() {
		day := time.Weekday(g.upTo(6))
		q.Settings.Week = &day
	}
	if g.chance() {
		q.Settings.Actor = &Column{Scope: Scope(g.upTo(1)), Name: g.name()}
	}
	q.Settings.Identity = Identity(g.upTo(2))
	for range g.upTo(2) {
		name := g.event()
		if slices.Contains(g.lets, name) {
			continue
		}
		q.Lets = append(q.Lets, &Let{Name: name, Body: g.pipeline()})
		g.lets = append(g.lets, name)
	}
	q.Pipeline = *g.pipeline()
	return q
}

func (g *random) upTo(n int) int { return rapid.IntRange(0, n).Draw(g.T, "n") }

func (g *random) chance() bool { return rapid.Bool().Draw(g.T, "chance") }

func (g *random) of(texts ...string) string { return rapid.SampledFrom(texts).Draw(g.T, "of") }

func (g *random) name() string {
	if g.chance() {
		return g.of("a", "b", "amount", "count", "time", "payload.action", "count_2", "sum_a", "time_2")
	}
	if g.chance() {
		return g.of("user.x", "fields.x", "fields", "user", "and", "last", "by", "p99.9", "a..b", ".", "日本", "$x", "`", "\\", "\n\u2028", "set", "if", "i", "")
	}
	return rapid.String().Draw(g.T, "name")
}

func (g *random) event() string {
	for {
		if name := g.name(); name != "" {
			return name
		}
	}
}

func (g *random) pipeline() *Pipeline {
	pl := &Pipeline{Selector: g.selector(), Range: g.timeRange()}
	for range g.upTo(4) {
		pl.Stages = append(pl.Stages, g.stage())
	}
	return pl
}

func (g *random) selector() *Selector {
	s := &Selector{}
	for range 1 + g.upTo(2) {
		term := &Term{Any: g.chance()}
		if !term.Any {
			term.Name = g.event()
		}
		if g.chance() {
			term.Cond = g.condition()
		}
		s.Terms = append(s.Terms, term)
	}
	return s
}

func (g *random) timeRange() *Range {
	switch g.upTo(3) {
	case 0:
		return &Range{Kind: RangeLast, Last: g.span()}
	case 1:
		return &Range{Kind: RangeOn, From: Instant{Kind: InstantDate, Wall: time.Date(2000+g.upTo(99), 2, g.upTo(27), 0, 0, 0, 0, time.UTC)}}
	case 2:
		r := &Range{Kind: RangeBetween, From: g.instant(), To: g.instant()}
		if r.From.Kind != r.To.Kind || r.From.Wall.Before(r.To.Wall) {
			return r
		}
	}
	return nil
}

func (g *random) instant() Instant {
	i := Instant{Kind: InstantKind(g.upTo(3))}
	wall := time.Unix(rapid.Int64Range(-1<<33, 1<<33).Draw(g.T, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(g.T, "nanos")).UTC()
	switch i.Kind {
	case InstantDate:
		i.Wall = wall.Truncate(24 * time.Hour)
	case InstantLocal, InstantExact:
		i.Wall = wall
	}
	return i
}

func (g *random) span() Span {
	return Span{Count: int64(1 + g.upTo(200)), Unit: Unit(1 + g.upTo(int(Year)-1))}
}

func (g *random) duration() int64 {
	if g.chance() {
		return rapid.Int64Range(1, 1<<63-1).Draw(g.T, "nanos")
	}
	return int64(1+g.upTo(100)) * Unit(1+g.upTo(int(Week)-1)).Elapsed()
}

func (g *random) stage() Stage {
	if g.chance() {
		return g.behaviour()
	}
	switch g.upTo(15) {
	case 0:
		return &Where{Cond: g.condition()}
	case 1:
		return &Extend{Columns: g.named(false, g.expr)}
	case 2:
		return &Project{Columns: g.named(true, g.expr)}
	case 3:
		s := &Rename{}
		for range 1 + g.upTo(2) {
			r := Renamed{New: g.event(), From: &Column{Name: g.name()}}
			if !slices.ContainsFunc(s.Columns, func(o Renamed) bool { return o.New == r.New || o.From.Name == r.From.Name }) {
				s.Columns = append(s.Columns, r)
			}
		}
		return s
	case 4:
		s := &Drop{}
		for range 1 + g.upTo(2) {
			s.Columns = append(s.Columns, &Column{Name: g.name()})
		}
		return s
	case 5, 6, 7:
		return g.stats()
	case 8:
		s := &Top{N: 1 + g.upTo(50), Keys: g.draw(g.key)}
		by := g.draw(func() Expr { return g.aggregates(false) })[:1]
		fillDistinct(s.Keys, by)
		s.By = by[0]
		return s
	case 9:
		return &Facets{N: 1 + g.upTo(50)}
	case 10:
		s := &Sort{}
		for range 1 + g.upTo(2) {
			s.Keys = append(s.Keys, SortKey{Expr: g.expr(), Desc: g.chance()})
		}
		return s
	case 11:
		return &Limit{N: int64(g.upTo(50)), By: g.exprs(0)}
	case 12:
		return &Offset{N: int64(g.upTo(50))}
	case 13:
		s := &Running{By: g.exprs(0)}
		for _, n := range g.draw(func() Expr { return g.column() }) {
			if n.Name == "" {
				n.Name = runningName(n.Expr)
			}
			if !slices.ContainsFunc(s.Columns, func(o Named) bool { return o.Name == n.Name }) {
				s.Columns = append(s.Columns, n)
			}
		}
		return s
	case 14:
		return &Fill{With: FillWith(g.upTo(3))}
	}
	return []Stage{&Users{}, &Events{}}[g.upTo(1)]
}

func (g *random) stats() Stage {
	timed := g.chance()
	s := &Stats{Aggs: g.draw(func() Expr { return g.aggregates(timed) })}
	if g.chance() {
		s.Keys = g.draw(g.key)
	}
	if timed {
		s.Keys = append(s.Keys, Named{Expr: &Bin{X: &Column{Name: ColumnTime}, Span: Span{1, Day}}})
	}
	fillDistinct(s.Keys, s.Aggs)
	return s
}

// fillDistinct takes away names that are given twice, and fills in default names.
func fillDistinct(lists ...[]Named) {
	used := map[string]bool{}
	for _, list := range lists {
		for i := range list {
			if used[list[i].Name] {
				list[i].Name = ""
			}
			used[list[i].Name] = true
		}
	}
	fillNames(lists...)
}

// draw makes expressions, some of them named; names are distinct.
func (g *random) draw(expr func() Expr) []Named {
	var list []Named
	for range 1 + g.upTo(2) {
		n := Named{Expr: expr()}
		if g.chance() {
			n.Name = g.event()
		}
		if !slices.ContainsFunc(list, func(o Named) bool { return o.Name != "" && o.Name == n.Name }) {
			list = append(list, n)
		}
	}
	return list
}

// named makes expressions that all have distinct names.
func (g *random) named(defaults bool, expr func() Expr) []Named {
	list := g.draw(expr)
	if !defaults {
		for i := range list {
			if list[i].Name == "" {
				list[i].Name = "x" + string(rune('0'+i))
			}
		}
	}
	fillDistinct(list)
	return list
}

func (g *random) exprs(fewest int) []Expr {
	var list []Expr
	for range fewest + g.upTo(2) {
		list = append(list, g.expr())
	}
	return list
}

func (g *random) key() Expr {
	for {
		e := g.expr()
		if _, refused := namesBin(e); !refused {
			return e
		}
	}
}

func (g *random) condition() Expr { return truth(g.expr()) }

func (g *random) column() *Column {
	return &Column{Scope: Scope(g.upTo(2)), Name: g.name()}
}

func (g *random) literal() Expr {
	var v event.Value
	switch g.upTo(6) {
	case 0:
		v = event.Null
	case 1:
		v = event.Bool(g.chance())
	case 2:
		v = event.Int(rapid.Int64().Draw(g.T, "int"))
	case 3:
		v = event.Float(rapid.Float64Range(-1e308, 1e308).Draw(g.T, "float"))
	case 4:
		v = event.String(rapid.String().Draw(g.T, "string"))
	case 5:
		v = event.Duration(rapid.Int64().Draw(g.T, "nanos"))
	case 6:
		v = event.Duration(g.duration())
	}
	return &Literal{Value: v}
}

func (g *random) expr() Expr {
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 5 || g.upTo(3) == 0 {
		if g.chance() {
			return g.column()
		}
		return g.literal()
	}
	switch g.upTo(12) {
	case 0:
		return &Unary{Op: OpNot, X: g.condition()}
	case 1:
		return &Unary{Op: OpNeg, X: g.expr()}
	case 2:
		return &Binary{Op: OpOr + Op(g.upTo(1)), X: g.condition(), Y: g.condition()}
	case 3, 4:
		return &Binary{Op: OpEq + Op(g.upTo(5)), X: g.expr(), Y: g.expr()}
	case 5:
		return &Binary{Op: OpContains + Op(g.upTo(2)), Fold: g.chance(), X: g.expr(), Y: g.expr()}
	case 6, 7:
		return &Binary{Op: OpAdd + Op(g.upTo(4)), X: g.expr(), Y: g.expr()}
	case 8:
		pattern := regexp.QuoteMeta(rapid.String().Draw(g.T, "pattern"))
		return &Regex{X: g.expr(), Pattern: pattern, Not: g.chance()}
	case 9:
		return &In{X: g.expr(), List: g.exprs(1), Not: g.chance()}
	case 10:
		return g.call()
	case 11:
		return &Bin{X: g.expr(), Span: Span{Count: int64(1 + g.upTo(5)), Unit: Day + Unit(g.upTo(4))}}
	}
	switch {
	case len(g.lets) > 0 && g.chance():
		return &UserIn{Name: g.of(g.lets...), Not: g.chance()}
	case g.chance():
		d := &Did{Selector: g.selector()}
		if g.chance() {
			d.Last = g.duration()
		}
		return d
	}
	return &FirstTime{Selector: g.selector()}
}

func (g *random) call() Expr {
	f := rapid.SampledFrom(Functions).Draw(g.T, "function")
	c := &Call{Name: f.Name}
	most := f.Max
	if most < 0 {
		most = f.Min + 2
	}
	for i := range f.Min + g.upTo(most-f.Min) {
		switch {
		case f.Name == "bucket" && i > 0:
			c.Args = append(c.Args, &Literal{Value: event.Int(int64(i * 10))})
		case f.Name == "if" && i == 0:
			c.Args = append(c.Args, g.condition())
		default:
			c.Args = append(c.Args, g.expr())
		}
	}
	return c
}

// aggregates makes an expression over at least one aggregate.
func (g *random) aggregates(timed bool) Expr {
	switch g.upTo(4) {
	case 0:
		return &Binary{Op: OpAdd + Op(g.upTo(4)), X: g.aggregates(timed), Y: g.aggregates(timed)}
	case 1:
		return &Call{Name: "round", Args: []Expr{g.aggregates(timed), &Literal{Value: event.Int(2)}}}
	}
	a := &Agg{Func: AggCount + AggFunc(g.upTo(int(AggHist)-1))}
	if a.Func != AggCount && a.Func != AggUsers {
		a.X = g.expr()
	}
	switch a.Func {
	case AggMedian:
		a.Q = 0.5
	case AggQuantile:
		if g.chance() {
			a.Q = float64(g.upTo(1000)) / 1000
		} else {
			a.Q = rapid.Float64Range(0, 1).Draw(g.T, "q")
		}
	case AggTopK:
		a.N = 1 + g.upTo(20)
	case AggHist:
		for i := range g.upTo(3) {
			a.Edges = append(a.Edges, event.Int(int64(i*10)))
		}
	}
	if g.chance() {
		a.If = g.condition()
	}
	if timed && g.chance() {
		a.Over = g.duration()
	}
	return a
}
