package syntax

import "math"

// Offset is `offset n`: all but the first n rows.
type Offset struct {
	Pos
	N int64
}

func (p *parser) offset(pos Pos) Stage {
	return &Offset{Pos: pos, N: p.wantCount("a whole number", 0, math.MaxInt64)}
}

// Keyword returns the stage's name.
func (*Offset) Keyword() string { return "offset" }

func (s *Offset) print(w *printer) { w.int(s.N) }

func (s *Offset) exprs(func(Expr)) {}

func (s *Offset) columns(*scope) error { return nil }
