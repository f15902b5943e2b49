package engine

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// renamedCounter is the name of the counter that holds the number of a tenant's last change of answers that
// no frame and no erasure tells of: events were dropped, or settings changed.
func renamedCounter(id keys.Tenant) string { return fmt.Sprintf("renamed/%d", id) }

// rename gives snapshots of the tenant another name from the change on that the batch writes. The caller
// writes the directory's counters into the batch too, and then puts the number returned into the view: it
// stands beside the sequence, for commits may be published between the batch and that.
func (t *Tenant) rename(b *pebble.Batch) (uint64, error) {
	number := t.db.sequence.Add(1)
	return number, setCounter(b, renamedCounter(t.id), number)
}
