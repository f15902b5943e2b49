package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"cairn/server/api"
)

// bodyClass says how large the body of a route may be.
type bodyClass uint8

const (
	noBody     bodyClass = iota
	smallBody            // JSON of settings and the like
	eventBody            // api.Limits.BodyBytes
	bulkBody             // api.Limits.BulkBodyBytes
	importBody           // api.Limits.ImportBodyBytes
	lookupBody           // api.Limits.LookupBytes
)

// smallBodyMax bounds a smallBody.
const smallBodyMax = 1 << 20

const (
	// bodyRate is the slowest that a body may come, in bytes a second, once Options.BodyGrace is over: a
	// client that sends a byte now and then cannot keep a connection and a buffer for long.
	bodyRate = 16 << 10
	// pieceMax is how much of a body is read, and memory taken for it, at once: what a header claims
	// is not believed before it has come.
	pieceMax = 1 << 20
	// prefetched is how much of a body fasthttp reads with the header.
	prefetched = 8 << 10
	// keptMax is the size up to which a buffer is used again.
	keptMax = 1 << 20
)

// bodyBuffer is the memory of a body on the wire.
type bodyBuffer struct{ bytes []byte }

var bodyBuffers = sync.Pool{New: func() any { return new(bodyBuffer) }}

// readBody reads the whole body, as it is on the wire, within the limits of its class. The bytes are
// the request's.
func (r *request) readBody(class bodyClass) ([]byte, error) {
	if r.body != nil {
		return r.body.bytes, nil
	}
	r.body = bodyBuffers.Get().(*bodyBuffer)
	r.body.bytes = r.body.bytes[:0]
	limit := r.bodyLimit(class)
	declared := int64(r.Request.Header.ContentLength())
	if declared > limit {
		return nil, bodyTooLarge(limit)
	}
	if r.Request.IsBodyStream() {
		if err := r.readStream(declared, limit); err != nil {
			return nil, err
		}
		return r.body.bytes, nil
	}
	body := r.Request.Body()
	if err := r.lease.grow(int64(len(body))); err != nil {
		return nil, err
	}
	r.body.bytes = append(r.body.bytes, body...)
	return r.body.bytes, nil
}

func (r *request) readStream(declared, limit int64) error {
	stream := r.Request.BodyStream()
	leased := int64(0)
	var started time.Time // of what does not come with the header
	for {
		have := int64(len(r.body.bytes))
		want := int64(pieceMax)
		if declared >= 0 {
			want = min(want, declared-have)
		}
		want = max(min(want, limit+1-have), 512)
		if have+want > leased {
			if err := r.lease.grow(have + want - leased); err != nil {
				return err
			}
			leased = have + want
		}
		r.body.grow(int(want))
		if have >= prefetched || declared < 0 { // what came with the header is there already
			if started.IsZero() {
				started = time.Now()
			}
			deadline := started.Add(r.s.opt.BodyGrace + time.Duration(have)*time.Second/bodyRate)
			if err := r.SetReadDeadline(deadline); err != nil {
				return err
			}
		}
		n, err := stream.Read(r.body.bytes[have:cap(r.body.bytes)][:want])
		r.body.bytes = r.body.bytes[:have+int64(n)]
		switch {
		case int64(len(r.body.bytes)) > limit:
			return bodyTooLarge(limit)
		case err == io.EOF:
			if declared >= 0 && int64(len(r.body.bytes)) < declared {
				return cutShort(io.ErrUnexpectedEOF)
			}
			r.bodyRead = true
			if !started.IsZero() {
				return r.SetReadDeadline(time.Time{})
			}
			return nil
		case err != nil:
			return cutShort(err)
		}
	}
}

func (b *bodyBuffer) grow(n int) {
	if cap(b.bytes)-len(b.bytes) < n {
		next := make([]byte, len(b.bytes), max(2*cap(b.bytes), len(b.bytes)+n))
		copy(next, b.bytes)
		b.bytes = next
	}
}

// drain reads on what a client is still sending of a body that nobody wanted, within bounds, as one that
// is cut off while it writes may never see the answer. The connection ends with the answer.
func (r *request) drain() {
	if r.bodyRead || !r.Request.IsBodyStream() || r.Request.Header.ContentLength() == 0 {
		return
	}
	r.SetConnectionClose()
	const bytesMax, idleMax, totalMax = 64 << 20, 300 * time.Millisecond, 5 * time.Second
	buf := make([]byte, 64<<10)
	end := time.Now().Add(totalMax)
	for n := 0; n < bytesMax && time.Now().Before(end); {
		if err := r.SetReadDeadline(time.Now().Add(idleMax)); err != nil {
			return
		}
		read, err := r.Request.BodyStream().Read(buf)
		if err != nil {
			return
		}
		n += read
	}
}

// releaseBody gives the body's memory back.
func (r *request) releaseBody() {
	if r.body != nil && cap(r.body.bytes) <= keptMax {
		bodyBuffers.Put(r.body)
	}
	r.body = nil
	r.lease.release()
}

// bodyLimit returns how many bytes a body of the class may have: the tenant's limit if it is known by
// now, else the server's.
func (r *request) bodyLimit(class bodyClass) int64 {
	limits := &r.s.opt.Limits
	if r.owner != nil {
		limits = r.owner.limits()
	}
	switch class {
	case eventBody:
		return limits.BodyBytes
	case bulkBody:
		return limits.BulkBodyBytes
	case importBody:
		return limits.ImportBodyBytes
	case lookupBody:
		return limits.LookupBytes
	}
	return smallBodyMax
}

func bodyTooLarge(limit int64) error {
	return &api.Error{
		Code:    api.CodeBodyTooLarge,
		Message: fmt.Sprintf("the body is larger than the limit of %d bytes; nothing was stored", limit),
		Hint:    "send fewer events a request, or compress the body",
	}
}

// cutShort is the error of a body that did not come whole.
func cutShort(err error) error {
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		return &api.Error{Code: api.CodeRequestTimeout, Message: "the body did not come in time; nothing was stored"}
	}
	return &api.Error{Code: api.CodeBadRequest, Message: "the body was cut short: " + err.Error() + "; nothing was stored"}
}

// unpackBody reads the body and undoes its Content-Encoding, or gzip that no header tells of. The
// bytes are the request's.
func (r *request) unpackBody(class bodyClass, sniff bool) ([]byte, error) {
	wire, err := r.readBody(class)
	if err != nil {
		return nil, err
	}
	limit := r.s.opt.Limits.UnpackedBytes
	if r.owner != nil {
		limit = r.owner.limits().UnpackedBytes
	}
	encoding := string(r.Request.Header.ContentEncoding())
	if sniff {
		encoding = sniffEncoding(encoding, wire)
	}
	return unpack(encoding, wire, int(limit), r.lease.grow)
}

// sniffEncoding believes the bytes rather than the header, for clients that say nothing, or say what
// is not so: browsers send gzip as plain text, and some proxies unpack and leave the header.
func sniffEncoding(encoding string, body []byte) string {
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b, 0x08}):
		return "gzip"
	case encoding == "gzip" || encoding == "x-gzip":
		return "identity"
	}
	return encoding
}
