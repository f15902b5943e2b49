package result

// Shape says what the rows of a table are, and what a picture of them needs to know that the columns
// do not tell. The zero value is a table like any other. Only AppendPicture looks at it.
type Shape struct {
	Kind   ShapeKind
	Groups int // leading columns that name the group of a row

	Unit   string // ShapeFunnel: what is counted, such as users
	Cells  Cells  // ShapeRetention: what p0, p1, … hold
	Layout string // of cohorts and times, as package time has it; "" is the shortest that tells them all
	Max    int    // ShapePaths: nodes of a path; one with more was cut there; 0 is no limit
	Top    int    // ShapePaths: rows of a group; one with so many may have lost others; 0 is no limit
}

// ShapeKind tells the shapes apart.
type ShapeKind uint8

// The shapes: a table like any other, and the answers that have a picture, with their columns behind
// those of the groups.
const (
	ShapeTable      ShapeKind = iota
	ShapeFunnel               // step, event, count, rate, step_rate, dropped, pending, avg_time, median_time, sums
	ShapeRetention            // cohort, size, p0, p1, …; a row without a cohort is the mean
	ShapePaths                // step, source, target, count, users, avg_time
	ShapeTrend                // time, entered, converted, rate
	ShapeLifecycle            // time, new, returning, resurrected, dormant
	ShapeStickiness           // periods, users
)

// Cells is what a retention's cells hold.
type Cells uint8

// The contents of cells.
const (
	CellsCount Cells = iota // users, drawn as their share of the cohort
	CellsSum                // a sum over events
	CellsMean               // a mean over events
)
