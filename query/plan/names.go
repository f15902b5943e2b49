package plan

import (
	"slices"

	"cairn/query/syntax"
)

// Names are what a query names of stored events: fields and, in selectors, event names. Each is in it
// once, in the order of the text.
type Names struct{ Fields, Events []string }

// Add adds the names of a pipeline, those in the selectors of did and first_time too.
func (f *Names) Add(p *syntax.Pipeline) {
	f.selector(p.Selector)
	for i, stage := range p.Stages {
		made, open := syntax.ResultColumns(&syntax.Pipeline{Selector: p.Selector, Stages: p.Stages[:i]})
		switch s := stage.(type) {
		case *syntax.Extend:
			for _, c := range s.Columns {
				f.expr(c.Expr, made, open)
				made = append(slices.Clone(made), c.Name)
			}
		case *syntax.Rename:
			for _, c := range s.Columns {
				f.expr(c.From, made, open)
			}
		default:
			syntax.Exprs(stage, func(e syntax.Expr) { f.expr(e, made, open) })
		}
	}
}

func (f *Names) selector(s *syntax.Selector) {
	for _, t := range s.Terms {
		if !t.Any && !slices.Contains(f.Events, t.Name) {
			f.Events = append(f.Events, t.Name)
		}
		f.expr(t.Cond, nil, true)
	}
}

// expr notes the fields that an expression names on rows with the columns made; open rows have all
// fields of the event too.
func (f *Names) expr(e syntax.Expr, made []string, open bool) {
	Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			ofEvent := e.Scope == syntax.ScopeFields ||
				e.Scope == syntax.ScopeRow && open && !slices.Contains(made, e.Name) && !IsEventColumn(e.Name)
			if ofEvent && !slices.Contains(f.Fields, e.Name) {
				f.Fields = append(f.Fields, e.Name)
			}
		case *syntax.Did:
			f.selector(e.Selector)
		case *syntax.FirstTime:
			f.selector(e.Selector)
		}
		return true
	})
}
