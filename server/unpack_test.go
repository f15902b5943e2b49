package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cairn/server/api"
)

// packers make a body for each encoding.
var packers = map[string]func([]byte) []byte{
	"identity": func(b []byte) []byte { return b },
	"gzip": func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	},
	"zstd": func(b []byte) []byte {
		var out bytes.Buffer
		w, _ := zstd.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	},
	"snappy": func(b []byte) []byte { return snappy.Encode(nil, b) },
	"x-snappy-framed": func(b []byte) []byte {
		var out bytes.Buffer
		w := snappy.NewBufferedWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	},
}

// free is memory without end.
func free(int64) error { return nil }

func TestUnpack(t *testing.T) {
	const limit = 4 << 20
	text := bytes.Repeat([]byte(`{"event":"e"}`+"\n"), 1000)
	zeros := make([]byte, 2*limit)
	for encoding, pack := range packers {
		if got, err := unpack(encoding, pack(text), limit, free); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes, %v", encoding, len(got), err)
		}
		if encoding == "identity" {
			continue
		}
		packed := pack(text)
		for _, cut := range []int{0, 1, len(packed) / 2, len(packed) - 1} {
			if got, err := unpack(encoding, packed[:cut], limit, free); codeOf(err) != api.CodeBadEncoding {
				// A frame stream that ends between two frames, or an empty one, is whole.
				if !(err == nil && len(got) == 0 && cut == 0) {
					t.Errorf("%s cut at %d of %d: %d bytes, %v", encoding, cut, len(packed), len(got), err)
				}
			}
		}
		if _, err := unpack(encoding, pack(zeros), limit, free); codeOf(err) != api.CodeUnpackedLarge {
			t.Errorf("%s of too much: %v", encoding, err)
		}
	}
	// A million zeros from a few bytes is allowed; more from as few is not, whatever the limit.
	if _, err := unpack("gzip", packers["gzip"](zeros[:ratioFloor]), limit, free); err != nil {
		t.Errorf("a small body that packs well: %v", err)
	}
	if _, err := unpack("gzip", packers["gzip"](zeros[:ratioFloor+1]), limit, free); codeOf(err) != api.CodeUnpackedLarge {
		t.Errorf("a bomb below the limit: %v", err)
	}
	// Snappy declares its length; it is not believed.
	lying := append(binary.AppendUvarint(nil, 1<<32-1), 'x', 'y')
	if _, err := unpack("snappy", lying, limit, free); codeOf(err) != api.CodeUnpackedLarge && codeOf(err) != api.CodeBadEncoding {
		t.Errorf("snappy with a lying length: %v", err)
	}
	if _, err := unpack("compress", text, limit, free); codeOf(err) != api.CodeUnknownEncoding {
		t.Errorf("unknown encoding: %v", err)
	}
}

func codeOf(err error) string {
	var coded *api.Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return ""
}

func FuzzUnpack(f *testing.F) {
	for encoding, pack := range packers {
		f.Add(encoding, pack([]byte(`{"event":"e"}`)))
	}
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		got, err := unpack(encoding, body, 1<<20, free)
		if err != nil && codeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if err == nil && len(got) > 1<<20 && len(got) != len(body) {
			t.Errorf("%d bytes", len(got))
		}
	})
}
