package server

import (
	"runtime"
	"testing"
)

func TestAddProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "7")
	if AddProcessor(); runtime.GOMAXPROCS(0) != before {
		t.Errorf("what the environment says was changed: %d", runtime.GOMAXPROCS(0))
	}
	t.Setenv("GOMAXPROCS", "")
	if AddProcessor(); runtime.GOMAXPROCS(0) != before+1 {
		t.Errorf("%d, not one more than %d", runtime.GOMAXPROCS(0), before)
	}
}
