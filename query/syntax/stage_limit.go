package syntax

// Limit is `limit n [by KEY, …]`: the first n rows, or the first n of every key.
type Limit struct {
	Pos Pos
	N   int64
	By  []Expr // nil: of all rows
}

// Position returns where the stage stands.
func (s *Limit) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Limit) Keyword() string { return "limit" }
