package exec

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// parallel calls work for the workers 0 to n-1 and returns when they have ended. The caller is worker 0; each of
// the others has a goroutine. Work takes its pieces from what all workers share: when that of worker 0 is over
// there is nothing left to begin, and whoever has not been given a processor by then is called off. On a
// machine that takes in events meanwhile, a query of half a millisecond would else wait for several until all its
// goroutines have had their turn.
//
// A panic of a worker becomes one of the caller, which has who answers for it.
func parallel(n int, work func(worker int)) {
	begun := make([]atomic.Bool, n)
	var panicked atomic.Pointer[workerPanic]
	var wait sync.WaitGroup
	for worker := 1; worker < n; worker++ {
		wait.Add(1)
		go func() {
			if begun[worker].Swap(true) {
				return
			}
			defer wait.Done()
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(&workerPanic{p, debug.Stack()})
				}
			}()
			work(worker)
		}()
	}
	// Also if worker 0 panics, nobody works on behind the caller's back.
	defer func() {
		for worker := 1; worker < n; worker++ {
			if !begun[worker].Swap(true) {
				wait.Done()
			}
		}
		wait.Wait()
		if p := panicked.Load(); p != nil {
			panic(p)
		}
	}()
	if n > 0 {
		work(0)
	}
}

// workerPanic is what a worker has panicked with, and where.
type workerPanic struct {
	value any
	stack []byte
}

func (p *workerPanic) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }
