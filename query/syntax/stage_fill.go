package syntax

// Fill is `fill [0|null|previous|none]`: rows for missing time buckets.
type Fill struct {
	Pos  Pos
	With FillWith
}

// Position returns where the stage stands.
func (s *Fill) Position() Pos { return s.Pos }

// Keyword returns the stage's name.
func (*Fill) Keyword() string { return "fill" }

// FillWith says what a filled row holds in its aggregates.
type FillWith uint8

const (
	FillZero     FillWith = iota // 0, also when nothing is written
	FillNull                     // null
	FillPrevious                 // the values of the bucket before
	FillNone                     // no rows are added, nor those that stats adds by itself
)

func (f FillWith) String() string { return [...]string{"0", "null", "previous", "none"}[f] }
