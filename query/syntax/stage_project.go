package syntax

// Project is `project name, name = expr, …`: these columns alone, in this order. All expressions see
// the row as it came.
type Project struct {
	Pos
	Columns []Named // at least one, names distinct
}

func (p *parser) project(pos Pos) Stage { return &Project{Pos: pos, Columns: p.assignments(true)} }

// Keyword returns the stage's name.
func (*Project) Keyword() string { return "project" }

func (s *Project) print(w *printer) {
	omitted := omitNames(s.Columns)
	for i, n := range s.Columns {
		w.comma(i)
		if omitted[0][i] && !mayAssign(n.Expr) {
			w.expr(n.Expr)
		} else {
			w.assignment(n)
		}
	}
}

// mayAssign reports whether the text of an expression can look like `name = expr`.
func mayAssign(e Expr) bool {
	found := false
	walkRow(e, func(e Expr) bool {
		b, ok := e.(*Binary)
		found = found || ok && b.Op == OpEq
		return !found
	})
	return found
}

func (s *Project) exprs(yield func(Expr)) { yieldNamed(s.Columns, yield) }

func (s *Project) columns(c *scope) error {
	if err := c.checkNamed(s.Columns); err != nil {
		return err
	}
	c.only(s.Columns)
	return nil
}
