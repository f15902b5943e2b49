package server

import (
	"os"
	"runtime"
)

// AddProcessor lets Go run code on one thread more than there are processors, unless the environment says on how many
// (GOMAXPROCS). For a process that does nothing but serve: a thread that waits for a sync of the disk counts as
// running for up to some milliseconds, and on two processors that is half of what takes events in meanwhile. It
// also keeps what Go does by itself when the processors of a container change from happening.
func AddProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
