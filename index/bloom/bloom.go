// Package bloom is a filter that tells quickly that a set does not hold a value: a split-block bloom
// filter, in which a value sets eight bits of one block of 32 bytes, so that a question costs one
// cache miss.
//
//	block count (varint) | blocks of eight little-endian 32-bit words
//
// Which block a value falls in comes from the upper half of its hash, which bits from the lower half
// times eight fixed odd numbers, as in Parquet's filters.
package bloom

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// ErrCorrupt is returned by Open for bytes that are not a filter.
var ErrCorrupt = errors.New("bloom: not a filter")

const (
	// bitsPerValue trades size for false answers: about 1 in 100 at 10.
	bitsPerValue = 10
	blockBytes   = 32
)

var salts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// Hash is the hash of a value that filters work with. It is part of the disk format.
func Hash[T string | []byte](value T) uint64 { return xxhash.Sum64([]byte(value)) }

// Filter is an immutable filter. It is safe for concurrent use.
type Filter struct{ blocks []byte }

// Build makes the encoded filter of the hashes.
func Build(hashes []uint64) []byte {
	n := max(1, (len(hashes)*bitsPerValue+8*blockBytes-1)/(8*blockBytes))
	out := binary.AppendUvarint(make([]byte, 0, 5+n*blockBytes), uint64(n))
	head := len(out)
	out = out[:head+n*blockBytes]
	blocks := out[head:]
	for _, h := range hashes {
		b := blocks[blockOf(h, n)*blockBytes:][:blockBytes]
		for i, salt := range salts {
			w := b[4*i : 4*i+4]
			binary.LittleEndian.PutUint32(w, binary.LittleEndian.Uint32(w)|1<<(uint32(h)*salt>>27))
		}
	}
	return out
}

func blockOf(hash uint64, blocks int) int { return int(hash >> 32 * uint64(blocks) >> 32) }

// Open reads a filter, which keeps data.
func Open(data []byte) (*Filter, error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n == 0 || n > uint64(len(data)) || uint64(len(data)-size) != n*blockBytes {
		return nil, ErrCorrupt
	}
	return &Filter{data[size:]}, nil
}

// MayContain reports whether a value with this hash may have been put in; false is certain.
func (f *Filter) MayContain(hash uint64) bool {
	b := f.blocks[blockOf(hash, len(f.blocks)/blockBytes)*blockBytes:][:blockBytes]
	for i, salt := range salts {
		if binary.LittleEndian.Uint32(b[4*i:])>>(uint32(hash)*salt>>27)&1 == 0 {
			return false
		}
	}
	return true
}

// SizeBytes returns the memory that the filter holds.
func (f *Filter) SizeBytes() int { return len(f.blocks) + 24 }
