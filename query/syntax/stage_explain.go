package syntax

// Explain is `explain`: what the stages before it would read; nothing is executed. It is the last
// stage of the query itself, never of a Let.
type Explain struct {
	Pos
}

func (p *parser) explain(pos Pos) Stage {
	if p.peek().is("|") {
		panic(p.unexpected("the end").WithHint("explain is the last stage"))
	}
	return &Explain{Pos: pos}
}

// Keyword returns the stage's name.
func (*Explain) Keyword() string { return "explain" }

func (s *Explain) print(*printer) {}

func (s *Explain) exprs(func(Expr)) {}

func (s *Explain) columns(*scope) error { return nil }
