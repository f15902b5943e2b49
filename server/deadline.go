package server

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// lateness is how much later than asked a coarse deadline may come.
const lateness = time.Second

// coarseListener accepts connections with coarse deadlines. fasthttp sets three a request, of many seconds each, of
// which nearly none is ever reached, and each costs the runtime a lock and a timer. Connections with TLS are left as
// they are: fasthttp has to see what they are, and deadlines are little of what they cost.
type coarseListener struct{ net.Listener }

// Accept implements net.Listener.
func (l coarseListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if _, ok := c.(*tls.Conn); ok {
		return c, nil
	}
	return &coarseConn{
		Conn:  c,
		read:  deadline{tell: c.SetReadDeadline},
		write: deadline{tell: c.SetWriteDeadline},
	}, nil
}

// coarseConn is a connection whose deadlines come up to lateness too late. The connection below is told of one when
// something is to be read or written, unless the one it has will do; what is being read or written keeps the one that
// it began with. A deadline that is over already is told at once, and ends what is being read or written. It is safe
// for concurrent use, as the connection below is.
type coarseConn struct {
	net.Conn
	read, write deadline
}

// Read implements net.Conn.
func (c *coarseConn) Read(p []byte) (int, error) {
	if err := c.read.begin(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *coarseConn) Write(p []byte) (int, error) {
	if err := c.write.begin(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// SetDeadline implements net.Conn.
func (c *coarseConn) SetDeadline(t time.Time) error {
	if err := c.read.want(t); err != nil {
		return err
	}
	return c.write.want(t)
}

// SetReadDeadline implements net.Conn.
func (c *coarseConn) SetReadDeadline(t time.Time) error { return c.read.want(t) }

// SetWriteDeadline implements net.Conn.
func (c *coarseConn) SetWriteDeadline(t time.Time) error { return c.write.want(t) }

// deadline is one of the two of a coarseConn. Zero times are none.
type deadline struct {
	tell func(time.Time) error // the connection below

	mu           sync.Mutex
	wanted, told time.Time
}

// want notes a deadline.
func (d *deadline) want(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if t.IsZero() || time.Until(t) > 0 {
		return nil
	}
	d.told = t
	return d.tell(t)
}

// begin sees to it that the connection below has a deadline that will do.
func (d *deadline) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.wanted
	if next.IsZero() == d.told.IsZero() {
		if late := d.told.Sub(next); late >= 0 && late <= lateness {
			return nil
		}
	}
	if !next.IsZero() {
		next = next.Add(lateness)
	}
	d.told = next
	return d.tell(next)
}
