package server

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"cairn/server/api"
)

// ratioMax is how many times its size on the wire a body may unpack to. Events as JSON pack 10 to 30
// times; what packs a hundred times is nearly all repetition, or meant to fill our memory.
const ratioMax = 100

// ratioFloor lets small bodies unpack to this size whatever their ratio.
const ratioFloor = 1 << 20

var gzipReaders sync.Pool

var zstdReaders = sync.Pool{New: func() any {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		panic(err) // the options are constants
	}
	return r
}}

// unpack undoes a Content-Encoding. limit is the most bytes it returns; body is returned as it is
// when there is nothing to undo. Before it takes memory it asks for it by grow. A body that was cut
// short or altered is CodeBadEncoding.
func unpack(encoding string, body []byte, limit int, grow func(int64) error) ([]byte, error) {
	limit = min(limit, max(ratioFloor, ratioMax*len(body)))
	u := unpacker{limit: limit, packed: len(body), grow: grow}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, _ := gzipReaders.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		defer gzipReaders.Put(r)
		if err := r.Reset(bytes.NewReader(body)); err != nil {
			return nil, badEncoding("gzip", err)
		}
		return u.read(r, "gzip")
	case "deflate": // by the standard zlib; a few clients send it bare
		if r, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			defer r.Close()
			return u.read(r, "deflate")
		}
		r := flate.NewReader(bytes.NewReader(body))
		defer r.Close()
		return u.read(r, "deflate")
	case "br":
		return u.read(brotli.NewReader(bytes.NewReader(body)), "br")
	case "zstd":
		r := zstdReaders.Get().(*zstd.Decoder)
		defer zstdReaders.Put(r)
		if err := r.Reset(bytes.NewReader(body)); err != nil {
			return nil, badEncoding("zstd", err)
		}
		return u.read(r, "zstd")
	case "snappy":
		// The length is the sender's word: look at it before anything is allocated.
		n, err := snappy.DecodedLen(body)
		if err != nil {
			return nil, badEncoding("snappy", err)
		}
		if n > limit {
			return nil, unpackedTooLarge(limit)
		}
		if err := grow(int64(n)); err != nil {
			return nil, err
		}
		out, err := snappy.Decode(nil, body)
		if err != nil {
			return nil, badEncoding("snappy", err)
		}
		return out, nil
	case "x-snappy-framed":
		return u.read(snappy.NewReader(bytes.NewReader(body)), "snappy")
	}
	return nil, &api.Error{
		Code:    api.CodeUnknownEncoding,
		Message: fmt.Sprintf("Content-Encoding %q is not known", encoding),
		Hint:    "send gzip, zstd, snappy, x-snappy-framed, deflate, br or identity",
	}
}

type unpacker struct {
	limit, packed int
	grow          func(int64) error
}

// read reads all of r, in pieces that are asked for one by one.
func (u *unpacker) read(r io.Reader, encoding string) ([]byte, error) {
	var out []byte
	for {
		if len(out) == cap(out) {
			size := min(max(4*u.packed, 2*cap(out), 4<<10), u.limit+1)
			if err := u.grow(int64(size - cap(out))); err != nil {
				return nil, err
			}
			next := make([]byte, len(out), size)
			copy(next, out)
			out = next
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > u.limit, errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return nil, unpackedTooLarge(u.limit)
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, badEncoding(encoding, err)
		}
	}
}

func badEncoding(encoding string, err error) error {
	return &api.Error{Code: api.CodeBadEncoding, Message: fmt.Sprintf("the %s body is cut short or altered: %v; nothing was stored", encoding, err)}
}

func unpackedTooLarge(limit int) error {
	return &api.Error{
		Code:    api.CodeUnpackedLarge,
		Message: fmt.Sprintf("the body unpacks to more than %d bytes; nothing was stored", limit),
		Hint:    "send fewer events a request",
	}
}
