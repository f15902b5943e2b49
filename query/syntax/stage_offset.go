package syntax

// Offset is `offset n`: all but the first n rows.
type Offset struct {
	Pos Pos
	N   int64
}

// Position returns where the stage stands.
func (s *Offset) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Offset) Keyword() string { return "offset" }
