package plan

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// Row is what the names of a pipeline mean at one place before its first breaking stage: an
// expression over the stored event for each column that a stage made, and the event itself for the
// rest. Expressions that a Row has resolved name event columns by ScopeRow, fields by ScopeFields and,
// behind session or gap, computed columns by ScopeMade, and nothing else.
type Row struct {
	made   []syntax.Named  // in the order of their making
	hidden map[string]bool // dropped and renamed names
	closed bool            // after project: no other name means anything
	// sessions says that session.entry.FIELD and session.exit.FIELD are fields of a session's first and
	// last event.
	sessions bool
}

var absent = &syntax.Literal{}

// Made returns the columns that stages have made, in order.
func (r *Row) Made() []syntax.Named { return r.made }

// Closed reports whether the columns of the row are those of Made and no others.
func (r *Row) Closed() bool { return r.closed }

// HiddenNames returns the names of the event's own columns and fields that were dropped or renamed.
func (r *Row) HiddenNames() []string {
	var names []string
	for name := range r.hidden {
		names = append(names, name)
	}
	return names
}

// MakesUser reports whether a stage has made a column user, which then says who did an event in place
// of what the event says.
func (r *Row) MakesUser() bool {
	i := r.index(syntax.ColumnUser)
	return i >= 0 && MakesUser(syntax.ColumnUser, r.made[i].Expr)
}

// MakesUser reports whether a column of that name and meaning is a made column user rather than the
// event's own.
func MakesUser(name string, e syntax.Expr) bool {
	c, ok := e.(*syntax.Column)
	return name == syntax.ColumnUser && !(ok && c.Scope == syntax.ScopeRow && c.Name == name)
}

// Hidden reports whether the event's own column or field of that name is not to be seen.
func (r *Row) Hidden(name string) bool { return r.closed || r.hidden[name] || r.index(name) >= 0 }

func (r *Row) index(name string) int {
	for i := range r.made {
		if r.made[i].Name == name {
			return i
		}
	}
	return -1
}

// IsEventColumn reports whether name is a column of every event row, beside its fields.
func IsEventColumn(name string) bool {
	for _, c := range syntax.EventColumns {
		if c == name {
			return true
		}
	}
	return false
}

// column returns the meaning of a name.
func (r *Row) column(c *syntax.Column) syntax.Expr {
	if c.Scope != syntax.ScopeRow {
		return c
	}
	if i := r.index(c.Name); i >= 0 {
		return r.made[i].Expr
	}
	if r.sessions && isSessionField(c.Name) {
		return madeColumn(c.Name)
	}
	if r.closed || r.hidden[c.Name] {
		return absent
	}
	if IsEventColumn(c.Name) {
		return c
	}
	return &syntax.Column{Pos: c.Pos, Scope: syntax.ScopeFields, Name: c.Name}
}

// Resolve returns e over the stored event.
func (r *Row) Resolve(e syntax.Expr) syntax.Expr {
	return Rewrite(e, func(x syntax.Expr) syntax.Expr {
		if c, ok := x.(*syntax.Column); ok {
			return r.column(c)
		}
		return nil
	})
}

// set gives a name a meaning.
func (r *Row) set(name string, e syntax.Expr) {
	if i := r.index(name); i >= 0 {
		r.made[i].Expr = e
		return
	}
	r.made = append(r.made, syntax.Named{Name: name, Expr: e})
}

func (r *Row) hide(name string) {
	if i := r.index(name); i >= 0 {
		r.made = append(r.made[:i:i], r.made[i+1:]...)
	}
	if r.hidden == nil {
		r.hidden = map[string]bool{}
	}
	r.hidden[name] = true
}

func (r *Row) clone() *Row {
	c := &Row{made: append([]syntax.Named(nil), r.made...), closed: r.closed, sessions: r.sessions, hidden: map[string]bool{}}
	for name := range r.hidden {
		c.hidden[name] = true
	}
	return c
}

// pass applies a stage that changes the columns of each row by itself, and reports whether it is one.
func (r *Row) pass(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.Extend:
		r.extend(s)
	case *syntax.Project:
		r.project(s)
	case *syntax.Rename:
		r.rename(s)
	case *syntax.Drop:
		r.drop(s)
	default:
		return false
	}
	return true
}

// extend, project, rename and drop apply a stage.
func (r *Row) extend(s *syntax.Extend) {
	for _, c := range s.Columns {
		r.set(c.Name, r.Resolve(c.Expr))
	}
}

func (r *Row) project(s *syntax.Project) {
	next := Row{closed: true}
	for _, c := range s.Columns {
		next.set(c.Name, r.Resolve(c.Expr))
	}
	*r = next
}

func (r *Row) rename(s *syntax.Rename) {
	before := r.clone()
	if r.closed {
		for _, c := range s.Columns {
			if i := before.index(c.From.Name); i >= 0 {
				r.made[i].Name = c.New
			}
		}
		return
	}
	for _, c := range s.Columns {
		r.hide(c.From.Name)
	}
	for _, c := range s.Columns {
		r.set(c.New, before.column(c.From))
	}
}

func (r *Row) drop(s *syntax.Drop) {
	for _, c := range s.Columns {
		r.hide(c.Name)
	}
}

// Selector returns the condition that the events of a selector fulfil, nil for all events. Its
// conditions see the stored event.
func Selector(s *syntax.Selector) syntax.Expr { return StepSelector(s, &Row{}) }

// StepSelector is Selector for a selector of a stage, whose conditions see the row at that place.
func StepSelector(s *syntax.Selector, row *Row) syntax.Expr {
	if s == nil || s.All() {
		return nil
	}
	var any syntax.Expr
	for _, t := range s.Terms {
		var e syntax.Expr
		if !t.Any {
			e = &syntax.Binary{
				Pos: t.Pos, Op: syntax.OpEq,
				X: &syntax.Column{Pos: t.Pos, Name: syntax.ColumnEvent},
				Y: &syntax.Literal{Pos: t.Pos, Value: event.String(t.Name)},
			}
		}
		if t.Cond != nil {
			e = And(e, row.Resolve(t.Cond))
		}
		if any == nil {
			any = e
		} else {
			any = &syntax.Binary{Pos: t.Pos, Op: syntax.OpOr, X: any, Y: e}
		}
	}
	return any
}

// And joins two conditions, either of which may be nil.
func And(a, b syntax.Expr) syntax.Expr {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &syntax.Binary{Pos: b.Position(), Op: syntax.OpAnd, X: a, Y: b}
}
