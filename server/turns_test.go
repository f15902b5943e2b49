package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cairn/server/api"
)

// waiter asks for a turn and tells when it has it.
func waiter(t *testing.T, ts *turns, ctx context.Context, tenant string, limit int64, got chan<- string, name string) {
	t.Helper()
	_, before := ts.state()
	go func() {
		if _, err := ts.take(ctx, tenant, limit); err == nil {
			got <- name
		} else {
			got <- "error " + name
		}
	}()
	for {
		if _, waiting := ts.state(); waiting > before {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func receive(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case name := <-got:
		return name
	case <-time.After(5 * time.Second):
		t.Fatal("nobody gets a turn")
	}
	return ""
}

// A tenant with a thousand queries waiting delays another by one query at most.
func TestTurnsAreFair(t *testing.T) {
	ts := newTurns(2, 2000, time.Minute)
	got := make(chan string, 2000)
	for range 2 {
		if _, err := ts.take(t.Context(), "busy", -1); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			if _, err := ts.take(t.Context(), "busy", -1); err == nil {
				got <- "busy"
			}
		})
	}
	for {
		if _, waiting := ts.state(); waiting == 1000 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	waiter(t, ts, t.Context(), "other", -1, got, "other")
	ts.end("busy")
	if name := receive(t, got); name != "other" {
		t.Errorf("the next turn is %s's", name)
	}
	ts.end("other")
	ts.end("busy") // the other of those that ran from the start
	for range 1000 {
		receive(t, got)
		ts.end("busy")
	}
	group.Wait()
	if running, waiting := ts.state(); running != 0 || waiting != 0 || ts.mu.free != 2 || len(ts.mu.tenants) != 0 {
		t.Errorf("%d run, %d wait, %d free, %d tenants are known", running, waiting, ts.mu.free, len(ts.mu.tenants))
	}
}

func TestTurnsOfATenantAreInOrder(t *testing.T) {
	ts := newTurns(1, 10, time.Minute)
	if _, err := ts.take(t.Context(), "a", -1); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	for i := range 5 {
		waiter(t, ts, t.Context(), "a", -1, got, fmt.Sprint(i))
	}
	for i := range 5 {
		ts.end("a")
		if name := receive(t, got); name != fmt.Sprint(i) {
			t.Errorf("turn %d is that of %s", i, name)
		}
	}
}

func TestTurnsHaveLimits(t *testing.T) {
	ts := newTurns(4, 1, 20*time.Millisecond)
	done, err := ts.take(t.Context(), "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	waiter(t, ts, t.Context(), "a", 1, got, "second") // its own limit, though places are free
	var coded *api.Error
	if _, err := ts.take(t.Context(), "a", 1); !errors.As(err, &coded) || coded.Code != api.CodeQueriesRunning {
		t.Errorf("more wait than may: %v", err)
	}
	if other, err := ts.take(t.Context(), "b", 1); err != nil {
		t.Errorf("another tenant has to wait: %v", err)
	} else {
		other()
	}
	if name := receive(t, got); name != "error second" {
		t.Errorf("it waited on: %s", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ts.wait = time.Minute
	waiter(t, ts, ctx, "a", 1, got, "third")
	cancel()
	if name := receive(t, got); name != "error third" {
		t.Errorf("cancelled: %s", name)
	}
	done()
	if running, waiting := ts.state(); running != 0 || waiting != 0 || ts.mu.free != 4 {
		t.Errorf("%d run, %d wait, %d free", running, waiting, ts.mu.free)
	}
}

func TestBudget(t *testing.T) {
	var process, tenant budget
	l := lease{process: &process, processLimit: 100}
	if err := l.grow(60); err != nil || process.used.Load() != 60 {
		t.Fatal(err, process.used.Load())
	}
	if err := l.grow(41); err == nil || process.used.Load() != 60 {
		t.Errorf("more than the process may have: %v, %d", err, process.used.Load())
	}
	if err := l.assign(&tenant, 59); err == nil || tenant.used.Load() != 0 {
		t.Errorf("more than the tenant may have: %v, %d", err, tenant.used.Load())
	}
	if err := l.assign(&tenant, 70); err != nil || tenant.used.Load() != 60 {
		t.Fatal(err, tenant.used.Load())
	}
	if err := l.assign(&tenant, 70); err != nil || tenant.used.Load() != 60 {
		t.Errorf("assigned twice: %v, %d", err, tenant.used.Load())
	}
	if err := l.grow(11); err == nil || process.used.Load() != 60 || tenant.used.Load() != 60 {
		t.Errorf("more than the tenant may have: %v, %d, %d", err, process.used.Load(), tenant.used.Load())
	}
	if err := l.grow(10); err != nil {
		t.Error(err)
	}
	l.release()
	l.release()
	if process.used.Load() != 0 || tenant.used.Load() != 0 {
		t.Errorf("released: %d, %d", process.used.Load(), tenant.used.Load())
	}
}

func TestRate(t *testing.T) {
	now := time.Unix(1e9, 0)
	var r rate
	for _, c := range []struct {
		after time.Duration
		n     int
		wait  time.Duration
		ok    bool
	}{
		{0, 50, 0, true}, // five seconds' worth at once
		{0, 1, 100 * time.Millisecond, false},
		{100 * time.Millisecond, 1, 0, true},
		{-time.Hour, 1, 100 * time.Millisecond, false}, // the clock was put back
		{time.Hour, 500, 0, true},                      // more than the bucket holds, when it is full
		{time.Second, 1, 44*time.Second + 100*time.Millisecond, false},
		{44*time.Second + 100*time.Millisecond, 1, 0, true},
	} {
		now = now.Add(c.after)
		if wait, ok := r.take(c.n, 10, now); ok != c.ok || (wait-c.wait).Abs() > time.Millisecond {
			t.Errorf("after %v, %d events: %v, wait %v; want %v, %v", c.after, c.n, ok, wait, c.ok, c.wait)
		}
	}
	if _, ok := r.take(1e9, -1, now); !ok {
		t.Error("no limit is one")
	}
}
