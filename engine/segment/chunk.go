package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkHead is the number of bytes before the content of a chunk: version, checksum.
const chunkHead = 5

// sealChunk puts version and checksum before the content. The checksum covers the chunk's number,
// so that chunks cannot be taken for each other.
func sealChunk(id ChunkID, content []byte) []byte {
	out := make([]byte, chunkHead, chunkHead+len(content))
	out[0] = FormatVersion
	binary.LittleEndian.PutUint32(out[1:], chunkSum(id, content))
	return append(out, content...)
}

func chunkSum(id ChunkID, content []byte) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(id))
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, content)
}

// openChunk returns the content of a chunk.
func openChunk(id ChunkID, data []byte) ([]byte, error) {
	if len(data) < chunkHead {
		return nil, fmt.Errorf("%d bytes are too few", len(data))
	}
	if data[0] != FormatVersion {
		return nil, fmt.Errorf("version %d", data[0])
	}
	if sum := chunkSum(id, data[chunkHead:]); sum != binary.LittleEndian.Uint32(data[1:]) {
		return nil, fmt.Errorf("checksum is %08x, should be %08x", sum, binary.LittleEndian.Uint32(data[1:]))
	}
	return data[chunkHead:], nil
}

// blockPart returns block i of the content of a data chunk of n blocks:
//
//	length of each block (varints) | blocks, each a part (see compress.go)
func blockPart(content []byte, i, n int) ([]byte, error) {
	c := cursor{b: content}
	skip, length := 0, 0
	for j := range n {
		l := c.count(len(content))
		switch {
		case j < i:
			skip += l
		case j == i:
			length = l
		}
	}
	c.bytes(skip)
	part := c.bytes(length)
	return part, c.err
}
