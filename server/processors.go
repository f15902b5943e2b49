package server

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spareRest is how long after the last query there is a spare processor again.
const spareRest = 2 * time.Second

// Processors lets Go run code on one thread more than there are processors while nothing is asked. A thread that
// waits for a sync of the disk counts as running for up to some milliseconds, and on two processors that is half of
// what takes events in meanwhile. While queries run there is no spare: the system would share the processors among
// more threads than there are, in slices of milliseconds, and what knows that queries go first is Go's scheduler.
//
// It is the process's: one for all its servers. A nil Processors does nothing. It is safe for concurrent use.
type Processors struct {
	own     int          // without the spare
	queries atomic.Int64 // that run
	start   time.Time
	last    atomic.Int64 // when the latest ended, since start
	resting atomic.Bool  // there is no spare

	setting sync.Mutex
	timer   *time.Timer // that ends the rest
}

// AddProcessor adds the spare processor, for a process that does nothing but serve. It returns nil and changes nothing
// if the environment says on how many Go is to run (GOMAXPROCS). It also keeps what Go does by itself when the
// processors of a container change from happening.
func AddProcessor() *Processors {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	p := &Processors{own: runtime.GOMAXPROCS(0), start: time.Now()}
	p.set()
	return p
}

// set has Go run on as many threads as the state says. The world stops for it, for some tens of microseconds.
func (p *Processors) set() {
	p.setting.Lock()
	defer p.setting.Unlock()
	if n := p.own + 1; !p.resting.Load() {
		runtime.GOMAXPROCS(n)
		return
	}
	runtime.GOMAXPROCS(p.own)
	if p.timer == nil {
		p.timer = time.AfterFunc(spareRest, p.restEnded)
	} else {
		p.timer.Reset(spareRest)
	}
}

// count is how many there are, without the spare.
func (p *Processors) count() int {
	if p == nil {
		return runtime.GOMAXPROCS(0)
	}
	return p.own
}

// begin notes that a query begins to run.
func (p *Processors) begin() {
	if p == nil {
		return
	}
	p.queries.Add(1)
	if p.resting.CompareAndSwap(false, true) {
		go p.set() // it may have to wait for the garbage collector
	}
}

// end notes that a query has ended.
func (p *Processors) end() {
	if p == nil {
		return
	}
	p.last.Store(int64(time.Since(p.start)))
	p.queries.Add(-1)
}

// restEnded adds the spare again, or looks later.
func (p *Processors) restEnded() {
	queries := p.queries.Load() // before since: one that ends meanwhile has its rest
	since := time.Since(p.start) - time.Duration(p.last.Load())
	if queries > 0 || since < spareRest {
		p.setting.Lock()
		defer p.setting.Unlock()
		p.timer.Reset(max(spareRest-since, spareRest/10))
		return
	}
	p.resting.Store(false)
	if p.queries.Load() > 0 { // one has begun, and seen no need to do anything
		p.resting.Store(true)
	}
	p.set()
}
