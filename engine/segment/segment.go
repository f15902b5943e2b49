package segment

import (
	"fmt"

	"cairn/engine/column"

	"github.com/RoaringBitmap/roaring/v2"
)

// FormatVersion is written into every directory.
//
//	1  first version
const FormatVersion = 1

const (
	// BlockRows is the number of rows of a full block: one container of a roaring bitmap.
	BlockRows = 1 << 16
	// MaxBlocks is the number of blocks at which a segment is cut.
	MaxBlocks = 16
	// NoUser is the dense id of events without a user. Dense ids of users start at 1.
	NoUser = 0
	// AbsentCode stands for "no value" where dictionary codes are gathered.
	AbsentCode = ^uint32(0)
)

// Input is a batch on its way into a segment.
type Input struct {
	Batch *column.Batch
	// Users holds the dense id of each string of Batch.User.Dict, by its number there.
	Users []uint32
	// Received is the arrival of every row, in Unix nanoseconds, when Batch.Received is nil.
	Received int64
	// Rows are the rows to take, ascending; nil takes all.
	Rows []uint32
}

func (in *Input) rows() int {
	if in.Rows != nil {
		return len(in.Rows)
	}
	return in.Batch.Rows
}

// BuildOptions are the options of Build and Merge; the zero value works.
type BuildOptions struct {
	// Cold compresses for keeping: slower to write, smaller.
	Cold bool
	// DropUsers are erased users, whose rows are left out. May be nil.
	DropUsers *roaring.Bitmap
	// MaxBlocks is the number of blocks at which a segment is cut, 1 to 16 (default 16).
	MaxBlocks int
	// BlockRows is the number of rows of a block, a power of two up to 65,536 (the default).
	// Small values serve tests.
	BlockRows int

	// Pace, if not nil, is called several times a millisecond. It may wait a little, so that others have the
	// processor first.
	Pace func()

	// indexAll gives even the smallest segment chunks and every index, for tests.
	indexAll bool
}

func (o *BuildOptions) pace() {
	if o.Pace != nil {
		o.Pace()
	}
}

func (o BuildOptions) withDefaults() (BuildOptions, error) {
	if o.MaxBlocks == 0 {
		o.MaxBlocks = MaxBlocks
	}
	if o.BlockRows == 0 {
		o.BlockRows = BlockRows
	}
	if o.MaxBlocks < 1 || o.MaxBlocks > MaxBlocks {
		return o, fmt.Errorf("segment: MaxBlocks %d is not in 1 to %d", o.MaxBlocks, MaxBlocks)
	}
	if o.BlockRows < 1 || o.BlockRows > BlockRows || o.BlockRows&(o.BlockRows-1) != 0 {
		return o, fmt.Errorf("segment: BlockRows %d is not a power of two up to %d", o.BlockRows, BlockRows)
	}
	return o, nil
}

// ChunkID names a chunk within its segment: column ordinal << 16 | kind << 12 | part.
type ChunkID uint32

type chunkKind uint8

// The kinds of chunks.
const (
	chunkData     chunkKind = iota // blocks of a column
	chunkDict                      // a page of a dictionary
	chunkPostings                  // value → rows
	chunkBloom                     // filter on values
	chunkUsers                     // user runs and event → users
)

var chunkKindNames = [...]string{"data", "dict", "postings", "bloom", "users"}

const maxChunkPart = 1<<12 - 1

func makeChunkID(ordinal int, kind chunkKind, part int) ChunkID {
	return ChunkID(ordinal<<16 | int(kind)<<12 | part)
}

func (id ChunkID) ordinal() int    { return int(id >> 16) }
func (id ChunkID) kind() chunkKind { return chunkKind(id >> 12 & 15) }
func (id ChunkID) part() int       { return int(id & maxChunkPart) }

func (id ChunkID) String() string {
	name := "?"
	if int(id.kind()) < len(chunkKindNames) {
		name = chunkKindNames[id.kind()]
	}
	return fmt.Sprintf("%d/%s/%d", id.ordinal(), name, id.part())
}

// Chunk is one separately stored part of an encoded segment.
type Chunk struct {
	ID   ChunkID
	Data []byte
}

// Encoded is a segment in bytes. A small one has all of it in Directory and no chunks.
type Encoded struct {
	Directory []byte
	Chunks    []Chunk // by ascending ID
}

// SizeBytes is the length of everything.
func (e *Encoded) SizeBytes() int {
	n := len(e.Directory)
	for i := range e.Chunks {
		n += len(e.Chunks[i].Data)
	}
	return n
}

// Chunk implements ChunkSource.
func (e *Encoded) Chunk(id ChunkID) ([]byte, error) {
	for i := range e.Chunks {
		if e.Chunks[i].ID == id {
			return e.Chunks[i].Data, nil
		}
	}
	return nil, fmt.Errorf("segment: chunk %v is missing", id)
}

// Reader opens the segment straight from memory.
func (e *Encoded) Reader() (*Reader, error) { return Open(e.Directory, e, nil, 0) }

// ChunkSource finds the chunks of a segment. What it returns must stay valid and unchanged for as
// long as the Reader or anything got from it is in use. It is called from several goroutines.
type ChunkSource interface {
	Chunk(id ChunkID) ([]byte, error)
}

// Locator is a ChunkSource that knows where chunks are stored: it wraps the errors about corrupt ones
// so that they tell. An inline chunk is in the directory.
type Locator interface {
	Locate(id ChunkID, inline bool, err error) error
}

// Cache keeps decoded parts of segments. It is called from several goroutines; a value put may be
// gone at any time. block is -1 for what belongs to a whole chunk.
type Cache interface {
	Get(segment uint64, id ChunkID, block int) (any, bool)
	Put(segment uint64, id ChunkID, block int, value any, sizeBytes int)
}
