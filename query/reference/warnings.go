package reference

import (
	"slices"

	"cairn/query/scalar"
	"cairn/query/syntax"
)

// warnings names the events that a query selects, and the fields that it reads from events, that are
// not stored.
func (s *Store) warnings(q *syntax.Query) []string {
	w := &nameReader{known: s.known, unknown: map[string]bool{}, events: map[string]bool{}, properties: map[string]bool{}}
	for _, let := range q.Lets {
		w.pipeline(let.Body)
	}
	w.pipeline(&q.Pipeline)
	var list []string
	for _, name := range sortedKeys(w.events) {
		if !s.events[name] {
			list = append(list, syntax.UnknownEvent(name, sortedKeys(s.events)))
		}
	}
	for _, name := range sortedKeys(w.unknown) {
		list = append(list, syntax.UnknownField(name, sortedKeys(s.known)))
	}
	properties := map[string]bool{}
	for name := range s.known {
		if op, property, ok := scalar.ParseProfileField(name); ok && op.Makes() {
			properties[property] = true
		}
	}
	for _, name := range sortedKeys(w.properties) {
		if !properties[name] {
			list = append(list, syntax.UnknownProperty(name, sortedKeys(properties)))
		}
	}
	return list
}

type nameReader struct {
	known, unknown map[string]bool // fields
	events         map[string]bool // names of selectors
	properties     map[string]bool // of profiles
}

func (w *nameReader) pipeline(p *syntax.Pipeline) {
	w.selector(p.Selector)
	for i, stage := range p.Stages {
		for _, selector := range syntax.Selectors(stage) {
			w.names(selector)
		}
		made, open := syntax.RowColumns(&syntax.Pipeline{Selector: p.Selector, Stages: p.Stages[:i]})
		switch s := stage.(type) {
		case *syntax.Extend:
			for _, c := range s.Columns {
				w.expr(c.Expr, made, open)
				before := made
				made = func(name string) bool { return name == c.Name || before(name) }
			}
		case *syntax.Rename:
			for _, c := range s.Columns {
				w.expr(c.From, made, open)
			}
		default:
			syntax.Exprs(stage, func(e syntax.Expr) { w.expr(e, made, open) })
		}
	}
}

// selector notes the names of a selector whose conditions see the stored event.
func (w *nameReader) selector(s *syntax.Selector) {
	w.names(s)
	for _, t := range s.Terms {
		w.expr(t.Cond, func(string) bool { return false }, true)
	}
}

func (w *nameReader) names(s *syntax.Selector) {
	for _, t := range s.Terms {
		if !t.Any {
			w.events[t.Name] = true
		}
	}
}

// expr notes the fields of an expression on rows with the columns made; open rows have all fields too.
func (w *nameReader) expr(e syntax.Expr, made func(string) bool, open bool) {
	if e == nil {
		return
	}
	for _, c := range syntax.Columns(e) {
		if c.Scope == syntax.ScopeProfile {
			w.properties[c.Name] = true
		}
		ofEvent := c.Scope == syntax.ScopeFields
		if c.Scope == syntax.ScopeRow && open {
			ofEvent = !made(c.Name) && !slices.Contains(syntax.EventColumns[:], c.Name)
		}
		if ofEvent && !w.known[c.Name] {
			w.unknown[c.Name] = true
		}
	}
	syntax.Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Did:
			w.selector(e.Selector)
			return false
		case *syntax.FirstTime:
			w.selector(e.Selector)
			return false
		}
		return true
	})
}
