package syntax

// Stage is one step of a pipeline; each kind has its own file, stage_NAME.go.
type Stage interface {
	// Position is where the stage's name stands.
	Position() Pos
	// Keyword is the stage's name in the language.
	Keyword() string
}

// Named is an expression with the name of the column that it makes. The parser fills in the default
// where the text has none.
type Named struct {
	Pos  Pos
	Name string
	Expr Expr
}
