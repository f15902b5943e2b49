package server

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestQueriesGoFirst(t *testing.T) {
	now := time.Unix(1e9, 0)
	var p priority
	query := func(took time.Duration) time.Duration {
		t.Helper()
		began := now
		until := p.begin(began)
		if p.until.Load() != until && until != 0 {
			t.Errorf("it goes first until %d, not %d", p.until.Load(), until)
		}
		now = now.Add(took)
		saved := p.saved - min(took, time.Duration(max(0, until-began.UnixNano())))
		switch behind := p.end(began, until, now); {
		case saved > 0 && behind != now.Add(linger).UnixNano():
			t.Errorf("work behind the scenes stands still until %d, not for %v", behind, linger)
		case saved <= 0 && behind != 0:
			t.Error("work behind the scenes stands still for what has had its share")
		}
		if p.until.Load() != 0 {
			t.Error("it goes first after its end")
		}
		return max(0, time.Duration(until-began.UnixNano()))
	}
	if first := query(time.Second); first != firstFor {
		t.Errorf("a long query goes first for %v", first)
	}
	// Short ones, one after the other: what was saved up is used, and then they have their share.
	var first, all time.Duration
	for range 1000 {
		first += min(query(time.Millisecond), time.Millisecond)
		all += time.Millisecond
	}
	// Of the share, some goes to what stands still after them.
	if want := time.Duration(firstShare * float64(all)); first < want/2 || first > want+firstSaved+firstFor {
		t.Errorf("they went first for %v of %v", first, all)
	}
	now = now.Add(time.Hour)
	if first := query(time.Millisecond); first != firstFor {
		t.Errorf("after a rest it goes first for %v", first)
	}
	now = now.Add(-2 * time.Hour) // the clock was put back
	if first := query(time.Millisecond); first != firstFor {
		t.Errorf("after the clock was put back it goes first for %v", first)
	}

	// The end of one that a later one has replaced does not end that.
	one := p.begin(now)
	later := now.Add(time.Millisecond)
	two := p.begin(later)
	if behind := p.end(now, one, later); p.until.Load() != two || behind != two {
		t.Errorf("the later goes first until %d, not %d", p.until.Load(), two)
	}
	p.end(later, two, later)
}

func TestStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p priority
		start := time.Now()
		p.standStill()
		if time.Since(start) != 0 {
			t.Error("it stands still for nobody")
		}
		p.begin(start)
		p.standStill()
		if stood := time.Since(start); stood != firstFor {
			t.Errorf("it stood still for %v of a query that takes longer", stood)
		}
		start = time.Now()
		until := p.begin(start)
		go func() {
			time.Sleep(time.Millisecond)
			p.end(start, until, time.Now())
		}()
		p.standStill()
		if stood := time.Since(start); stood < time.Millisecond || stood > time.Millisecond+standTime {
			t.Errorf("it stood still for %v of a query that took 1 ms", stood)
		}
	})
}

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{scanning: make(chan struct{}, 1)}
		time.Sleep(lately)
		for range 3 {
			defer s.slot()() // nothing was asked
		}
		s.priority.begin(time.Now())
		first := s.slot()
		got := false
		go func() {
			defer s.slot()()
			got = true
		}()
		synctest.Wait()
		if got {
			t.Error("two bodies have the one slot")
		}
		first()
		synctest.Wait()
		if !got {
			t.Error("the slot that was given back is not taken")
		}
	})
}
