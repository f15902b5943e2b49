package syntax

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"cairn/engine/event"
)

// behaviour draws a stage that looks at the events of users, or a view of one.
func (g *random) behaviour() Stage {
	switch g.upTo(13) {
	case 0, 1, 2:
		return g.funnel()
	case 3, 4:
		return g.match()
	case 5, 6:
		return g.retention()
	case 7:
		return &Lifecycle{Selector: g.selector(), Every: g.period()}
	case 8:
		return &Stickiness{Selector: g.selector(), Every: g.period(), Min: 1 + g.upTo(3), AtLeast: g.chance()}
	case 9, 10:
		return g.paths()
	case 11:
		return &Session{Gap: g.duration(), Max: g.duration()}
	}
	s := &Times{}
	if g.chance() {
		s.From = 1 + g.upTo(3)
		s.To = s.From + 1 + g.upTo(3)
	}
	if g.chance() {
		nanos := []int64{rapid.Int64().Draw(g.T, "edge"), g.duration(), g.duration()}
		slices.Sort(nanos)
		for _, n := range slices.Compact(nanos) {
			s.Edges = append(s.Edges, event.Duration(n))
		}
	}
	views := []Stage{
		s, &Trend{Every: g.period()}, &Converted{Step: g.upTo(3)}, &Dropped{After: g.upTo(3)}, &Pending{}, &Gap{},
	}
	return views[g.upTo(len(views)-1)]
}

// word draws a name for an event, often a word of the language.
func (g *random) word() string {
	if g.chance() {
		return g.event()
	}
	return g.of(strings.Fields("first ever hold except within by at top count entry open between remove sum skip every for on " +
		"streak min to of gap max loops dead shortest as users where funnel")...)
}

// steps draws a selector with such names.
func (g *random) steps() *Selector {
	s := g.selector()
	for _, t := range s.Terms {
		if !t.Any {
			t.Name = g.word()
		}
	}
	return s
}

func (g *random) pattern() *Pattern {
	pt := &Pattern{}
	for i := range 1 + g.upTo(3) {
		s := &Step{Min: 1, Max: 1}
		if i > 0 {
			s.Arrow = g.arrow()
		}
		for range 1 + max(0, g.upTo(4)-2) {
			s.Selectors = append(s.Selectors, g.steps())
		}
		pt.Steps = append(pt.Steps, s)
		if len(s.Selectors) > 1 {
			continue
		}
		s.First = First(g.upTo(2))
		if g.chance() {
			s.Min = g.upTo(3)
			s.Max = max(1, s.Min+g.upTo(3))
			if g.chance() {
				s.Max = Unbounded
			}
		}
		first, _, _ := strings.Cut(g.word(), ".")
		if first != "" && first != "user" && first != "fields" &&
			!slices.ContainsFunc(pt.Steps, func(o *Step) bool { return o.Name == first }) {
			s.Name = first
		}
	}
	return pt
}

func (g *random) arrow() Arrow {
	a := Arrow{Strict: g.chance()}
	if g.chance() {
		a.Least = g.duration()
		a.LeastOpen = g.chance()
	}
	if g.chance() {
		a.Most = g.duration()
		a.MostOpen = g.chance()
	}
	if a.Most > 0 && a.Least >= a.Most {
		a.Least, a.LeastOpen = 0, g.chance()
	}
	return a
}

func (g *random) period() Span {
	for {
		if s := g.span(); s.Bins() {
			return s
		}
	}
}

// groups draws keys and other expressions with names that columns leave free.
func (g *random) groups(columns []string, lists ...[]Named) {
	used := map[string]bool{}
	for _, name := range columns {
		used[name] = true
	}
	for _, list := range lists {
		for i := range list {
			if used[list[i].Name] {
				list[i].Name = ""
			}
			used[list[i].Name] = true
		}
	}
	fillNames(append([][]Named{fixed(columns)}, lists...)...)
}

func (g *random) keys() []Named {
	if g.chance() {
		return nil
	}
	return g.draw(g.key)
}

func (g *random) funnel() Stage {
	s := &Funnel{Pattern: g.pattern(), Within: g.duration(), AtStep: 1}
	s.Pattern.Steps[0].Min = max(1, s.Pattern.Steps[0].Min)
	steps := len(s.Pattern.Steps)
	for range min(g.upTo(2), steps-1) {
		e := &Except{Selector: g.steps(), From: 1 + g.upTo(steps-2), Remove: g.chance()}
		e.To = e.From + 1 + g.upTo(steps-e.From-1)
		s.Except = append(s.Except, e)
	}
	s.Hold = g.exprs(0)
	s.Count = CountUnit(g.upTo(2))
	s.Latest, s.Increasing, s.Open = g.chance(), g.chance(), g.chance()
	if g.chance() {
		s.Sums = g.draw(func() Expr { return &Agg{Func: AggSum, X: g.expr()} })
	}
	if s.By = g.keys(); s.By != nil {
		if s.At = At(g.upTo(3)); s.At == AtOne {
			s.AtStep = 1 + g.upTo(steps-1)
		} else {
			s.AtStep = 0
		}
		s.Top = g.upTo(3)
	}
	g.groups(FunnelColumns[:], s.By, s.Sums)
	return s
}

func (g *random) match() Stage {
	s := &Match{Pattern: g.pattern(), By: g.keys(), Next: g.chance()}
	s.Pattern.Steps[0].Min = max(1, s.Pattern.Steps[0].Min)
	if g.chance() {
		s.Within = g.duration()
	}
	g.groups(s.fixedColumns(), s.By)
	if slices.ContainsFunc(s.By, func(n Named) bool { _, _, _, ok := s.StepColumn(n.Name); return ok }) {
		s.By = nil
	}
	return s
}

func (g *random) retention() Stage {
	s := &Retention{
		First: g.chance(), Start: g.steps(), Return: g.steps(), Every: g.period(), For: retentionFor,
		When: When(g.upTo(3)), Min: 1 + g.upTo(2), By: g.keys(),
	}
	if g.chance() {
		s.For = 1 + g.upTo(30)
	} else {
		for range g.upTo(4) {
			last := -1
			if n := len(s.Brackets); n > 0 {
				last = s.Brackets[n-1]
			}
			s.Brackets = append(s.Brackets, last+1+g.upTo(5))
		}
	}
	s.Rolling = s.Every.Elapsed() > 0 && g.chance()
	if g.chance() {
		s.Value, s.X = AggSum+AggFunc(g.upTo(1)), g.expr()
	}
	g.groups(s.fixedColumns(), s.By)
	return s
}

func (g *random) paths() Stage {
	s := &Paths{Max: pathsMax, Gap: pathsGap, Top: pathsTop, By: g.keys(), View: PathView(g.upTo(3)), Repeats: g.chance()}
	if s.View == PathShortest || g.chance() {
		s.From = g.steps()
	}
	if s.View == PathShortest || g.chance() {
		s.To = g.steps()
	}
	if g.chance() {
		s.Of = g.expr()
	}
	switch g.upTo(2) {
	case 0:
		s.Gap = g.duration()
	case 1:
		s.Gap, s.Within = 0, g.duration()
	}
	for range g.upTo(2) {
		s.Except = append(s.Except, g.steps())
	}
	if s.View == PathShortest {
		s.Shortest = 1 + g.upTo(30)
	} else if g.chance() {
		s.Top = 1 + g.upTo(100)
	}
	if s.View == PathEdges {
		s.Max = 1 + g.upTo(10)
	}
	g.groups(PathColumns[s.View], s.By)
	return s
}
