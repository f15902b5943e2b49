package syntax

// Running is `running COLUMN [as name], … [by KEY, …]`: adds cumulative sums down the rows, each key
// on its own.
type Running struct {
	Pos     Pos
	Columns []Named // at least one; default name running_COLUMN
	By      []Expr  // nil: one sum for all rows
}

// Position returns where the stage stands.
func (s *Running) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Running) Keyword() string { return "running" }
