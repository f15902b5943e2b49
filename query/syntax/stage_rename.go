package syntax

// Rename is `rename new = old, …`: the column keeps its place. All renames happen at once.
type Rename struct {
	Pos     Pos
	Columns []Renamed // at least one
}

// Position returns where the stage stands.
func (s *Rename) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Rename) Keyword() string { return "rename" }

// Renamed is one `new = old`.
type Renamed struct {
	Pos  Pos
	New  string
	From *Column
}
