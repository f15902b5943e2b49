package protocol

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"cairn/server/api"
)

// Limits of gzip inside base64, which whoever unpacks bodies does not see.
const (
	unpackedMax   = 64 << 20
	unpackedRatio = 100
	unpackedFloor = 1 << 20 // small texts may unpack to this size whatever their ratio
)

// IsGzip reports whether data begins as gzip does.
func IsGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b, 0x08}) }

// gunzip unpacks data that was hidden in the request, if it is gzip.
func (r *Request) gunzip(data []byte) ([]byte, error) {
	if r.Gunzip != nil && IsGzip(data) {
		return r.Gunzip(data)
	}
	return gunzip(data)
}

// gunzip unpacks data if it is gzip, within fixed limits.
func gunzip(data []byte) ([]byte, error) {
	if !IsGzip(data) {
		return data, nil
	}
	limit := min(unpackedMax, max(unpackedFloor, unpackedRatio*len(data)))
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		var out []byte
		if out, err = io.ReadAll(io.LimitReader(r, int64(limit)+1)); err == nil {
			if len(out) > limit {
				return nil, &api.Error{Code: api.CodeUnpackedLarge, Message: fmt.Sprintf("the body unpacks to more than %d bytes; nothing was stored", limit)}
			}
			return out, nil
		}
	}
	return nil, &api.Error{Code: api.CodeBadEncoding, Message: fmt.Sprintf("the gzip body is cut short or altered: %v; nothing was stored", err)}
}
