package syntax

// Extend is `extend name = expr, …`: adds columns, or replaces them. An expression sees the columns
// before it in the same stage.
type Extend struct {
	Pos
	Columns []Named // at least one, names distinct
}

func (p *parser) extend(pos Pos) Stage { return &Extend{Pos: pos, Columns: p.assignments(false)} }

// Keyword returns the stage's name.
func (*Extend) Keyword() string { return "extend" }

func (s *Extend) print(w *printer) {
	for i, n := range s.Columns {
		w.comma(i)
		w.assignment(n)
	}
}

func (s *Extend) exprs(yield func(Expr)) { yieldNamed(s.Columns, yield) }

func (s *Extend) columns(c *scope) error {
	for _, n := range s.Columns {
		if err := c.check(n.Expr); err != nil {
			return err
		}
		c.add(n.Name)
	}
	return nil
}
