package syntax

import (
	"slices"
	"strings"
)

// Paths is `paths [option]…`: how users go from node to node. Rows: the groups, then the columns of the
// view.
type Paths struct {
	Pos
	From, To *Selector // nil: from the first event, to the last
	Of       Expr      // what a node is; nil: the event's name
	By       []Named   // values on the path's first event
	Max      int       // nodes of a path, 6 when not written; not used by other views than edges
	Gap      int64     // a longer pause ends a path; 30m when not written; 0 with Within
	Within   int64     // how long a path lasts at most, from its first event; 0: by Gap
	Repeats  bool      // `collapse off`: equal nodes in a row stay apart
	Except   []*Selector
	Top      int // rows, 50 when not written
	View     PathView
	Shortest int // PathShortest: how many rows; Top, where that was less
}

// PathView is what the rows of a Paths are.
type PathView uint8

// The views of paths, with their columns in PathColumns.
const (
	PathEdges    PathView = iota // from one node to the next
	PathShortest                 // whole journeys, the shortest first
	PathLoops                    // nodes that a path returns to
	PathDeadEnds                 // nodes that paths end in
)

func (v PathView) String() string {
	return [...]string{"", "shortest", "loops", "dead ends"}[v]
}

// PathColumns are the columns of each view.
var PathColumns = [...][]string{
	PathEdges:    {"step", "source", "target", "count", "users", "avg_time"},
	PathShortest: {"path", "steps", "count", "users", "avg_time"},
	PathLoops:    {"node", "paths", "count", "rate", "users"},
	PathDeadEnds: {"node", "paths", "count", "rate", "users"},
}

// What a Paths has when its text says nothing.
const (
	pathsMax = 6
	pathsGap = SessionGap
	pathsTop = 50
)

func (p *parser) paths(pos Pos) Stage {
	s := &Paths{Pos: pos, Max: pathsMax, Gap: pathsGap, Top: pathsTop}
	var gap, within, top, view *token
	setView := func(t *token, v PathView) {
		if view != nil {
			panic(Errorf(t.pos, "%q and %q exclude each other", s.View, v))
		}
		view, s.View = t, v
	}
	p.options(map[string]func(*token){
		"from":   func(*token) { s.From = p.optionSelector() },
		"to":     func(*token) { s.To = p.optionSelector() },
		"of":     func(*token) { s.Of = p.expr() },
		"by":     func(*token) { s.By = p.named(p.keyExpr) },
		"max":    func(*token) { s.Max = int(p.wantCount("a number of nodes", 1, countMax)) },
		"gap":    func(t *token) { gap = t; s.Gap = p.elapsedSpan("a duration such as 30m") },
		"within": func(t *token) { within = t; s.Within = p.elapsedSpan("a duration such as 1h") },
		"collapse": func(*token) {
			p.wantWord("off")
			s.Repeats = true
		},
		"except": func(*token) { s.Except = append(s.Except, p.optionSelector()) },
		"top":    func(t *token) { top = t; s.Top = int(p.wantCount("a whole number", 1, countMax)) },
		"shortest": func(t *token) {
			setView(t, PathShortest)
			s.Shortest = int(p.wantCount("a whole number", 1, countMax))
		},
		"loops": func(t *token) { setView(t, PathLoops) },
		"dead": func(t *token) {
			p.wantWord("ends")
			setView(t, PathDeadEnds)
		},
	}, "except")
	switch {
	case gap != nil && within != nil:
		panic(Errorf(within.pos, `"gap" and "within" exclude each other`))
	case s.View == PathShortest && (s.From == nil || s.To == nil):
		panic(Errorf(view.pos, `"shortest" needs "from" and "to"`))
	}
	// Other views look at whole paths, whatever max says. Of shortest and top the smaller number counts.
	if s.View != PathEdges {
		s.Max = pathsMax
	}
	if s.View == PathShortest && top != nil {
		s.Shortest, s.Top = min(s.Shortest, s.Top), pathsTop
	}
	if within != nil {
		s.Gap = 0
	}
	fillNames(fixed(PathColumns[s.View]), s.By)
	return s
}

// Keyword returns the stage's name.
func (*Paths) Keyword() string { return "paths" }

func (s *Paths) print(w *printer) {
	var parts []string
	part := func(word string, write func(w *printer)) {
		var part printer
		part.text(word + " ")
		write(&part)
		parts = append(parts, part.String())
	}
	if s.From != nil {
		part("from", func(w *printer) { w.oneSelector(s.From, false) })
	}
	if s.To != nil {
		part("to", func(w *printer) { w.oneSelector(s.To, false) })
	}
	if s.Of != nil {
		part("of", func(w *printer) { w.expr(s.Of) })
	}
	if len(s.By) > 0 {
		part("by", func(w *printer) { w.named(s.By, omitNames(fixed(PathColumns[s.View]), s.By)[1]) })
	}
	if s.Max != pathsMax {
		part("max", func(w *printer) { w.int(int64(s.Max)) })
	}
	if s.Within > 0 {
		part("within", func(w *printer) { w.text(durationText(s.Within)) })
	} else {
		part("gap", func(w *printer) { w.text(durationText(s.Gap)) })
	}
	if s.Repeats {
		parts = append(parts, "collapse off")
	}
	for _, e := range s.Except {
		part("except", func(w *printer) { w.oneSelector(e, false) })
	}
	if s.Top != pathsTop {
		part("top", func(w *printer) { w.int(int64(s.Top)) })
	}
	switch s.View {
	case PathShortest:
		part("shortest", func(w *printer) { w.int(int64(s.Shortest)) })
	case PathLoops, PathDeadEnds:
		parts = append(parts, s.View.String())
	}
	w.text(strings.Join(parts, " "))
}

func (s *Paths) exprs(yield func(Expr)) {
	yieldConds(s.selectors(), yield)
	if s.Of != nil {
		yield(s.Of)
	}
	yieldNamed(s.By, yield)
}

func (s *Paths) selectors() []*Selector {
	var list []*Selector
	if s.From != nil {
		list = append(list, s.From)
	}
	if s.To != nil {
		list = append(list, s.To)
	}
	return append(list, s.Except...)
}

func (s *Paths) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.set(slices.Concat(namesOf(s.By), PathColumns[s.View]))
	return nil
}
