package server

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// firstFor is how long after its start a query goes first: bodies that are being scanned, and the work behind
	// the scenes, stand still for it. Most queries are over by then; those that take longer share the processors, as
	// events have to be stored at some time.
	firstFor = 5 * time.Millisecond
	// firstShare is the share of the time that queries may go first in, in the long run, and firstSaved how much of it
	// is saved up while none run. Without it, questions asked one after the other would keep events out.
	firstShare = 0.5
	firstSaved = 40 * time.Millisecond
	// linger is how long work behind the scenes stands still after a query that went first: the next question often
	// follows at once, and is seen when a processor has nothing else to run.
	linger = 500 * time.Microsecond
	// standTime is how often what stands still looks whether it may go on.
	standTime = 100 * time.Microsecond
	// lately is how long after a question more of them are expected.
	lately = time.Second
)

// priority says which queries go first. It is safe for concurrent use.
type priority struct {
	mu    sync.Mutex
	saved time.Duration // for how long queries may still go first, as of counted
	at    time.Time     // when it was counted

	asked atomic.Int64 // when the latest query began, Unix nanoseconds
	until atomic.Int64 // until when the latest that goes first does; 0: none does
}

// begin returns until when a query that begins now goes first, in Unix nanoseconds; 0: it does not.
func (p *priority) begin(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked.Store(now.UnixNano())
	since := min(max(0, now.Sub(p.at)), time.Minute)
	p.saved = min(firstSaved, p.saved+time.Duration(firstShare*float64(since)))
	p.at = now
	if p.saved <= 0 {
		return 0
	}
	until := now.Add(min(firstFor, p.saved)).UnixNano()
	p.until.Store(until)
	return until
}

// end notes that the query that began at a time, and went first until another, has ended. It returns until when work
// behind the scenes stands still now.
func (p *priority) end(began time.Time, until int64, now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until > 0 {
		p.saved -= max(0, min(now.Sub(began), time.Duration(until-began.UnixNano())))
		p.until.CompareAndSwap(until, 0) // a later one goes on
	}
	behind := p.until.Load()
	if p.saved > 0 {
		p.saved -= linger
		behind = max(behind, now.Add(linger).UnixNano())
	}
	return behind
}

// standStill waits while a query goes first.
func (p *priority) standStill() {
	for {
		left := p.until.Load() - time.Now().UnixNano()
		if left <= 0 {
			return
		}
		time.Sleep(min(time.Duration(left), standTime))
	}
}

// wasAsked reports whether there was a question lately.
func (p *priority) wasAsked() bool { return time.Now().UnixNano()-p.asked.Load() < int64(lately) }

// slot waits until a long body may be scanned, and returns what gives its place back. While questions keep coming,
// one processor is left to them: Go looks for requests that have come when a processor has nothing else to run.
func (s *Server) slot() (done func()) {
	if !s.priority.wasAsked() {
		return func() {}
	}
	s.scanning <- struct{}{}
	return func() { <-s.scanning }
}
