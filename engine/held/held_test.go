package held_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cairn/engine"
	"cairn/engine/held"
)

var _ held.Snapshot = (*engine.Snapshot)(nil)

// fake is a snapshot that knows whether it was closed.
type fake struct {
	id     string
	mu     sync.Mutex
	closed int
}

// ID implements held.Snapshot.
func (f *fake) ID() string { return f.id }

func (f *fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
}

func (f *fake) open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed == 0
}

func TestSnapshotIsFoundForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := held.New[*fake](held.Options{})
		defer s.Close()
		a := &fake{id: "s_1"}
		use := s.Take("t", a)
		time.Sleep(time.Hour) // it is in use
		if again, ok := s.Find("t", "s_1"); !ok || again.Snapshot != a {
			t.Fatal("a snapshot in use is not found")
		} else {
			again.Release()
		}
		use.Release()
		use.Release()
		time.Sleep(59 * time.Second)
		again, ok := s.Find("t", "s_1")
		if !ok {
			t.Fatal("not found after 59 seconds")
		}
		if _, ok := s.Find("u", "s_1"); ok {
			t.Error("found for another tenant")
		}
		if _, ok := s.Find("t", "s_2"); ok {
			t.Error("found what was never taken")
		}
		again.Release()
		time.Sleep(59 * time.Second)
		if !a.open() {
			t.Error("closed 59 seconds after another use")
		}
		time.Sleep(2 * time.Second)
		if _, ok := s.Find("t", "s_1"); ok || a.closed != 1 {
			t.Errorf("found %v, closed %d times after 61 seconds", ok, a.closed)
		}
	})
}

// Those that become unused at different times each expire at their own.
func TestEachSnapshotHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := held.New[*fake](held.Options{For: 10 * time.Second})
		defer s.Close()
		var list []*fake
		for i := range 5 {
			f := &fake{id: fmt.Sprint(i)}
			s.Take("t", f).Release()
			list = append(list, f)
			time.Sleep(time.Second)
		}
		time.Sleep(5*time.Second + time.Millisecond) // now the first was used 10 seconds ago
		for i := range list {
			for j, f := range list {
				if f.open() != (j > i) {
					t.Errorf("%d seconds later: snapshot %d is open: %v", i, j, f.open())
				}
			}
			time.Sleep(time.Second)
		}
	})
}

func TestSoManyOfATenant(t *testing.T) {
	s := held.New[*fake](held.Options{PerTenant: 2})
	defer s.Close()
	a, b, c := &fake{id: "a"}, &fake{id: "b"}, &fake{id: "c"}
	other := &fake{id: "a"}
	s.Take("other", other).Release()
	s.Take("t", a).Release()
	useB := s.Take("t", b)
	if use, ok := s.Find("t", "a"); ok { // now b is the longest unused
		use.Release()
	}
	s.Take("t", c).Release()
	if _, ok := s.Find("t", "b"); ok {
		t.Error("the third pushes none out")
	}
	if !a.open() || !c.open() || !b.open() || !other.open() {
		t.Error("what is kept or in use was closed")
	}
	useB.Release()
	if b.open() {
		t.Error("what cannot be found is kept open")
	}
}

// Of two snapshots of one name the newer is kept.
func TestNewerSnapshotOfTheSameName(t *testing.T) {
	s := held.New[*fake](held.Options{})
	old, next := &fake{id: "a"}, &fake{id: "a"}
	s.Take("t", old).Release()
	use := s.Take("t", next)
	if old.open() {
		t.Error("the older one is kept")
	}
	found, ok := s.Find("t", "a")
	if !ok || found.Snapshot != next {
		t.Fatal("the newer one is not found")
	}
	s.Forget("t")
	if _, ok := s.Find("t", "a"); ok || !next.open() {
		t.Error("forgotten: it must not be found, nor closed while it is used")
	}
	use.Release()
	if !next.open() {
		t.Error("closed while it is used")
	}
	found.Release()
	if next.open() {
		t.Error("kept after the last use")
	}
	s.Close()
	last := &fake{id: "b"}
	use = s.Take("t", last) // a request that was late
	if _, ok := s.Find("t", "b"); ok {
		t.Error("kept after Close")
	}
	use.Release()
	if last.open() {
		t.Error("left open after Close")
	}
}

// Whatever goes on at once, each snapshot is closed once, and none that is used.
func TestManyAtOnce(t *testing.T) {
	s := held.New[*fake](held.Options{For: time.Millisecond, PerTenant: 3})
	var mu sync.Mutex
	var all []*fake
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 500 {
				tenant, id := fmt.Sprint(r.IntN(2)), fmt.Sprint(r.IntN(6))
				use, ok := s.Find(tenant, id)
				if !ok {
					f := &fake{id: id}
					mu.Lock()
					all = append(all, f)
					mu.Unlock()
					use = s.Take(tenant, f)
				}
				if r.IntN(100) == 0 {
					s.Forget(tenant)
				}
				if !use.Snapshot.open() {
					t.Error("closed while it is used")
				}
				use.Release()
			}
		}()
	}
	wait.Wait()
	s.Close()
	for _, f := range all {
		if f.closed != 1 {
			t.Fatalf("closed %d times", f.closed)
		}
	}
}
