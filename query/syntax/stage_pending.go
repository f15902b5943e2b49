package syntax

// Pending is `pending` behind a funnel: the users who have not converted and whose window is open. Rows:
// the groups, user, and time, that of the furthest step.
type Pending struct {
	Pos
}
