package engine

import (
	"errors"
	"fmt"

	"cairn/engine/keys"
)

var (
	// ErrLocked is returned by Open when another process, or this one, has the directory open.
	ErrLocked = errors.New("engine: the directory is in use by another process")

	// ErrNewerFormat is returned by Open when a newer version of Cairn has written the directory.
	ErrNewerFormat = errors.New("engine: the directory was written by a newer version of Cairn")

	// ErrNotCairn is returned by Open when the directory has files but is not Cairn's.
	ErrNotCairn = errors.New("engine: the directory is not a Cairn data directory")

	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("engine: closed")

	// ErrCorrupt is in every error about stored bytes that are not as they were written; see
	// CorruptionError for where.
	ErrCorrupt = errors.New("engine: corrupt data")

	// ErrFailed is returned by every write after one whose outcome is unknown: the log could not be
	// written or synced, or there was a panic. Reading goes on; opening the directory again finds every
	// acknowledged event.
	ErrFailed = errors.New("engine: a write has failed and its outcome is not known; open the directory again when the cause is mended")

	// ErrBackground is returned when sealing, merging or retention has failed and cannot be left
	// behind: by Settle at once, by Append when memory for unsealed events has run out, by Close if no
	// other call has returned it.
	ErrBackground = errors.New("engine: background work failed")

	// ErrTenantName is returned for a tenant name that is empty, too long or has control characters.
	ErrTenantName = errors.New("engine: bad tenant name")

	// ErrDropped is returned by a Tenant that was dropped meanwhile; one of the same name may be asked for again.
	ErrDropped = errors.New("engine: the tenant was dropped")

	// ErrBatchTooLarge is returned for a batch of more rows than a frame may have, or of more than
	// BatchBytesMax bytes.
	ErrBatchTooLarge = errors.New("engine: batch too large")
)

func errDropped(name string) error { return fmt.Errorf("%w: %q", ErrDropped, name) }

// CorruptionError says which key holds bytes that are not as they were written.
// errors.Is(err, ErrCorrupt) holds.
type CorruptionError struct {
	Key []byte // see keys.Format
	Err error  // what is wrong
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("engine: corrupt data at %s: %v; the rest of the directory stays readable: "+
		"`cairn check` lists all that is damaged; restore it from a backup, or export what is left", keys.Format(e.Key), e.Err)
}

// Unwrap returns what is wrong and ErrCorrupt.
func (e *CorruptionError) Unwrap() []error { return []error{e.Err, ErrCorrupt} }
