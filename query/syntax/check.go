package syntax

import (
	"slices"
	"strings"
)

// scope is what the checker knows of the rows between two stages.
type scope struct {
	lets     map[string]bool // by name: whether the result has users
	names    []string        // the columns; when open, those that stages made
	gone     []string        // when open: columns that were dropped
	open     bool            // any name may be a field
	rows     bool            // every row is an event: fields.NAME and the user are at hand
	bucketed bool            // the rows come from a stats by a bin of time
	prefixes []string        // beginnings of columns that are there when they are named
	before   Stage           // the stage that made the rows; nil: the selector
}

// check refuses names of columns that no row can have, and what needs an event where there is none.
// On events every name may be a field; the columns behind stats, top, facets and project are known.
func check(q *Query) error {
	lets := map[string]bool{}
	for _, l := range q.Lets {
		c, err := checkPipeline(l.Body, lets)
		if err != nil {
			return err
		}
		if n := len(l.Body.Stages); n > 0 {
			if e, ok := l.Body.Stages[n-1].(*Explain); ok {
				return Errorf(e.Pos, "a named result cannot be explained").WithHint("explain ends the query itself")
			}
		}
		lets[l.Name] = c.rows || c.has(ColumnUser)
	}
	_, err := checkPipeline(&q.Pipeline, lets)
	return err
}

func checkPipeline(pl *Pipeline, lets map[string]bool) (*scope, error) {
	c := &scope{lets: lets, open: true, rows: true}
	if err := c.selector(pl.Selector); err != nil {
		return nil, err
	}
	for _, s := range pl.Stages {
		if err := s.columns(c); err != nil {
			return nil, err
		}
		c.before = s
	}
	return c, nil
}

// ResultColumns returns the names of the columns behind the stages of a checked pipeline, in order.
// With open set the rows are events, and names are the columns that stages have added to theirs.
func ResultColumns(pl *Pipeline) (names []string, open bool) {
	c, err := checkPipeline(pl, nil)
	if err != nil {
		return nil, true
	}
	return c.names, c.open
}

// RowColumns returns what tells whether a name is that of a column that the stages of a checked pipeline
// have made, also one that ResultColumns leaves out since it is there only when it is named: x.FIELD
// behind match, session.entry.FIELD behind session. With open set every other name is one of an event.
func RowColumns(pl *Pipeline) (made func(name string) bool, open bool) {
	c, err := checkPipeline(pl, nil)
	if err != nil {
		return func(string) bool { return false }, true
	}
	return func(name string) bool { return c.has(name) || c.prefixed(name) }, c.open
}

func (c *scope) has(name string) bool { return slices.Contains(c.names, name) }

func (c *scope) add(name string) {
	if !c.has(name) {
		c.names = append(slices.Clip(c.names), name)
	}
	c.gone = slices.DeleteFunc(slices.Clone(c.gone), func(g string) bool { return g == name })
}

func (c *scope) remove(name string) {
	c.names = slices.DeleteFunc(slices.Clone(c.names), func(n string) bool { return n == name })
	c.gone = append(slices.Clip(c.gone), name)
}

// only keeps columns of the same rows.
func (c *scope) only(list []Named) {
	c.names, c.gone, c.prefixes, c.open = nil, nil, nil, false
	for _, n := range list {
		c.names = append(c.names, n.Name)
	}
}

// set begins new rows that are no events.
func (c *scope) set(names []string) {
	c.names, c.gone, c.prefixes = slices.Clip(names), nil, nil
	c.open, c.rows, c.bucketed = false, false, false
}

// result begins the rows of groups.
func (c *scope) result(keys, aggs []Named) {
	c.set(nil)
	for _, n := range slices.Concat(keys, aggs) {
		c.names = append(c.names, n.Name)
	}
	c.bucketed = TimeKey(keys) >= 0
}

// user refuses what looks at the user where there is none.
func (c *scope) user(pos Pos, what string) error {
	if c.rows || c.has(ColumnUser) {
		return nil
	}
	return Errorf(pos, "%s needs a column user, and the rows have none", what).WithHint("they have %s", c.listNames())
}

func (c *scope) listNames() string {
	var w printer
	for i, name := range c.names {
		if i == 8 {
			w.text(", …")
			break
		}
		w.comma(i)
		w.name(name)
	}
	return w.String()
}

func (c *scope) checkNamed(list []Named) error {
	for _, n := range list {
		if err := c.check(n.Expr); err != nil {
			return err
		}
	}
	return nil
}

func (c *scope) checkExprs(list []Expr) error {
	for _, e := range list {
		if err := c.check(e); err != nil {
			return err
		}
	}
	return nil
}

// selector checks the conditions of a selector, which see events.
func (c *scope) selector(s *Selector) error {
	events := &scope{lets: c.lets, open: true, rows: true}
	for _, t := range s.Terms {
		if err := events.check(t.Cond); err != nil {
			return err
		}
	}
	return nil
}

// check goes through an expression.
func (c *scope) check(e Expr) error {
	var err error
	walkRow(e, func(e Expr) bool {
		if err == nil {
			err = c.checkNode(e)
		}
		return err == nil
	})
	return err
}

func (c *scope) checkNode(e Expr) error {
	switch e := e.(type) {
	case *Column:
		return c.column(e)
	case *UserIn:
		if users, ok := c.lets[e.Name]; ok && !users {
			return Errorf(e.Pos, "the result %q has no column user", e.Name).WithHint("end it with | users")
		}
		return c.user(e.Pos, "user in "+e.Name)
	case *Did:
		if err := c.user(e.Pos, "did"); err != nil {
			return err
		}
		return c.selector(e.Selector)
	case *FirstTime:
		if err := c.user(e.Pos, "first_time"); err != nil {
			return err
		}
		return c.selector(e.Selector)
	case *Agg:
		switch {
		case e.Func == AggUsers:
			return c.user(e.Pos, "users()")
		case (e.Func == AggFirst || e.Func == AggLast) && !c.rows && !c.has(ColumnTime):
			return Errorf(e.Pos, "%s goes by time, and the rows have no column time", e.Func).
				WithHint("they have %s", c.listNames())
		}
	}
	return nil
}

// column checks a column. A column called user.NAME that a stage made hides the profile property.
func (c *scope) column(e *Column) error {
	if made := "user." + e.Name; e.Scope == ScopeProfile && c.has(made) {
		e.Scope, e.Name = ScopeRow, made
	}
	switch {
	case e.Scope == ScopeProfile:
		return c.user(e.Pos, ExprString(e))
	case e.Scope == ScopeFields && !c.rows:
		return Errorf(e.Pos, "%s is a field of events, and the rows are no events", e).
			WithHint("they have %s", c.listNames())
	case e.Scope == ScopeFields || c.has(e.Name) || c.prefixed(e.Name):
		return nil
	case c.open && !slices.Contains(c.gone, e.Name):
		return nil
	case c.open:
		return Errorf(e.Pos, "the column %s is gone", e).WithHint("a stage before dropped or renamed it")
	}
	err := Errorf(e.Pos, "unknown column %q", e.Name).WithNearest(e.Name, c.names)
	if err.Hint == "" {
		err = err.WithHint("the rows have %s", c.listNames())
	}
	return err
}

// shown refuses to rename or drop a column that is there only when it is named.
func (c *scope) shown(e *Column, what, hint string) error {
	if e.Scope == ScopeRow && c.prefixed(e.Name) {
		return Errorf(e.Pos, "%s cannot be %s, as it is a column only where it is named", e, what).WithHint("%s", hint)
	}
	return nil
}

// prefixed reports whether a name is that of a column by its beginning alone, such as x.FIELD of a step
// `as x`.
func (c *scope) prefixed(name string) bool {
	return !c.has(name) && !slices.Contains(c.gone, name) &&
		slices.ContainsFunc(c.prefixes, func(p string) bool { return len(name) > len(p) && strings.HasPrefix(name, p) })
}
