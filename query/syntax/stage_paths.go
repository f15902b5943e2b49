package syntax

// Paths is `paths [option]…`: how users go from node to node. Rows: the groups, then the columns of the
// view.
type Paths struct {
	Pos
	From, To *Selector // nil: from the first event, to the last
	Of       Expr      // what a node is; nil: the event's name
	By       []Named   // values on the path's first event
	Max      int       // nodes of a path, 6 when not written; not used by other views than edges
	Gap      int64     // a longer pause ends a path; 30m when not written; 0 with Within
	Within   int64     // how long a path lasts at most, from its first event; 0: by Gap
	Repeats  bool      // `collapse off`: equal nodes in a row stay apart
	Except   []*Selector
	Top      int // rows, 50 when not written
	View     PathView
	Shortest int // PathShortest: how many
}

// PathView is what the rows of a Paths are.
type PathView uint8

// The views of paths, with their columns in PathColumns.
const (
	PathEdges    PathView = iota // from one node to the next
	PathShortest                 // whole journeys, the shortest first
	PathLoops                    // nodes that a path returns to
	PathDeadEnds                 // nodes that paths end in
)

func (v PathView) String() string {
	return [...]string{"", "shortest", "loops", "dead ends"}[v]
}

// PathColumns are the columns of each view.
var PathColumns = [...][]string{
	PathEdges:    {"step", "source", "target", "count", "users", "avg_time"},
	PathShortest: {"path", "steps", "count", "users", "avg_time"},
	PathLoops:    {"node", "paths", "count", "rate", "users"},
	PathDeadEnds: {"node", "paths", "count", "rate", "users"},
}
