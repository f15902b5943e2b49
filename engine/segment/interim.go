package segment

import "errors"

type sealed struct{}

var errSoon = errors.New("segment: not implemented")

// Build sorts the rows of the inputs by (user, time) and encodes them as one or more segments, cut
// where a user ends if possible.
func Build(inputs []Input, opt BuildOptions) ([]*Encoded, error) { return nil, errSoon }

// Merge merges segments into one sorted run, encoded as one or more segments.
func Merge(readers []*Reader, opt BuildOptions) ([]*Encoded, error) { return nil, errSoon }

// Open reads the directory of a segment; chunks are read on use. What is decoded is kept in cache
// under the number id, or in the Reader if cache is nil.
func Open(directory []byte, src ChunkSource, cache Cache, id uint64) (*Reader, error) {
	return nil, errSoon
}

// Verify checks every checksum and recomputes every index from the columns. It returns all that it
// finds wrong.
func (r *Reader) Verify() error { return errSoon }

// FindID looks an insert id up exactly; received is the arrival of the row that has it.
func (r *Reader) FindID(id string) (received int64, ok bool, err error) { return 0, false, errSoon }

// IDFilter returns the filter over the insert ids of the segment, nil if it has none.
func (r *Reader) IDFilter() (*IDFilter, error) { return nil, errSoon }

// IDFilter answers quickly whether a segment may hold an insert id.
type IDFilter struct{}

// HashID is the hash of an insert id that IDFilter.MayContain takes.
func HashID(id []byte) uint64 { return 0 }

// MayContain reports whether the id with this hash may be in the segment.
func (f *IDFilter) MayContain(hash uint64) bool { return true }
