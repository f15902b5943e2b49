package ingest

import (
	"errors"
	"fmt"
)

// ErrOptions is wrapped by errors about Options that contradict themselves.
var ErrOptions = errors.New("bad ingest options")

// ErrEmpty is returned for a body without any event.
var ErrEmpty = errors.New("no events")

// ErrHeader is wrapped by errors about the header line of a CSV file: none, or one that names a
// column twice or lacks a column that the options name.
var ErrHeader = errors.New("bad header line")

// SyntaxError says that the borders of events cannot be found: an array that is not one. Nothing
// of the body is taken.
type SyntaxError struct {
	Offset  int64 // of the first wrong byte, from the beginning of the input
	Line    int   // from 1
	Message string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset, e.Message)
}
