package syntax

// behaviour checks a stage that looks at the events of users, and all its expressions; the conditions of
// its selectors see the row.
func (c *scope) behaviour(s Stage) error {
	if !c.rows {
		return Errorf(s.Position(), "%s needs events, and the rows are none", s.Keyword()).
			WithHint("they have %s", c.listNames())
	}
	var err error
	s.exprs(func(e Expr) {
		if err == nil {
			err = c.check(e)
		}
	})
	return err
}

// funnel returns the funnel that a stage stands right behind.
func (c *scope) funnel(s Stage) (*Funnel, error) {
	if f, ok := c.before.(*Funnel); ok {
		return f, nil
	}
	return nil, Errorf(s.Position(), "%s stands right behind a funnel", s.Keyword()).
		WithHint("| funnel a -> b | %s", StageString(s))
}

// hasStep refuses the number of a step that the funnel does not have.
func (s *Funnel) hasStep(behind Stage, n int) error {
	if steps := len(s.Pattern.Steps); n > steps {
		return Errorf(behind.Position(), "the funnel has no step %d", n).
			WithHint("its steps go from 1 to %d", steps)
	}
	return nil
}

// funnelUsers checks Converted, Dropped and Pending.
func (c *scope) funnelUsers(s Stage, step int) error {
	f, err := c.funnel(s)
	if err != nil {
		return err
	}
	if err := f.hasStep(s, step); err != nil {
		return err
	}
	return c.view(s, namesOf(f.By), userColumns[:])
}

// view begins the rows of another view of a stage, which have several kinds of columns.
func (c *scope) view(s Stage, lists ...[]string) error {
	c.set(nil)
	for _, list := range lists {
		for _, name := range list {
			if c.has(name) {
				return Errorf(s.Position(), "%s has a column %s, and a group has that name", s.Keyword(), name).
					WithHint("give the group another: by … as name")
			}
			c.add(name)
		}
	}
	return nil
}

// usersBehind makes the columns of users right behind a behavioural stage; false: it stands elsewhere.
func (c *scope) usersBehind(s *Users) (bool, error) {
	user := []string{ColumnUser}
	switch b := c.before.(type) {
	case *Funnel:
		return true, c.view(s, user, []string{ColumnTime, "step"}, namesOf(b.By))
	case *Converted, *Dropped, *Pending:
		return true, c.view(s, user, []string{ColumnTime})
	case *Match:
		if !c.has(ColumnUser) {
			var keys printer
			keys.named(b.By, omitNames(b.By)[0])
			return true, Errorf(s.Pos, "users needs the user, and the matches are by %s", shorten(keys.String())).
				WithHint("leave out by, or name a key user")
		}
		return true, c.view(s, user)
	case *Retention:
		return true, c.view(s, user, namesOf(b.By), []string{"cohort", "period"})
	case *Lifecycle:
		return true, c.view(s, user, []string{ColumnTime, "state"})
	case *Stickiness:
		return true, c.view(s, user, []string{"periods"})
	case *Paths:
		return true, c.view(s, user, namesOf(b.By), map[PathView][]string{
			PathEdges: {"step", "source", "target"}, PathShortest: {"path"}, PathLoops: {"node"}, PathDeadEnds: {"node"},
		}[b.View])
	}
	return false, nil
}
