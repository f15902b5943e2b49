package server

import (
	"slices"
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
	firstShare = 0.25
	firstSaved = 40 * time.Millisecond
	// linger is how much longer all that stands still does so after a query that went first: the next question often
	// follows at once, and is seen when a processor has nothing else to run. It counts as time that queries go first.
	linger = 500 * time.Microsecond
	// standTime is after how long what stands still looks whether it may go on; a processor with nothing else to do
	// makes a millisecond of it.
	standTime = 100 * time.Microsecond
	// lately is how long after a question more of them are expected.
	lately = time.Second
)

// priority says which queries go first. Times are those of now, which no change of the clock moves. It is safe for
// concurrent use.
type priority struct {
	start time.Time
	// hold has work behind the scenes stand still for so long from now; it is called in the order of what it is told.
	hold func(time.Duration)

	mu    sync.Mutex
	first []time.Duration // until when queries that run go first
	saved time.Duration   // for how long queries may still go first, as of at
	at    time.Duration

	asked atomic.Int64 // when the latest query began; 0: there was none
	until atomic.Int64 // until when some query goes first, or one that did may be followed by the next; 0: never yet
}

func newPriority(hold func(time.Duration)) *priority {
	return &priority{start: time.Now(), hold: hold, saved: firstSaved}
}

// now is the time since the start, and never 0.
func (p *priority) now() time.Duration { return time.Since(p.start) + 1 }

// account brings saved up to date.
func (p *priority) account(now time.Duration) {
	if now <= p.at {
		return
	}
	p.saved += time.Duration(firstShare * float64(now-p.at))
	p.saved -= max(0, min(now, time.Duration(p.until.Load()))-p.at)
	p.saved = min(p.saved, firstSaved)
	p.at = now
}

// begin returns until when a query that begins now goes first; 0: it does not. The caller calls end with it.
func (p *priority) begin() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.asked.Store(int64(now))
	p.account(now)
	if p.saved <= 0 {
		return 0
	}
	until := now + min(firstFor, p.saved)
	p.first = append(p.first, until)
	p.until.Store(int64(slices.Max(p.first)))
	p.hold(time.Duration(p.until.Load()) - now)
	return until
}

// end notes that a query has ended.
func (p *priority) end(until time.Duration) {
	if until == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.account(now)
	i := slices.Index(p.first, until)
	p.first = slices.Delete(p.first, i, i+1)
	until = now
	if p.saved > 0 {
		until += linger
	}
	for _, other := range p.first {
		until = max(until, other)
	}
	p.until.Store(int64(until))
	p.hold(until - now)
}

// standStill waits while a query goes first.
func (p *priority) standStill() {
	for {
		left := time.Duration(p.until.Load()) - p.now()
		if left <= 0 {
			return
		}
		time.Sleep(min(left, standTime))
	}
}

// wasAsked reports whether there was a question lately.
func (p *priority) wasAsked() bool {
	asked := time.Duration(p.asked.Load())
	return asked > 0 && p.now()-asked < lately
}

// slot waits until a long body may be scanned, and returns what gives its place back. While questions keep coming,
// one processor is left to them: Go looks for requests that have come when a processor has nothing else to run.
func (s *Server) slot() (done func()) {
	if !s.priority.wasAsked() {
		return func() {}
	}
	s.scanning <- struct{}{}
	return func() { <-s.scanning }
}
