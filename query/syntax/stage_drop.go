package syntax

// Drop is `drop name, …`: all columns but these.
type Drop struct {
	Pos
	Columns []*Column // at least one, of ScopeRow
}

func (p *parser) drop(pos Pos) Stage {
	s := &Drop{Pos: pos}
	p.list(func() { s.Columns = append(s.Columns, p.plainColumn()) })
	return s
}

// Keyword returns the stage's name.
func (*Drop) Keyword() string { return "drop" }

func (s *Drop) print(w *printer) {
	for i, c := range s.Columns {
		w.comma(i)
		w.expr(c)
	}
}

func (s *Drop) exprs(yield func(Expr)) {
	for _, c := range s.Columns {
		yield(c)
	}
}

func (s *Drop) columns(c *scope) error {
	for _, column := range s.Columns {
		if err := c.check(column); err != nil {
			return err
		}
		if err := c.shown(column, "dropped", ""); err != nil {
			return err
		}
	}
	for _, column := range s.Columns {
		c.remove(column.Name)
	}
	return nil
}
