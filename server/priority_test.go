package server

import (
	"testing"
	"testing/synctest"
	"time"

	"cairn/server/protocol"
)

// behind is what work behind the scenes was told last.
type behind struct {
	until time.Time
}

func (h *behind) hold(d time.Duration) { h.until = time.Now().Add(d) }

// left is for how long it still stands still.
func (h *behind) left() time.Duration { return max(0, time.Until(h.until)) }

// left is for how long some query still goes first.
func (p *priority) left() time.Duration { return max(0, time.Duration(p.until.Load())-p.now()) }

func TestQueriesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h behind
		p := newPriority(h.hold)
		query := func(took time.Duration) (first time.Duration) {
			until := p.begin()
			first = p.left()
			if until > 0 && h.left() != first {
				t.Errorf("it goes first for %v, and what is behind the scenes stands still for %v", first, h.left())
			}
			time.Sleep(took)
			first = min(first, took)
			p.end(until)
			if p.left() > linger || h.left() != p.left() {
				t.Errorf("after its end bodies stand still for %v, and what is behind the scenes for %v", p.left(), h.left())
			}
			return first
		}
		if first := query(time.Second); first != firstFor || p.left() != linger {
			t.Errorf("a long query goes first for %v, and bodies stand still for %v after it", first, p.left())
		}
		time.Sleep(linger)
		if p.left() != 0 || h.left() != 0 {
			t.Errorf("long after it bodies stand still for %v, and what is behind the scenes for %v", p.left(), h.left())
		}
		// Short ones, one after the other: what was saved up is used, and then they have their share, with what stands
		// still after them.
		var first time.Duration
		const queries = 1000
		for range queries {
			first += query(time.Millisecond)
		}
		if want := time.Duration(firstShare * queries * float64(time.Millisecond)); first < want/2 || first > want+firstSaved+firstFor {
			t.Errorf("they went first for %v of %d ms", first, queries)
		}
		time.Sleep(time.Hour)
		if first := query(10 * time.Millisecond); first != firstFor {
			t.Errorf("after a rest it goes first for %v", first)
		}
	})
}

// TestQueriesGoFirstTogether has several at once: the share is of the time, not of each.
func TestQueriesGoFirstTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h behind
		p := newPriority(h.hold)
		one := p.begin()
		time.Sleep(time.Millisecond)
		two := p.begin()
		if p.left() != firstFor {
			t.Errorf("the later goes first for %v", p.left())
		}
		time.Sleep(time.Millisecond)
		p.end(two)
		if want := firstFor - 2*time.Millisecond; p.left() != want || h.left() != want {
			t.Errorf("the earlier then goes first for %v and %v, not %v", p.left(), h.left(), want)
		}
		p.end(one)
		if p.left() != linger {
			t.Errorf("none runs, and bodies stand still for %v", p.left())
		}
		const at = 6
		first, rounds := time.Duration(0), 1000
		for range rounds {
			var untils [at]time.Duration
			for i := range untils {
				untils[i] = p.begin()
			}
			first += min(p.left(), time.Millisecond)
			time.Sleep(time.Millisecond)
			for _, until := range untils {
				p.end(until)
			}
		}
		if want := time.Duration(firstShare * float64(rounds) * float64(time.Millisecond)); first > want+firstSaved+firstFor || first < want/10 {
			t.Errorf("they went first for %v of %d ms", first, rounds)
		}
		if len(p.first) != 0 {
			t.Errorf("%d go first, and none runs", len(p.first))
		}
	})
}

func TestBodiesStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPriority(func(time.Duration) {})
		start := time.Now()
		p.standStill()
		if time.Since(start) != 0 {
			t.Error("it stands still for nobody")
		}
		until := p.begin()
		p.standStill()
		if stood := time.Since(start); stood != firstFor {
			t.Errorf("it stood still for %v of a query that takes longer", stood)
		}
		p.end(until)
		start = time.Now()
		until = p.begin()
		go func() {
			time.Sleep(time.Millisecond)
			p.end(until)
		}()
		p.standStill()
		if stood, want := time.Since(start), time.Millisecond+linger; stood < want || stood > want+standTime {
			t.Errorf("it stood still for %v of a query that took 1 ms", stood)
		}
	})
}

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{scanning: make(chan struct{}, 1), priority: newPriority(func(time.Duration) {})}
		for range 3 {
			defer s.slot()() // nothing was asked
		}
		s.priority.end(s.priority.begin())
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
		time.Sleep(lately)
		for range 3 {
			defer s.slot()() // nothing was asked lately
		}
	})
}

// noted is a protocol that notes when it decodes.
type noted struct {
	protocol.Segment
	decoded *time.Time
}

// Decode implements protocol.Protocol.
func (n noted) Decode(*protocol.Request) (*protocol.Decoded, error) {
	*n.decoded = time.Now()
	return &protocol.Decoded{}, nil
}

// TestVendorsBodiesStandStill decodes bodies while a query goes first: a short one at once, a long one when it no
// longer does, in the one slot that there is.
func TestVendorsBodiesStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{scanning: make(chan struct{}, 1), priority: newPriority(func(time.Duration) {})}
		for size, want := range map[int]time.Duration{smallBodyBytes: 0, smallBodyBytes + 1: firstFor} {
			start := time.Now()
			until := s.priority.begin()
			var at time.Time
			if _, err := s.decode(noted{decoded: &at}, &protocol.Request{Body: make([]byte, size)}); err != nil {
				t.Error(err)
			}
			if waited := at.Sub(start); waited != want {
				t.Errorf("%d bytes wait %v, want %v", size, waited, want)
			}
			s.priority.end(until)
			time.Sleep(firstSaved)
		}
		if len(s.scanning) != 0 {
			t.Error("a slot was not given back")
		}
	})
}
