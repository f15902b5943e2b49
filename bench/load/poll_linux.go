package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// send sends from one thread that asks the kernel which connections have an answer. A goroutine for every
// connection takes a half more of the processor, which is the server's here: its thread is put to sleep and woken
// for most answers, and each answer is asked for twice.
func (d *driver) send(ctx context.Context, conns []net.Conn) (t *tally, err error) {
	p := &poller{driver: d, tally: newTally()}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.open(conns); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = p.run(ctx)
	return p.tally, err
}

// poller is the thread's state.
type poller struct {
	*driver
	*tally
	epoll, timer int // descriptors; 0: not open yet
	conns        []polled
	idle         []*polled
	busy         int  // connections that are not idle
	armed        bool // the timer is set
}

// polled is one connection.
type polled struct {
	fd       int // 0: not open
	index    int32
	in       incoming
	answered bool
	buffer   []byte // the request
	unsent   []byte // what is left of it
	events   int    // of the request
	due      time.Time
}

// beat is how much later than it is due a request may be sent, for want of being woken: to be woken for every one
// would cost more than the requests do.
const beat = 250 * time.Microsecond

// timerIndex stands for the timer where connections have their index.
const timerIndex = -1

// waitMax is how long the thread waits before it looks whether it has been called off.
const waitMax = 50 * time.Millisecond

// open takes the connections out of the runtime's hands: it would be woken for every answer too.
func (p *poller) open(conns []net.Conn) (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	if err := p.control(unix.EPOLL_CTL_ADD, p.timer, timerIndex, unix.EPOLLIN); err != nil {
		return err
	}
	p.conns = make([]polled, len(conns))
	for i, conn := range conns {
		c := &p.conns[i]
		c.index = int32(i)
		if c.fd, err = takeOver(conn.(*net.TCPConn)); err != nil {
			return err
		}
		if err := p.control(unix.EPOLL_CTL_ADD, c.fd, c.index, unix.EPOLLIN); err != nil {
			return err
		}
		p.idle = append(p.idle, c)
	}
	return nil
}

func (p *poller) close() error {
	var err error
	for i := range p.conns {
		err = errors.Join(err, closeOpen(p.conns[i].fd))
	}
	return errors.Join(err, closeOpen(p.timer), closeOpen(p.epoll))
}

func closeOpen(fd int) error {
	if fd == 0 {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(fd))
}

// takeOver returns a descriptor of the connection that the runtime does not know, and closes the one it knows.
func takeOver(conn *net.TCPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var dupErr error
	if err := raw.Control(func(known uintptr) {
		fd, dupErr = unix.FcntlInt(known, unix.F_DUPFD_CLOEXEC, 3)
	}); err != nil {
		return 0, err
	}
	if dupErr != nil {
		return 0, os.NewSyscallError("fcntl", dupErr)
	}
	return fd, conn.Close()
}

func (p *poller) control(op, fd int, index int32, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: index}))
}

// run sends what is due on connections that are idle, and takes answers, until all are there.
func (p *poller) run(ctx context.Context) error {
	ready := make([]unix.EpollEvent, len(p.conns)+1)
	due, more := p.take(time.Now())
	var calledOff time.Time
	for {
		now := time.Now()
		if more && ctx.Err() != nil {
			more, calledOff = false, now
		}
		more = more && now.Before(p.end)
		for more && len(p.idle) > 0 && !due.After(now) {
			// The one that has been idle for longest: the server closes what is idle for too long.
			c := p.idle[0]
			p.idle = append(p.idle[:0], p.idle[1:]...)
			if p.rate == 0 {
				due = time.Now()
			}
			if err := p.start(c, due); err != nil {
				return err
			}
			due, more = p.take(now)
		}
		if p.busy == 0 && !more {
			return nil
		}
		if !calledOff.IsZero() && now.Sub(calledOff) > p.patience {
			return fmt.Errorf("%d requests have no answer after %v", p.busy, p.patience)
		}
		if more && len(p.idle) > 0 && !p.armed {
			if err := p.arm(time.Until(due)); err != nil {
				return err
			}
		}
		k, err := unix.EpollWait(p.epoll, ready, int(waitMax.Milliseconds()))
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range max(k, 0) {
			if err := p.serve(&ready[i]); err != nil {
				return err
			}
		}
	}
}

// arm has the timer wake the thread after d, or a beat if that is longer.
func (p *poller) arm(d time.Duration) error {
	p.armed = true
	after := unix.NsecToTimespec(max(d, beat).Nanoseconds())
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(p.timer, 0, &unix.ItimerSpec{Value: after}, nil))
}

// start sends a request.
func (p *poller) start(c *polled, due time.Time) error {
	c.buffer, c.events = p.requests.next(c.buffer, p.ids)
	c.unsent, c.due, c.answered = c.buffer, due, false
	c.in.begin()
	p.busy++
	if err := p.write(c); err != nil || len(c.unsent) == 0 {
		return err
	}
	return p.control(unix.EPOLL_CTL_MOD, c.fd, c.index, unix.EPOLLIN|unix.EPOLLOUT)
}

// write sends what the connection takes.
func (p *poller) write(c *polled) error {
	n, err := unix.Write(c.fd, c.unsent)
	switch err {
	case nil:
		c.unsent = c.unsent[n:]
	case unix.EAGAIN, unix.EINTR:
	default:
		return os.NewSyscallError("write", err)
	}
	return nil
}

// serve does what a connection or the timer is ready for.
func (p *poller) serve(ready *unix.EpollEvent) error {
	if ready.Fd == timerIndex {
		p.armed = false
		var times [8]byte
		_, err := unix.Read(p.timer, times[:])
		return os.NewSyscallError("read", err)
	}
	c := &p.conns[ready.Fd]
	if ready.Events&unix.EPOLLOUT != 0 {
		if err := p.write(c); err != nil {
			return err
		}
		if len(c.unsent) == 0 {
			if err := p.control(unix.EPOLL_CTL_MOD, c.fd, c.index, unix.EPOLLIN); err != nil {
				return err
			}
		}
	}
	if ready.Events&^uint32(unix.EPOLLOUT) != 0 {
		if err := p.read(c); err != nil {
			return err
		}
	}
	if !c.answered || len(c.unsent) > 0 {
		return nil
	}
	p.busy--
	p.idle = append(p.idle, c)
	return p.add(c.in.answer(), c.events, time.Since(c.due))
}

// read takes what has come of an answer.
func (p *poller) read(c *polled) error {
	n, err := unix.Read(c.fd, c.in.room())
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err == nil && n == 0:
		err = io.EOF
	}
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	c.answered, err = c.in.came(n)
	return err
}
