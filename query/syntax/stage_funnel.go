package syntax

// Funnel is `funnel PATTERN [option]…`: how far the attempts of each user get along the pattern. Rows:
// the groups, then FunnelColumns, then the sums. Trend, Times, Converted, Dropped, Pending and Users
// right behind it are other views of the same run.
type Funnel struct {
	Pos
	Pattern    *Pattern
	Within     int64     // nanoseconds from the attempt's first event, inclusive; 7d when not written
	Except     []*Except // any number
	Hold       []Expr    // values that all steps share with the first
	Count      CountUnit
	Latest     bool    // `entry latest`: of equally deep attempts the one that starts last
	Increasing bool    // simultaneous events do not follow each other
	Open       bool    // an attempt may start at any step
	Sums       []Named // `sum(f)`: default names sum_f
	By         []Named // breakdown
	At         At      // the step that gives the breakdown's value
	AtStep     int     // AtOne: the step's number, from 1
	Top        int     // groups with most users at step 1; 0: all
}

// FunnelWithin is the conversion window of a funnel that names none.
const FunnelWithin = 7 * 24 * 3600 * 1_000_000_000

// FunnelColumns are the columns of a Funnel between those of groups and sums.
var FunnelColumns = [...]string{"step", "event", "count", "rate", "step_rate", "dropped", "pending", "avg_time", "median_time"}

// Except is `except SEL [between i and j] [remove]`: an event that ends the attempt when it lies strictly
// between the times of two steps.
type Except struct {
	Pos      Pos
	Selector *Selector
	From, To int  // numbers of steps, From < To; first and last when not written
	Remove   bool // a user whose deepest attempts are all spoilt leaves the funnel
}

// CountUnit is what a funnel counts.
type CountUnit uint8

// What a funnel counts.
const (
	CountUsers    CountUnit = iota
	CountTotals             // attempts
	CountSessions           // sessions
)

func (c CountUnit) String() string { return [...]string{"users", "totals", "sessions"}[c] }

// At says which event gives the value of a breakdown.
type At uint8

// The places of a breakdown.
const (
	AtOne   At = iota // at step n, the first when nothing is written
	AtFirst           // the first value on any event that matches a step
	AtLast            // the last one
	AtAll             // all steps' events have the value
)
