package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"

	"cairn/query"
	"cairn/server/api"
)

// errHungUp is why a query ends whose client no longer reads.
var errHungUp = errors.New("the client has hung up")

// streamQuery answers a query as NDJSON while it runs. What goes wrong before the first byte is an error
// like any other; later ones are the last line. The query runs beside the request: when the answer has
// been sent, or the client has gone, its snapshot is closed and its turn given back.
func (r *request) streamQuery(request *api.QueryRequest) error {
	q, err := r.begin(request)
	if err != nil {
		return err
	}
	streams := false
	defer func() {
		if !streams { // also after a panic
			q.release()
		}
	}()
	if same, err := r.unchanged(q, "ndjson"); same || err != nil {
		return err
	}
	streams = true
	reader, writer := io.Pipe()
	stop := context.AfterFunc(r.s.running, func() { reader.CloseWithError(context.Canceled) })
	r.s.background.Go(func() {
		defer q.release()
		defer stop()
		writer.CloseWithError(q.stream(writer))
	})
	first := make([]byte, 32<<10)
	n, err := reader.Read(first)
	if err != nil {
		if err == io.EOF {
			err = errors.New("a query ended without an answer")
		}
		return err
	}
	r.SetContentType(formats["ndjson"])
	r.SetBodyStream(&streamBody{
		first: first[:n], rest: reader, conn: r.Conn(), step: r.s.opt.WriteTimeout, end: func() { q.cancel(errHungUp) },
	}, -1)
	return nil
}

// stream runs the query. An error that is in the answer already is logged and not returned.
func (q *question) stream(w io.Writer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.s.metrics.panics.Add(1)
			q.s.opt.Logger.Error("panic in a query", "request", q.id, "query", q.text, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("an internal error; the server's log has more under the request id %s", q.id)
		}
	}()
	tell := func(dst []byte, err error) []byte {
		coded := *q.s.coded(q.why(err))
		coded.RequestID = q.id
		text, err := json.Marshal(coded)
		if err != nil {
			panic(err) // the types of package api always encode
		}
		return append(dst, text...)
	}
	streamed, err := query.Stream(q.ctx, q.snapshot, q.text, q.opt, query.Output{W: w, Error: tell})
	err = q.ended(err)
	if err == nil || streamed.Bytes == 0 {
		return err
	}
	if !errors.Is(context.Cause(q.ctx), errHungUp) {
		q.s.metrics.failure(q.s.coded(err).Code)
		q.s.opt.Logger.Warn("an answer was cut short", "request", q.id, "tenant", q.tenant, "query", q.text, "error", err)
	}
	return nil
}

// streamBody is the body of an answer on its way. Its reader is the connection's; as long as it takes
// bytes it may take its time.
type streamBody struct {
	first []byte
	rest  *io.PipeReader
	conn  net.Conn
	step  time.Duration
	end   func()
}

// Read returns the next bytes of the answer.
func (b *streamBody) Read(p []byte) (int, error) {
	if b.step > 0 {
		if err := b.conn.SetWriteDeadline(time.Now().Add(b.step)); err != nil {
			return 0, err
		}
	}
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.rest.Read(p)
}

// Close is called when the answer is sent, or cannot be.
func (b *streamBody) Close() error {
	b.end()
	return b.rest.CloseWithError(errHungUp)
}
