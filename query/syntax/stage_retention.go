package syntax

// Retention is `retention [first] START -> RETURN [option]…`: which users of each cohort come back in
// which period. Rows: the groups, then cohort, size, and a column for every period or bracket.
type Retention struct {
	Pos
	First         bool // START is the user's first in history
	Start, Return *Selector
	Every         Span  // a period; 1d when not written
	For           int   // periods after the cohort's own; 7 when not written; not used with Brackets
	Brackets      []int // first periods of brackets, ascending, at least one; nil: none
	When          When
	Rolling       bool    // periods of exact length from the user's START; Every is then of h, d or w
	Min           int     // RETURN events that a cell takes, at least 1
	Value         AggFunc // AggSum or AggAvg of X over the RETURN events; 0: users
	X             Expr    // nil unless there is a Value
	By            []Named // values on START
}

// When says in which periods a cell looks for RETURN.
type When uint8

// The periods that cell k looks at.
const (
	On         When = iota // the k-th (those of the bracket)
	OnOrAfter              // the k-th or any later one
	OnOrBefore             // any of 1 … k
	Streak                 // each of 1 … k
)

func (w When) String() string {
	return [...]string{"on", "on or after", "on or before", "streak"}[w]
}

// Periods returns the numbers of the columns p0, p1, … of a retention.
func (s *Retention) Periods() []int {
	if s.Brackets != nil {
		return s.Brackets
	}
	periods := make([]int, s.For+1)
	for i := range periods {
		periods[i] = i
	}
	return periods
}

// Last returns the last period of the column with number i in Periods: that before the next bracket.
func (s *Retention) Last(i int) int {
	if s.Brackets != nil && s.When == On && i+1 < len(s.Brackets) {
		return s.Brackets[i+1] - 1
	}
	return s.Periods()[i]
}
