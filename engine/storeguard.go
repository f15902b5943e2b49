package engine

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// guards are goroutines that make calls into Pebble for others, who can then give up waiting. They are
// kept: Pebble's calls go deep, and the stack of a new goroutine would have to grow for each.
type guards struct {
	calls chan *guardedCall // taken by a guard that has nothing to do
	kept  chan struct{}     // a token for each guard that waits
	ended chan struct{}     // closed with the store
}

// guardsKept is how many guards wait for the next call; more end after theirs.
const guardsKept = 4

func newGuards() guards {
	return guards{calls: make(chan *guardedCall), kept: make(chan struct{}, guardsKept), ended: make(chan struct{})}
}

// guardTick is how often a call that has not ended is looked at.
const guardTick = stuckPatience / 10

// guardedCall is one call and where its result goes.
type guardedCall struct {
	call func() error
	done chan error
	tick *time.Ticker
}

var guardedCalls = sync.Pool{New: func() any {
	tick := time.NewTicker(guardTick)
	tick.Stop()
	return &guardedCall{done: make(chan error, 1), tick: tick}
}}

// slowTicks is after how many ticks a commit counts as slow: 5 s.
const slowTicks = 5

// slowCommits tells the log when commits do not end: a disk that stands still looks from outside like events that
// do not come.
type slowCommits struct {
	n     atomic.Int64
	since atomic.Int64 // Unix nanoseconds; when the first of them began
}

// begin notes a commit that has been waiting for so long.
func (c *slowCommits) begin(s *store, waited time.Duration) {
	if c.n.Add(1) > 1 {
		return
	}
	c.since.Store(time.Now().Add(-waited).UnixNano())
	s.log.Warn("commits do not end: is the disk standing still?", "waiting", waited, "flushes behind", s.stalled.Load())
}

func (c *slowCommits) end(s *store) {
	if c.n.Add(-1) == 0 && s.err() == nil {
		s.log.Warn("commits end again", "after", time.Since(time.Unix(0, c.since.Load())).Round(time.Millisecond))
	}
}

// guarded runs a call into Pebble that may panic, or never return, once the log has failed.
func (s *store) guarded(call func() error) error { return s.guardedAs(call, nil) }

// guardedAs is guarded; slow, unless it is nil, is told when the call takes long.
func (s *store) guardedAs(call func() error, slow *slowCommits) error {
	if err := s.err(); err != nil {
		return err
	}
	if err := s.use(); err != nil {
		return err
	}
	defer s.done() // not by the call, which may never return once the store has failed
	c := guardedCalls.Get().(*guardedCall)
	c.call = call
	select {
	case s.guards.calls <- c:
	default:
		go s.guard(c)
	}
	c.tick.Reset(guardTick)
	ticks := 0
	defer func() {
		if ticks >= slowTicks && slow != nil {
			slow.end(s) // of a failed store the log has been told
		}
	}()
	for {
		select {
		case err := <-c.done:
			c.call = nil
			c.tick.Stop()
			guardedCalls.Put(c) // only now is it sure that the guard has let go of it
			if err == nil {
				err = s.err()
			}
			return err
		case <-s.failed:
			c.tick.Stop()
			return s.err()
		case <-c.tick.C:
			if ticks++; ticks == slowTicks && slow != nil {
				slow.begin(s, slowTicks*guardTick)
			}
			if err := s.stuckError(stuckPatience); err != nil {
				s.fail(err) // whether the call comes about is not known
			}
		}
	}
}

// guard makes a call, and those of others after it.
func (s *store) guard(c *guardedCall) {
	defer func() {
		if p := recover(); p != nil {
			s.fail(fmt.Errorf("%v", p))
		}
	}()
	for {
		c.done <- c.call()
		select {
		case s.guards.kept <- struct{}{}:
		default:
			return
		}
		select {
		case c = <-s.guards.calls:
			<-s.guards.kept
		case <-s.guards.ended:
			return
		}
	}
}
