package query

import (
	"errors"
	"fmt"
	"time"

	"cairn/query/exec"
)

// ErrMemory is matched by the error of a query that needs more memory than Options.MemoryBytes; the
// error is an *exec.MemoryError and says what used it.
var ErrMemory = exec.ErrMemory

// ErrTimeout is matched by the error of a query that takes longer than Options.Timeout.
var ErrTimeout = errors.New("query timeout")

// ErrCursor is matched by the error of a page that is asked for with a cursor that was not given for it.
var ErrCursor = errors.New("bad cursor")

// TimeoutError ends a query that takes too long.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("the query took longer than its limit of %v", e.Limit)
}

// Is makes errors.Is(err, ErrTimeout) true.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }
