package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// oneListener accepts one connection.
type oneListener struct {
	net.Listener
	conn net.Conn
}

// Accept implements net.Listener.
func (l oneListener) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	return l.conn, nil
}

// toldConn counts the deadlines that it is told.
type toldConn struct {
	net.Conn
	read, write int
}

// SetReadDeadline implements net.Conn.
func (c *toldConn) SetReadDeadline(t time.Time) error { c.read++; return c.Conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *toldConn) SetWriteDeadline(t time.Time) error { c.write++; return c.Conn.SetWriteDeadline(t) }

// coarse returns a connection with coarse deadlines, the one below, and its other end.
func coarse(t *testing.T) (conn net.Conn, below *toldConn, far net.Conn) {
	near, far := net.Pipe()
	below = &toldConn{Conn: near}
	conn, err := coarseListener{oneListener{conn: below}}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return conn, below, far
}

// TestCoarseDeadlines has requests as fasthttp does: a deadline for the first byte, one for the header, one for the
// answer.
func TestCoarseDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, below, far := coarse(t)
		const requests, every = 5000, time.Millisecond
		go func() {
			buffer := make([]byte, 1)
			for range requests {
				time.Sleep(every)
				_, _ = far.Write(buffer)
				_, _ = far.Read(buffer)
			}
		}()
		buffer := make([]byte, 1)
		for range requests {
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
			if _, err := conn.Read(buffer); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
			if _, err := conn.Write(buffer); err != nil {
				t.Fatal(err)
			}
		}
		if most := int(requests*every/lateness) + 1; below.read > most || below.write > most {
			t.Errorf("in %v the connection was told %d and %d deadlines", requests*every, below.read, below.write)
		}

		// All come, and not much too late.
		for _, after := range []time.Duration{2 * time.Minute, time.Second, 20 * time.Second} {
			start := time.Now()
			_ = conn.SetReadDeadline(start.Add(after))
			_, err := conn.Read(buffer)
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < after || took > after+lateness {
				t.Errorf("a read with %v ended after %v: %v", after, took, err)
			}
			start = time.Now()
			_ = conn.SetDeadline(start.Add(after))
			_, err = conn.Write(buffer)
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < after || took > after+lateness {
				t.Errorf("a write with %v ended after %v: %v", after, took, err)
			}
		}
	})
}

// TestCoarseDeadlinesEnd takes deadlines back, and ends what is being read or written.
func TestCoarseDeadlinesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _, far := coarse(t)
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		buffer := make([]byte, 1)
		if _, err := conn.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = conn.SetDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			_, _ = far.Write([]byte{7})
			time.Sleep(time.Hour)
			_, _ = far.Read(make([]byte, 1))
		}()
		if _, err := conn.Read(buffer); err != nil || buffer[0] != 7 {
			t.Errorf("a read without a deadline: %v, %v", buffer, err)
		}
		if _, err := conn.Write(buffer); err != nil {
			t.Errorf("a write without a deadline: %v", err)
		}
		for name, do := range map[string]func([]byte) (int, error){"read": conn.Read, "write": conn.Write} {
			_ = conn.SetDeadline(time.Now().Add(time.Hour))
			start := time.Now()
			go func() {
				time.Sleep(time.Second)
				_ = conn.SetDeadline(time.Now())
			}()
			_, err := do(buffer)
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second {
				t.Errorf("a %s whose deadline was brought forward to now ended after %v: %v", name, took, err)
			}
			if _, err := do(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a %s after it: %v", name, err)
			}
		}
	})
}

func TestCoarseListener(t *testing.T) {
	if _, err := (coarseListener{oneListener{}}).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	near, _ := net.Pipe()
	secure := tls.Server(near, &tls.Config{})
	if got, err := (coarseListener{oneListener{conn: secure}}).Accept(); got != net.Conn(secure) || err != nil {
		t.Errorf("of a TLS connection comes %T, %v", got, err)
	}
}
