package syntax

// Dropped is `dropped [after n]` behind a funnel: the users who got to step n and no further. Rows: the
// groups, user, and time, that of the step.
type Dropped struct {
	Pos
	After int // from 1; 0: after any step before the goal
}
