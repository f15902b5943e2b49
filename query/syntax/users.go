package syntax

import "cairn/engine/event"

// MapUsers replaces the texts that a query compares with the user, by =, != or in, by what canonical makes
// of them. A column user that a stage has made of something else is not the user, and where another field
// stands for him (`set actor`) neither is that of a stage that lists users. It changes the tree, which
// must not be shared yet: call it right after Parse.
func MapUsers(q *Query, canonical func(id string) (string, error)) error {
	m := &userMapper{canonical: canonical, actor: q.Settings.Actor != nil}
	for _, let := range q.Lets {
		m.pipeline(let.Body)
	}
	m.pipeline(&q.Pipeline)
	return m.err
}

type userMapper struct {
	canonical func(string) (string, error)
	actor     bool
	err       error
}

func (m *userMapper) pipeline(p *Pipeline) {
	m.selector(p.Selector)
	own := true // the column user is the user
	for _, stage := range p.Stages {
		Exprs(stage, func(e Expr) { m.expr(e, own) })
		own = own && m.leaves(stage)
	}
}

func (m *userMapper) selector(s *Selector) {
	for _, t := range s.Terms {
		m.expr(t.Cond, true)
	}
}

// leaves reports whether the column user is the user behind a stage too.
func (m *userMapper) leaves(stage Stage) bool {
	switch s := stage.(type) {
	case *Extend:
		return keepsUser(s.Columns)
	case *Project:
		return keepsUser(s.Columns)
	case *Rename:
		for _, c := range s.Columns {
			if c.New == ColumnUser {
				return false
			}
		}
		return true
	case *Stats:
		return keepsUser(s.Keys) && keepsUser(s.Aggs)
	case *Top:
		return keepsUser(s.Keys) && s.By.Name != ColumnUser
	case *Where, *Drop, *Sort, *Limit, *Offset, *Running, *Fill, *Events, *Session, *Gap:
		return true
	}
	return !m.actor
}

// keepsUser reports whether none of the columns is called user without being it.
func keepsUser(columns []Named) bool {
	for _, c := range columns {
		if c.Name == ColumnUser && !isUser(c.Expr) {
			return false
		}
	}
	return true
}

func isUser(e Expr) bool {
	c, ok := e.(*Column)
	return ok && c.Scope == ScopeRow && c.Name == ColumnUser
}

// expr maps the texts of an expression; own says that its column user is the user.
func (m *userMapper) expr(e Expr, own bool) {
	walkRow(e, func(e Expr) bool {
		if s := selectorOf(e); s != nil {
			m.selector(s) // its conditions see stored events
			return false
		}
		if !own {
			return true
		}
		switch e := e.(type) {
		case *Binary:
			switch {
			case e.Op != OpEq && e.Op != OpNe:
			case isUser(e.X):
				e.Y = m.literal(e.Y)
			case isUser(e.Y):
				e.X = m.literal(e.X)
			}
		case *In:
			if isUser(e.X) {
				for i := range e.List {
					e.List[i] = m.literal(e.List[i])
				}
			}
		}
		return true
	})
}

func (m *userMapper) literal(e Expr) Expr {
	l, ok := e.(*Literal)
	if !ok || l.Value.Kind() != event.KindString || m.err != nil {
		return e
	}
	var name string
	if name, m.err = m.canonical(l.Value.AsString()); m.err != nil {
		return e
	}
	return &Literal{l.Pos, event.String(name)}
}
