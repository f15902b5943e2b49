package exec

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What workers share is done when parallel returns, once.
func TestParallelDoesAllWork(t *testing.T) {
	const pieces = 1000
	parallel(0, func(int) { t.Error("nobody works") })
	for n := 1; n < 9; n++ {
		var next atomic.Int64
		var done [pieces]atomic.Int32
		parallel(n, func(int) {
			for {
				i := int(next.Add(1)) - 1
				if i >= pieces {
					return
				}
				done[i].Add(1)
				runtime.Gosched()
			}
		})
		for i := range done {
			if got := done[i].Load(); got != 1 {
				t.Fatalf("%d workers: piece %d was done %d times", n, i, got)
			}
		}
	}
}

// A worker that has begun is waited for, one that has not is called off.
func TestLateWorkersAreCalledOff(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var late atomic.Int32
	parallel(4, func(worker int) {
		if worker > 0 { // on one processor nobody comes before the caller blocks
			late.Add(1)
		}
	})
	for range 100 {
		runtime.Gosched()
	}
	if n := late.Load(); n != 0 {
		t.Errorf("%d workers began when there was nothing left", n)
	}
	begun, ended := make(chan bool), false
	parallel(2, func(worker int) {
		if worker == 0 {
			<-begun
			return
		}
		begun <- true
		time.Sleep(10 * time.Millisecond)
		ended = true
	})
	if !ended {
		t.Error("a worker that had begun was not waited for")
	}
}

// A panic of a worker is one of the caller, who has a handler, and tells where it was.
func TestPanicOfAWorker(t *testing.T) {
	for who := range 2 {
		func() {
			defer func() {
				switch p := recover().(type) {
				case *workerPanic:
					if who != 1 || !strings.Contains(p.Error(), "no such thing") || !strings.Contains(p.Error(), "parallel_test.go") {
						t.Errorf("worker %d has panicked: %v", who, p)
					}
				case error:
					if who != 0 || p.Error() != "no such thing" {
						t.Errorf("worker %d has panicked: %v", who, p)
					}
				default:
					t.Errorf("worker %d has panicked: %v", who, p)
				}
			}()
			begun := make(chan bool)
			parallel(2, func(worker int) {
				if worker == 0 {
					<-begun
				} else {
					close(begun)
				}
				if worker == who {
					panic(errors.New("no such thing"))
				}
			})
		}()
	}
}
