package server

import "testing"

func TestIdleness(t *testing.T) {
	var i idleness
	for n, step := range []struct {
		requests uint64
		freed    bool
	}{{0, false}, {10, false}, {1000, false}, {2000, false}, {2010, true}, {2020, false}, {2050, false}, {2100, false}, {2100, true}, {2100, false}} {
		if got := i.tick(step.requests); got != step.freed {
			t.Errorf("step %d: memory was given back: %v", n, got)
		}
	}
}
