package plan

import (
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// Streamed is what the stages right behind session or gap make of the events while they stream by, so
// that no rows of them are needed. Expressions are resolved; they name by ScopeMade the columns of the
// stage, and what AggColumn says of aggregates.
type Streamed struct {
	Stages int           // how many stages these are
	Where  []syntax.Expr // conditions that rows have to fulfil, all of them
	Stats  *Stats        // of the rows left
	Unit   Unit
	// Leaves are, with UnitSession, the aggregates of a session's events that Stats names as columns, and
	// Groups its keys that it names so, since values become others as keys.
	Leaves []*syntax.Agg
	Groups []syntax.Named
	// Then, if not nil, is made of the rows for sessions; its columns are theirs.
	Then *Streamed
}

// Unit is what a Streamed makes of events.
type Unit uint8

const (
	// UnitEvent: Stats takes events.
	UnitEvent Unit = iota
	// UnitLast: Stats takes the last events of sessions, and looks at columns of the session alone.
	UnitLast
	// UnitSession: Stats groups by session, and by other columns of it; its Aggs are expressions over
	// columns.
	UnitSession
)

// madeColumn names a computed column.
func madeColumn(name string) *syntax.Column {
	return &syntax.Column{Scope: syntax.ScopeMade, Name: name}
}

// AggColumn is the name of the column that holds an aggregate of a session's events.
func AggColumn(a *syntax.Agg) string { return syntax.ExprString(a) }

func isSessionField(name string) bool {
	_, _, ok := syntax.SessionColumn(name)
	return ok
}

// session adds the columns of a session stage.
func (r *Row) session() {
	r.sessions = true
	r.made = slices.DeleteFunc(r.made, func(n syntax.Named) bool { return isSessionField(n.Name) })
	for _, name := range syntax.SessionColumns {
		r.set(name, madeColumn(name))
	}
}

// streamed plans the stages on rows behind session or gap; nil if rows are needed.
func streamed(row *Row, stages []syntax.Stage) *Streamed {
	s := &Streamed{}
	sessions := row.sessions
	stages = s.pass(row, stages)
	s.Stats = row.stats(stages)
	if s.Stats == nil || row.MakesUser() || hasOver(s.Stats.Aggs) {
		return nil
	}
	s.Stages++
	if !sessions {
		return s
	}
	for i, e := range s.Where {
		if OfSession(e) {
			s.Where[i] = ofSession(e)
		}
	}
	switch {
	case s.bySession():
		s.Unit = UnitSession
		s.then(s.toSessions(), stages[1:])
	case s.ofLast():
		s.Unit = UnitLast
		s.rewrite(ofSession)
	}
	return s
}

// pass takes stages that look at each row alone, and returns those behind.
func (s *Streamed) pass(row *Row, stages []syntax.Stage) []syntax.Stage {
	for len(stages) > 0 {
		if w, ok := stages[0].(*syntax.Where); ok {
			s.Where = append(s.Where, conjuncts(row.Resolve(w.Cond))...)
		} else if !row.pass(stages[0]) {
			break
		}
		s.Stages++
		stages = stages[1:]
	}
	return stages
}

// conjuncts takes a condition apart.
func conjuncts(e syntax.Expr) []syntax.Expr {
	if b, ok := e.(*syntax.Binary); ok && b.Op == syntax.OpAnd {
		return append(conjuncts(b.X), conjuncts(b.Y)...)
	}
	return []syntax.Expr{e}
}

func hasOver(aggs []syntax.Named) bool {
	return hasAgg(aggs, func(a *syntax.Agg) bool { return a.Over != 0 })
}

func hasAgg(aggs []syntax.Named, is func(a *syntax.Agg) bool) bool {
	return slices.ContainsFunc(aggs, func(n syntax.Named) bool {
		found := false
		Walk(n.Expr, func(e syntax.Expr) bool {
			a, ok := e.(*syntax.Agg)
			found = found || ok && is(a)
			return true
		})
		return found
	})
}

// OfSession reports whether an expression has one value for all events of a session.
func OfSession(e syntax.Expr) bool {
	constant := true
	Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			switch e.Scope {
			case syntax.ScopeMade:
				constant = constant && e.Name != "dwell" && e.Name != syntax.ColumnGap
			case syntax.ScopeRow:
				constant = constant && e.Name == syntax.ColumnUser
			default:
				constant = false
			}
		case *syntax.Did, *syntax.FirstTime, *syntax.UserIn, *syntax.Agg:
			constant = false
		}
		return constant
	})
	return constant
}

// bySession reports whether every group is a session.
func (s *Streamed) bySession() bool {
	id := false
	for _, k := range s.Stats.Keys {
		if !OfSession(k.Expr) {
			return false
		}
		id = id || syntax.Equal(k.Expr, madeColumn("session.id"))
	}
	return id && s.Stats.Top == 0
}

// ofLast reports whether the rows are the last events of sessions, of which only columns of the session
// are looked at, and takes the condition that says so from the others.
func (s *Streamed) ofLast() bool {
	last := func(e syntax.Expr) bool {
		not, ok := e.(*syntax.Unary)
		if !ok || not.Op != syntax.OpNot {
			return false
		}
		call, ok := not.X.(*syntax.Call)
		return ok && call.Name == "exists" && len(call.Args) == 1 && syntax.Equal(call.Args[0], madeColumn("dwell"))
	}
	constant := func(e syntax.Expr) bool { return e == nil || OfSession(e) }
	if s.Stats.Time >= 0 || !slices.ContainsFunc(s.Where, last) {
		return false
	}
	for _, e := range s.Where {
		if !last(e) && !constant(e) {
			return false
		}
	}
	for _, k := range s.Stats.Keys {
		if !constant(k.Expr) {
			return false
		}
	}
	if hasAgg(s.Stats.Aggs, func(a *syntax.Agg) bool { return !constant(a.X) || !constant(a.If) }) {
		return false
	}
	s.Where = slices.DeleteFunc(s.Where, last)
	return true
}

// ofSession makes the user, who is that of all events, a column of the session.
func ofSession(e syntax.Expr) syntax.Expr {
	return Rewrite(e, func(e syntax.Expr) syntax.Expr {
		c, ok := e.(*syntax.Column)
		if !ok {
			return nil
		}
		_, field, _ := syntax.SessionColumn(c.Name)
		if c.Scope == syntax.ScopeRow && c.Name == syntax.ColumnUser || c.Scope == syntax.ScopeMade && field == syntax.ColumnUser {
			return madeColumn(syntax.ColumnUser)
		}
		return nil
	})
}

// rewrite puts other expressions in the place of those of Where and Stats.
func (s *Streamed) rewrite(f func(e syntax.Expr) syntax.Expr) {
	for i, e := range s.Where {
		s.Where[i] = f(e)
	}
	for _, list := range [][]syntax.Named{s.Stats.Keys, s.Stats.Aggs} {
		for i := range list {
			list[i].Expr = f(list[i].Expr)
		}
	}
}

// toSessions makes the aggregates columns of the session, and returns the row that its groups are.
func (s *Streamed) toSessions() *Row {
	whole := !slices.ContainsFunc(s.Where, func(e syntax.Expr) bool { return !OfSession(e) })
	row := &Row{closed: true}
	for i := range s.Stats.Keys {
		k := &s.Stats.Keys[i]
		k.Expr = s.group(ofSession(k.Expr))
		row.set(k.Name, k.Expr)
	}
	for i := range s.Stats.Aggs {
		a := &s.Stats.Aggs[i]
		a.Expr = ofSession(Rewrite(a.Expr, func(e syntax.Expr) syntax.Expr {
			if a, ok := e.(*syntax.Agg); ok {
				return s.leaf(a, whole)
			}
			return nil
		}))
		row.set(a.Name, a.Expr)
	}
	return row
}

// group returns the column that holds a key, which may be the column that the key is.
func (s *Streamed) group(key syntax.Expr) syntax.Expr {
	if c, ok := key.(*syntax.Column); ok && !isSessionField(c.Name) {
		return key
	}
	n := syntax.Named{Name: "by " + syntax.ExprString(key), Expr: key}
	s.Groups = append(s.Groups, n)
	return madeColumn(n.Name)
}

// AtEnd reports whether an aggregate of Leaves is the first or last value of stored columns among all
// events of a session.
func (s *Streamed) AtEnd(a *syntax.Agg) bool {
	if a.If != nil || a.Func != syntax.AggFirst && a.Func != syntax.AggLast {
		return false
	}
	made := false
	Walk(a.X, func(e syntax.Expr) bool {
		c, ok := e.(*syntax.Column)
		made = made || ok && c.Scope == syntax.ScopeMade
		return true
	})
	return !made && !slices.ContainsFunc(s.Where, func(e syntax.Expr) bool { return !OfSession(e) })
}

// Exprs returns all expressions, those of aggregates too.
func (s *Streamed) Exprs() []syntax.Expr {
	var list []syntax.Expr
	for at := s; at != nil; at = at.Then {
		list = append(list, at.Where...)
		for _, n := range slices.Concat(at.Stats.Keys, at.Stats.Aggs, at.Groups) {
			list = append(list, n.Expr)
		}
		for _, a := range at.Leaves {
			list = append(list, a, madeColumn(AggColumn(a)))
		}
	}
	return list
}

// Made returns the names of all computed columns that are looked at.
func (s *Streamed) Made() []string {
	var names []string
	for _, e := range s.Exprs() {
		Walk(e, func(e syntax.Expr) bool {
			if c, ok := e.(*syntax.Column); ok && c.Scope == syntax.ScopeMade && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
			return true
		})
	}
	return names
}

// leaf returns the expression over columns of a session that stands for an aggregate of its events.
func (s *Streamed) leaf(a *syntax.Agg, whole bool) syntax.Expr {
	whole = whole && a.If == nil
	first := a.Func == syntax.AggFirst || a.Func == syntax.AggMin
	last := a.Func == syntax.AggLast || a.Func == syntax.AggMax
	switch {
	case whole && a.Func == syntax.AggCount:
		return madeColumn("session.events")
	case whole && a.Func == syntax.AggUsers:
		return &syntax.Literal{Pos: a.Pos, Value: event.Int(1)}
	case (first || last) && a.If == nil && OfSession(a.X):
		return a.X
	case first && whole && isTime(a.X):
		return madeColumn("session.entry.time")
	case last && whole && isTime(a.X):
		return madeColumn("session.exit.time")
	}
	if !slices.ContainsFunc(s.Leaves, func(have *syntax.Agg) bool { return syntax.Equal(have, a) }) {
		s.Leaves = append(s.Leaves, a)
	}
	return madeColumn(AggColumn(a))
}

func isTime(e syntax.Expr) bool {
	c, ok := e.(*syntax.Column)
	return ok && c.Scope == syntax.ScopeRow && c.Name == syntax.ColumnTime
}

// then plans the stages on the rows for sessions, if they are a stats that needs no more than columns.
func (s *Streamed) then(row *Row, stages []syntax.Stage) {
	next := &Streamed{Unit: UnitSession}
	stages = next.pass(row, stages)
	next.Stats = row.stats(stages)
	if next.Stats == nil || next.Stats.Time >= 0 {
		return
	}
	next.Stages++
	next.rewrite(func(e syntax.Expr) syntax.Expr {
		return Rewrite(e, func(e syntax.Expr) syntax.Expr {
			if a, ok := e.(*syntax.Agg); ok && a.Func == syntax.AggUsers {
				distinct := *a
				distinct.Func, distinct.X = syntax.AggDistinct, row.column(&syntax.Column{Name: syntax.ColumnUser})
				return &distinct
			}
			return nil
		})
	})
	needsMore := func(a *syntax.Agg) bool {
		return a.Over != 0 || a.Func == syntax.AggFirst || a.Func == syntax.AggLast
	}
	if hasAgg(next.Stats.Aggs, needsMore) || next.looksAtUsers() {
		return
	}
	s.Then = next
	s.Stages += next.Stages
}

// looksAtUsers reports whether an expression asks for what is known of the user of a row.
func (s *Streamed) looksAtUsers() bool {
	found := false
	s.rewrite(func(e syntax.Expr) syntax.Expr {
		Walk(e, func(e syntax.Expr) bool {
			switch e.(type) {
			case *syntax.Did, *syntax.FirstTime, *syntax.UserIn:
				found = true
			}
			return true
		})
		return e
	})
	return found
}
