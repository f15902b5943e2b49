package syntax

// Running is `running COLUMN [as name], … [by KEY, …]`: adds cumulative sums down the rows, each key
// on its own.
type Running struct {
	Pos
	Columns []Named // at least one; each Expr is a Column; default name running_COLUMN
	By      []Expr  // nil: one sum for all rows
}

func (p *parser) running(pos Pos) Stage {
	s := &Running{Pos: pos}
	s.Columns = p.named(func() Expr { return p.column() })
	used := map[string]bool{}
	for i := range s.Columns {
		n := &s.Columns[i]
		if n.Name == "" {
			n.Name = runningName(n.Expr)
		}
		if used[n.Name] {
			panic(Errorf(n.Pos, "two columns are named %q", n.Name))
		}
		used[n.Name] = true
	}
	s.By = p.keys()
	return s
}

func runningName(e Expr) string { return "running_" + DefaultName(e) }

// Keyword returns the stage's name.
func (*Running) Keyword() string { return "running" }

func (s *Running) print(w *printer) {
	omitted := make([]bool, len(s.Columns))
	for i, n := range s.Columns {
		omitted[i] = n.Name == runningName(n.Expr)
	}
	w.named(s.Columns, omitted)
	w.by(s.By)
}

func (s *Running) exprs(yield func(Expr)) {
	yieldNamed(s.Columns, yield)
	yieldExprs(s.By, yield)
}

func (s *Running) columns(c *scope) error {
	if err := c.checkNamed(s.Columns); err != nil {
		return err
	}
	if err := c.checkExprs(s.By); err != nil {
		return err
	}
	for _, n := range s.Columns {
		c.add(n.Name)
	}
	return nil
}
