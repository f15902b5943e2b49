package plan

import (
	"slices"

	"cairn/query/syntax"
)

// Names are what a query names of stored events: fields, properties of profiles and, in selectors, event
// names. Each is in it once, in the order of the text.
type Names struct{ Fields, Events, Properties []string }

// Add adds the names of a pipeline, those in the selectors of stages, did and first_time too.
func (f *Names) Add(p *syntax.Pipeline) {
	f.selector(p.Selector)
	for i, stage := range p.Stages {
		for _, selector := range syntax.Selectors(stage) {
			f.events(selector)
		}
		made, open := syntax.RowColumns(&syntax.Pipeline{Selector: p.Selector, Stages: p.Stages[:i]})
		switch s := stage.(type) {
		case *syntax.Extend:
			for _, c := range s.Columns {
				f.expr(c.Expr, made, open)
				before := made
				made = func(name string) bool { return name == c.Name || before(name) }
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

// selector notes the names of a selector whose conditions see the stored event.
func (f *Names) selector(s *syntax.Selector) {
	f.events(s)
	for _, t := range s.Terms {
		f.expr(t.Cond, func(string) bool { return false }, true)
	}
}

func (f *Names) events(s *syntax.Selector) {
	for _, t := range s.Terms {
		if !t.Any && !slices.Contains(f.Events, t.Name) {
			f.Events = append(f.Events, t.Name)
		}
	}
}

// expr notes the fields that an expression names on rows with the columns made; open rows have all
// fields of the event too.
func (f *Names) expr(e syntax.Expr, made func(string) bool, open bool) {
	Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			if e.Scope == syntax.ScopeProfile && !slices.Contains(f.Properties, e.Name) {
				f.Properties = append(f.Properties, e.Name)
			}
			ofEvent := e.Scope == syntax.ScopeFields ||
				e.Scope == syntax.ScopeRow && open && !made(e.Name) && !IsEventColumn(e.Name)
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
