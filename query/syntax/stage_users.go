package syntax

// Users is `users`: the distinct users of the rows, as a column user.
type Users struct {
	Pos Pos
}

// Position returns where the stage stands.
func (s *Users) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Users) Keyword() string { return "users" }
