package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
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
// when there is nothing to undo. A body that was cut short or altered is CodeBadEncoding.
func unpack(encoding string, body []byte, limit int) ([]byte, error) {
	limit = min(limit, max(ratioFloor, ratioMax*len(body)))
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
		return readUpTo(r, "gzip", limit, len(body))
	case "zstd":
		r := zstdReaders.Get().(*zstd.Decoder)
		defer zstdReaders.Put(r)
		if err := r.Reset(bytes.NewReader(body)); err != nil {
			return nil, badEncoding("zstd", err)
		}
		return readUpTo(r, "zstd", limit, len(body))
	case "snappy":
		// The length is the sender's word: look at it before anything is allocated.
		n, err := snappy.DecodedLen(body)
		if err != nil {
			return nil, badEncoding("snappy", err)
		}
		if n > limit {
			return nil, unpackedTooLarge(limit)
		}
		out, err := snappy.Decode(nil, body)
		if err != nil {
			return nil, badEncoding("snappy", err)
		}
		return out, nil
	case "x-snappy-framed":
		return readUpTo(snappy.NewReader(bytes.NewReader(body)), "snappy", limit, len(body))
	}
	return nil, &api.Error{
		Code:    api.CodeUnknownEncoding,
		Message: fmt.Sprintf("Content-Encoding %q is not known", encoding),
		Hint:    "send gzip, zstd, snappy, x-snappy-framed or identity",
	}
}

func readUpTo(r io.Reader, encoding string, limit, packed int) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(min(limit, 8*packed) + bytes.MinRead)
	_, err := out.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case out.Len() > limit, errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, unpackedTooLarge(limit)
	case err != nil:
		return nil, badEncoding(encoding, err)
	}
	return out.Bytes(), nil
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
