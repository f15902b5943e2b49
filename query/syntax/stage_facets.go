package syntax

// Facets is `facets [n]`: the top n values of every field.
type Facets struct {
	Pos Pos
	N   int // 10 when not written
}

// Position returns where the stage stands.
func (s *Facets) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Facets) Keyword() string { return "facets" }
