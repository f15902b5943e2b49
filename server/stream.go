package server

import (
	"bufio"
	"net"
	"time"
)

// streamPiece is how much of a streamed body is sent at once.
const streamPiece = 64 << 10

// stream answers with a body that write writes while it is sent, in a goroutine of its own, after the
// handler has returned: write must not use the request. A client has the write timeout for each piece,
// not for the whole. If write fails the connection is closed without the end of the body, so that the
// client sees that it is not whole.
func (r *request) stream(write func(w *bufio.Writer) error) {
	out := &streamWriter{conn: r.Conn(), timeout: r.s.opt.WriteTimeout}
	r.SetBodyStreamWriter(func(w *bufio.Writer) {
		out.w = w
		body := bufio.NewWriterSize(out, streamPiece)
		err := write(body)
		if err == nil {
			err = body.Flush()
		}
		if err != nil {
			_ = out.conn.Close()
		}
	})
}

// streamWriter passes pieces of a body on, with a new deadline for each.
type streamWriter struct {
	w       *bufio.Writer
	conn    net.Conn
	timeout time.Duration
}

func (s *streamWriter) Write(p []byte) (int, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil {
		err = s.w.Flush()
	}
	return n, err
}
