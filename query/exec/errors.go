package exec

import "errors"

// ErrMemory is matched by the *MemoryError of a query over its memory budget.
var ErrMemory = errors.New("query memory limit")

// errChain ends a query whose pattern takes too many events in ways that depend on each other.
var errChain = errors.New("a match of the pattern takes more than 262,144 events, with limits between them or at one instant; limit the repeats, as in {20,1000}, or the time, as in within 1h")
