package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSlowCommitsAreTold has three commits wait for a disk that stands still: the log says so once, and once that
// it is over. One that takes a moment is not told of.
func TestSlowCommitsAreTold(t *testing.T) {
	t.Parallel()
	const slow = slowTicks * guardTick
	var log bytes.Buffer
	s := &store{
		log:    slog.New(slog.NewTextHandler(&log, nil)),
		failed: make(chan struct{}), idle: make(chan struct{}, 1), guards: newGuards(),
	}
	defer close(s.guards.ended)
	var group sync.WaitGroup
	commit := func(takes time.Duration) {
		group.Go(func() {
			if err := s.guardedAs(func() error { time.Sleep(takes); return nil }, &s.slow); err != nil {
				t.Error(err)
			}
		})
	}
	commit(slow / 10)
	group.Wait()
	if log.Len() > 0 {
		t.Fatalf("a commit that takes a moment: %s", log.String())
	}
	for more := range 3 {
		commit(slow + time.Duration(1+more)*guardTick)
	}
	time.Sleep(slow + guardTick/2)
	if n := s.slow.n.Load(); n != 3 {
		t.Errorf("%d commits are slow, want 3", n)
	}
	group.Wait()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "commits do not end") || !strings.Contains(lines[1], "commits end again") {
		t.Fatalf("the log: %s", log.String())
	}
	_, after, _ := strings.Cut(lines[1], "after=")
	if took, err := time.ParseDuration(after); err != nil || took < slow+2*guardTick || took > slow+10*guardTick {
		t.Errorf("it is over after %s: %s", after, lines[1])
	}
	if n := s.slow.n.Load(); n != 0 {
		t.Errorf("%d commits are slow when none is", n)
	}
}
