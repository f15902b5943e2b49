package exec

import "errors"

// ErrMemory is matched by the *MemoryError of a query over its memory budget.
var ErrMemory = errors.New("query memory limit")
