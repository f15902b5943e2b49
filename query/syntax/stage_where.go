package syntax

// Where is `where cond`: rows that pass.
type Where struct {
	Pos
	Cond Expr
}

func (p *parser) where(pos Pos) Stage {
	s := &Where{Pos: pos, Cond: p.condition()}
	if t := p.peek(); t.is(",") {
		panic(p.unexpected(`"|" or the end`).WithHint(`conditions are joined by "and"`))
	}
	return s
}

// Keyword returns the stage's name.
func (*Where) Keyword() string { return "where" }

func (s *Where) print(w *printer) { w.expr(s.Cond) }

func (s *Where) exprs(yield func(Expr)) { yield(s.Cond) }

func (s *Where) columns(c *scope) error { return c.check(s.Cond) }
