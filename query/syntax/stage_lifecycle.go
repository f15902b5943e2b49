package syntax

// Lifecycle is `lifecycle SEL every SPAN`: users by what they did in a period and the one before. Rows:
// LifecycleColumns.
type Lifecycle struct {
	Pos
	Selector *Selector
	Every    Span
}

// LifecycleColumns are the columns of a Lifecycle.
var LifecycleColumns = [...]string{ColumnTime, "new", "returning", "resurrected", "dormant"}
