// Package frame is the form of a column.Batch in the hot log: what a commit writes and a restart
// reads back.
//
//	frame   magic u8 = 0xCA, version u8 = 1, compression u8 (0 none, 1 snappy), reserved u8 = 0,
//	        raw size u32, stored size u32, CRC32C u32 of the 12 bytes before and of the payload,
//	        payload
//	payload rows, times, received flag u8 [times], column event, column user, column id,
//	        number of fields, fields as columns
//	column  name size, name, flags u8 (1 sparse, 2 mixed kinds), kind u8
//	        [sparse: number of values, numbers: row, then gaps less one]
//	        [mixed: a kind u8 for each value]
//	        strings, [sizes as numbers, bytes]   the local dictionary; none: 0
//	        numbers                              the values' 64 bits or dictionary numbers
//	numbers width u8 (0, 1, 2, 4 or 8), base u64, then value - base in width bytes each
//	times   exponent u8, then numbers of time / 10^exponent
//
// Integers are little-endian; sizes and counts without a width are varints. A frame holds the users'
// strings, so it can be encoded before their dense numbers are known; what is decided at commit (user
// numbers, arrival, duplicates) follows in a Record.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/golang/snappy"

	"cairn/engine/column"
	"cairn/engine/event"
)

// ErrCorrupt is in every error about bytes that are not a frame or record as written.
var ErrCorrupt = errors.New("frame: corrupt")

const (
	magic      = 0xCA
	version    = 1
	headerSize = 16

	compressionNone   = 0
	compressionSnappy = 1

	flagSparse = 1
	flagMixed  = 2

	// RowsMax is the most rows of a batch; it bounds what a decoder may be asked to allocate.
	RowsMax = 1 << 22
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// payloads are buffers of payloads before they are compressed.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// payloadKeptMax is the size up to which such a buffer is used again.
const payloadKeptMax = 4 << 20

// Append encodes the batch and appends it to dst.
func Append(dst []byte, b *column.Batch) []byte {
	buffer := payloads.Get().(*[]byte)
	raw := encodePayload(slices.Grow((*buffer)[:0], 64+b.Rows*96), b)
	if *buffer = raw; cap(raw) <= payloadKeptMax {
		defer payloads.Put(buffer)
	}
	start := len(dst)
	dst = append(dst, magic, version, compressionSnappy, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = slices.Grow(dst, snappy.MaxEncodedLen(len(raw)))
	packed := snappy.Encode(dst[len(dst):cap(dst)], raw)
	if len(packed) >= len(raw) {
		packed = raw
		dst[start+2] = compressionNone
	}
	binary.LittleEndian.PutUint32(dst[start+8:], uint32(len(packed)))
	crc := crc32.Update(crc32.Checksum(dst[start:start+12], castagnoli), castagnoli, packed)
	binary.LittleEndian.PutUint32(dst[start+12:], crc)
	return append(dst, packed...)
}

// Decode reads the frame at the start of data and returns it with the rest of data. The batch shares
// no memory with data. Every error is an ErrCorrupt.
func Decode(data []byte) (b *column.Batch, rest []byte, err error) {
	raw, rest, err := open(data)
	if err != nil {
		return nil, nil, err
	}
	d := decoder{in: raw}
	b = d.batch()
	if d.err != nil {
		return nil, nil, d.err
	}
	if len(d.in) != 0 {
		return nil, nil, corrupt("%d bytes after the last column", len(d.in))
	}
	return b, rest, nil
}

func open(data []byte) (raw, rest []byte, err error) {
	if len(data) < headerSize || data[0] != magic {
		return nil, nil, corrupt("no frame header")
	}
	if data[1] != version {
		return nil, nil, corrupt("frame version %d is not known", data[1])
	}
	rawSize, size := binary.LittleEndian.Uint32(data[4:]), binary.LittleEndian.Uint32(data[8:])
	if uint64(size) > uint64(len(data)-headerSize) {
		return nil, nil, corrupt("frame of %d bytes is cut at %d", size, len(data)-headerSize)
	}
	payload := data[headerSize : headerSize+int(size)]
	crc := crc32.Update(crc32.Checksum(data[:12], castagnoli), castagnoli, payload)
	if crc != binary.LittleEndian.Uint32(data[12:]) {
		return nil, nil, corrupt("checksum of a frame")
	}
	rest = data[headerSize+int(size):]
	switch data[2] {
	case compressionNone:
		return payload, rest, nil
	case compressionSnappy:
		if n, err := snappy.DecodedLen(payload); err != nil || n != int(rawSize) {
			return nil, nil, corrupt("compressed size of a frame")
		}
		raw, err = snappy.Decode(nil, payload)
		if err != nil {
			return nil, nil, corrupt("compressed payload: %v", err)
		}
		return raw, rest, nil
	}
	return nil, nil, corrupt("frame compression %d is not known", data[2])
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

func isText(k event.Kind) bool {
	return k == event.KindString || k == event.KindList || k == event.KindObject
}
