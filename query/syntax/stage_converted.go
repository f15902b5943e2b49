package syntax

// Converted is `converted [n]` behind a funnel: the users counted at step n. Rows: the groups, user, and
// time, that of the step.
type Converted struct {
	Pos
	Step int // from 1; 0: the goal
}
