package segment

import (
	"errors"
	"fmt"
)

// ErrCorrupt is matched by every error about bytes that are not what a segment wrote: a wrong
// checksum, an impossible length, codes out of range.
var ErrCorrupt = errors.New("segment: corrupt")

// ErrVersion is returned by Open for a directory of a format newer than this program knows.
var ErrVersion = errors.New("segment: format version not supported")

// CorruptionError says which part of a segment is bad. errors.Is(err, ErrCorrupt) holds.
type CorruptionError struct {
	Column string // name of the column, or a part such as "directory" or "users"
	Chunk  ChunkID
	Reason string
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("segment: corrupt chunk %v of column %q: %s", e.Chunk, e.Column, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }
