package syntax

// Extend is `extend name = expr, …`: adds columns, or replaces them. An expression sees the columns
// before it in the same stage.
type Extend struct {
	Pos     Pos
	Columns []Named // at least one, names distinct
}

// Position returns where the stage stands.
func (s *Extend) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Extend) Keyword() string { return "extend" }
