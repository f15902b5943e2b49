package syntax

// Explain is `explain`: what the stages before it would read; nothing is executed.
type Explain struct {
	Pos Pos
}

// Position returns where the stage stands.
func (s *Explain) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Explain) Keyword() string { return "explain" }
