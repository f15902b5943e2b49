package plan

import (
	"slices"

	"cairn/query/syntax"
)

// Fields returns the distinct fields of stored events that a pipeline names, in the order of the text,
// those in the selectors of did and first_time too.
func Fields(p *syntax.Pipeline) []string {
	var f fields
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
	return f.names
}

type fields struct{ names []string }

func (f *fields) selector(s *syntax.Selector) {
	for _, t := range s.Terms {
		f.expr(t.Cond, nil, true)
	}
}

// expr notes the fields that an expression names on rows with the columns made; open rows have all
// fields of the event too.
func (f *fields) expr(e syntax.Expr, made []string, open bool) {
	Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			ofEvent := e.Scope == syntax.ScopeFields ||
				e.Scope == syntax.ScopeRow && open && !slices.Contains(made, e.Name) && !IsEventColumn(e.Name)
			if ofEvent && !slices.Contains(f.names, e.Name) {
				f.names = append(f.names, e.Name)
			}
		case *syntax.Did:
			f.selector(e.Selector)
		case *syntax.FirstTime:
			f.selector(e.Selector)
		}
		return true
	})
}
