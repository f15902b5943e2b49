package syntax

// Sort is `sort KEY [desc], …`: nulls last, ties by the remaining columns.
type Sort struct {
	Pos  Pos
	Keys []SortKey // at least one
}

// Position returns where the stage stands.
func (s *Sort) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Sort) Keyword() string { return "sort" }

// SortKey is one key of a sort.
type SortKey struct {
	Expr Expr
	Desc bool
}
