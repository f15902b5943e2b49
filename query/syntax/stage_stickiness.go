package syntax

// Stickiness is `stickiness SEL every SPAN [min k] [at least]`: users by the number of periods in which
// they match. Rows: StickinessColumns.
type Stickiness struct {
	Pos
	Selector *Selector
	Every    Span
	Min      int  // matches that make a period count, at least 1
	AtLeast  bool // users with at least so many periods
}

// StickinessColumns are the columns of a Stickiness.
var StickinessColumns = [...]string{"periods", "users"}
