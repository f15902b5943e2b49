package syntax

import "math"

// Limit is `limit n [by KEY, …]`: the first n rows, or the first n of every key.
type Limit struct {
	Pos
	N  int64
	By []Expr // nil: of all rows
}

func (p *parser) limit(pos Pos) Stage {
	return &Limit{Pos: pos, N: p.wantCount("a whole number", 0, math.MaxInt64), By: p.keys()}
}

// Keyword returns the stage's name.
func (*Limit) Keyword() string { return "limit" }

func (s *Limit) print(w *printer) {
	w.int(s.N)
	w.by(s.By)
}

func (s *Limit) exprs(yield func(Expr)) { yieldExprs(s.By, yield) }

func (s *Limit) columns(c *scope) error { return c.checkExprs(s.By) }
