package syntax

import "cairn/engine/event"

// Times is `times [i to j] [hist e1, e2, …]` behind a funnel: how long it took from one step to another.
// Rows: the groups, then TimesColumns, and hist when there are edges.
type Times struct {
	Pos
	From, To int           // numbers of steps; 0, 0: from the first to the goal
	Edges    []event.Value // ascending durations; nil: no histogram
}

// TimesColumns are the columns of a Times behind those of groups.
var TimesColumns = [...]string{"count", "avg", "p50", "p90", "p99", "min", "max"}
