package syntax

// Gap is `gap`: adds the column gap, the time since the user's event before; absent on the first.
type Gap struct {
	Pos
}

// ColumnGap is the column that a Gap adds.
const ColumnGap = "gap"
