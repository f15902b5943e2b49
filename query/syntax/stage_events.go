package syntax

// Events is `events`: raw events, newest first.
type Events struct {
	Pos Pos
}

// Position returns where the stage stands.
func (s *Events) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Events) Keyword() string { return "events" }
