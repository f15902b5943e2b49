package syntax

// Drop is `drop name, …`: all columns but these.
type Drop struct {
	Pos     Pos
	Columns []*Column // at least one
}

// Position returns where the stage stands.
func (s *Drop) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Drop) Keyword() string { return "drop" }
