package syntax

// Top is `top n KEY, … [by AGG]`: the n groups with the highest AGG, ties by the keys. Its rows are the
// keys, then the aggregate.
type Top struct {
	Pos  Pos
	N    int     // 10 when not written
	Keys []Named // at least one
	By   Named   // count() when not written
}

// Position returns where the stage stands.
func (s *Top) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Top) Keyword() string { return "top" }
