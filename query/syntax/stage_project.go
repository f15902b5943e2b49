package syntax

// Project is `project name, name = expr, …`: these columns alone, in this order. All expressions see
// the row as it came.
type Project struct {
	Pos     Pos
	Columns []Named // at least one, names distinct
}

// Position returns where the stage stands.
func (s *Project) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Project) Keyword() string { return "project" }
