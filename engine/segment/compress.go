package segment

import (
	"encoding/binary"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
)

// How a part is compressed: a byte before it.
const (
	compressNone   = 0
	compressSnappy = 1
	compressZstd   = 2 // length before compression (varint), then the frame
)

// maxPartBytes bounds a part before compression.
const maxPartBytes = 1 << 30

// compressFrom is the size below which compression is not tried on a part.
const compressFrom = 96

var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPartBytes))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// appendPart appends data, compressed if that gains a tenth.
func appendPart(dst, data []byte, cold bool) []byte {
	if len(data) >= compressFrom {
		if p := compressPart(data, cold); len(p) <= len(data)-len(data)/10 {
			return append(dst, p...)
		}
	}
	return append(append(dst, compressNone), data...)
}

func compressPart(data []byte, cold bool) []byte {
	if cold {
		out := append(make([]byte, 0, len(data)/2+64), compressZstd)
		out = binary.AppendUvarint(out, uint64(len(data)))
		return zstdEncoder().EncodeAll(data, out)
	}
	out := make([]byte, 1+snappy.MaxEncodedLen(len(data)))
	out[0] = compressSnappy
	return out[:1+len(snappy.Encode(out[1:], data))]
}

// openPart returns what appendPart was given; it shares part where nothing was compressed.
func openPart(part []byte) ([]byte, error) {
	if len(part) == 0 {
		return nil, errBytes
	}
	kind, data := part[0], part[1:]
	switch kind {
	case compressNone:
		return data, nil
	case compressSnappy:
		// Snappy makes at most 64 bytes of three.
		n, err := snappy.DecodedLen(data)
		if err != nil || n > maxPartBytes || n > 32*len(data) {
			return nil, errBytes
		}
		out, err := snappy.Decode(nil, data)
		if err != nil {
			return nil, errBytes
		}
		return out, nil
	case compressZstd:
		n, size := binary.Uvarint(data)
		if size <= 0 || n > maxPartBytes {
			return nil, errBytes
		}
		out, err := zstdDecoder().DecodeAll(data[size:], make([]byte, 0, min(int(n), 1<<20)))
		if err != nil || uint64(len(out)) != n {
			return nil, errBytes
		}
		return out, nil
	default:
		return nil, errBytes
	}
}
