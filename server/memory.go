package server

import (
	"runtime/debug"
	"sync"
)

// ballastBytes is memory that the collector counts and nobody touches, so that the system never gives it.
//
// A server that stores small requests has little alive and drops a lot of it every second. Go collects
// whenever the heap has doubled, which for a heap of a few megabytes is dozens of times a second. With the
// ballast it lets at least as much pile up before it begins; the heap of a busy server, which is many
// times larger, is collected as before.
const ballastBytes = 32 << 20

var ballast = sync.OnceValue(func() []byte { return make([]byte, ballastBytes) })

// idleRequests is the number of requests between two ticks up to which the server is idle: health checks
// go on when nothing else does.
const idleRequests = 30

// idleness gives memory back to the system when there is nothing to do after there was: the collector
// alone would keep what it may need again for minutes.
type idleness struct {
	requests uint64 // at the last tick
	busy     bool   // since memory was given back
}

// tick is told the number of requests so far, and reports whether it gave memory back.
func (i *idleness) tick(requests uint64) bool {
	more := requests - i.requests
	i.requests = requests
	if more > idleRequests {
		i.busy = true
		return false
	}
	if !i.busy {
		return false
	}
	i.busy = false
	debug.FreeOSMemory()
	return true
}
