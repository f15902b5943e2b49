package syntax

// Where is `where cond`: rows that pass.
type Where struct {
	Pos  Pos
	Cond Expr
}

// Position returns where the stage stands.
func (s *Where) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Where) Keyword() string { return "where" }
