package server

import (
	"runtime"
	"testing"
	"time"
)

func TestAddProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Setenv("GOMAXPROCS", "7")
	if p := AddProcessor(); p != nil || runtime.GOMAXPROCS(0) != before {
		t.Errorf("what the environment says was changed: %d", runtime.GOMAXPROCS(0))
	}
	p := addedProcessor(t)
	if n := runtime.GOMAXPROCS(0); n != before+1 {
		t.Errorf("%d, not one more than %d", n, before)
	}
	p.begin()
	p.begin()
	waitProcessors(t, before)
	p.end()
	time.Sleep(spareRest + spareRest/2) // one still runs
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d while a query runs, not %d", n, before)
	}
	ended := time.Now()
	p.end()
	waitProcessors(t, before+1)
	if rest := time.Since(ended); rest < spareRest {
		t.Errorf("the spare was there again after %v", rest)
	}
	p.begin()
	waitProcessors(t, before)
	p.end()
	waitProcessors(t, before+1)
}

// TestQueriesHaveTheProcessors asks a server that has a spare one.
func TestQueriesHaveTheProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	f := newFixture(t, Options{Processors: addedProcessor(t)})
	f.do(t, call{method: "POST", path: "/v1/events", body: `{"event":"open","user":"u"}`})
	if n := runtime.GOMAXPROCS(0); n != before+1 {
		t.Errorf("%d with nothing asked, not %d", n, before+1)
	}
	if a := f.do(t, call{method: "POST", path: "/v1/query", body: "* | stats count()"}); a.status != 200 {
		t.Fatal(a)
	}
	waitProcessors(t, before)
	waitProcessors(t, before+1)
}

// addedProcessor adds a spare processor, and removes it when the test has ended.
func addedProcessor(t *testing.T) *Processors {
	t.Helper()
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(0)
	p := AddProcessor()
	t.Cleanup(func() {
		p.setting.Lock()
		defer p.setting.Unlock()
		if p.timer != nil {
			p.timer.Stop()
		}
		runtime.GOMAXPROCS(before)
	})
	return p
}

func waitProcessors(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(5 * spareRest); runtime.GOMAXPROCS(0) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("Go runs on %d threads, not %d", runtime.GOMAXPROCS(0), n)
		}
	}
}
