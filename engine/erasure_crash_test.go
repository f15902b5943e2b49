package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// eraseClone is a picture of the disk, with what was known of victims when it was begun.
type eraseClone struct {
	fs      *vfs.MemFS
	percent int
	stored  int   // victims whose events were all acknowledged
	erased  []int // victims whose erasure was
	started int   // victims whose erasure had begun when the picture was done
}

// victimEvents are the events of one user, of several days, beside others that share their frames.
func victimEvents(victim int, now time.Time) []event.Event {
	var out []event.Event
	for i := range 12 {
		for _, user := range []string{fmt.Sprint("victim ", victim), fmt.Sprint("other ", victim%5)} {
			out = append(out, event.Event{
				Time: now.UnixNano() - int64(i%3)*24*int64(time.Hour) - int64(i), Name: fmt.Sprint("e", i%4), User: user,
				ID: fmt.Sprintf("%s/%d/%d", user[:5], victim, i), Fields: []event.Field{{Name: "n", Value: event.Int(int64(i))}},
			})
		}
	}
	return out
}

// TestCrashOfErasures erases users one after another, while events are stored and sealed and rows of erased
// users are removed, and takes pictures of the disk as a power cut would leave it. In each an erasure that was
// acknowledged holds, one that was not is there as a whole or not at all, and nothing else is missing.
func TestCrashOfErasures(t *testing.T) {
	s := seed(t)
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) { crashErasures(t, s+uint64(round)) })
	}
}

func crashErasures(t *testing.T, seed uint64) {
	fs, clock := vfs.NewCrashableMem(), enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: fs, BlockRows: 16, HotBytes: 64 << 10, MemTableBytes: 256 << 10, NoBackground: true}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a := tenant(t, db, "a")
	const victims = 25
	var mu sync.Mutex
	var known eraseClone
	done, settling := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for v := range victims {
			if _, err := a.Append(ctx, victimEvents(v, clock.Now())); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			known.stored = v + 1
			mu.Unlock()
			if v%3 == 2 {
				continue // he stays
			}
			mu.Lock()
			known.started = v + 1
			mu.Unlock()
			if _, err := a.Erase(ctx, engine.EraseOptions{User: fmt.Sprint("victim ", v), Block: true}); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			known.erased = append(known.erased, v)
			mu.Unlock()
		}
	}()
	go func() {
		defer close(settling)
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				if err := db.Settle(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	var clones []eraseClone
	r := rand.New(rand.NewPCG(seed, 99))
	take := func() {
		mu.Lock()
		c := known
		c.erased = slices.Clone(known.erased)
		mu.Unlock()
		c.percent = []int{0, 0, 100, r.IntN(101)}[r.IntN(4)]
		c.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: rand.New(rand.NewPCG(r.Uint64(), 0))})
		mu.Lock()
		c.started = known.started
		mu.Unlock()
		clones = append(clones, c)
	}
	for running := true; running && len(clones) < 60; {
		select {
		case <-done:
			running = false
		case <-time.After(time.Duration(r.IntN(6)) * time.Millisecond):
			take()
		}
	}
	<-done
	<-settling
	take()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range clones {
		if err := c.check(opt, clock); err != nil {
			t.Fatalf("picture %d of %d, %d%% of unsynced data kept, %d stored, erased %v: %v", i, len(clones), c.percent, c.stored, c.erased, err)
		}
	}
}

// check opens the picture and compares it with what is known, also after what is left to be done has been.
func (c eraseClone) check(opt engine.Options, clock *enginetest.Clock) error {
	opt.FS = c.fs
	db, err := engine.Open("data", opt)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := db.Tenant("a")
	if err != nil {
		return err
	}
	for round := range 2 {
		if err := c.compare(a, clock, round == 1); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if _, err := db.Check(ctx); err != nil {
			return err
		}
		if err := db.Settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c eraseClone) compare(a *engine.Tenant, clock *enginetest.Clock, settled bool) error {
	got := make(map[string]int)
	snap := a.Snapshot()
	defer snap.Close()
	err := snap.Scan(context.Background(), engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
		if e.User == "" {
			return fmt.Errorf("%s has no user", e.ID)
		}
		got[e.User]++
		return nil
	})
	if err != nil {
		return err
	}
	for v := range c.stored {
		user := fmt.Sprint("victim ", v)
		receipt, err := a.ErasedUser(user)
		if err != nil {
			return err
		}
		_, known, err := snap.UserID(user)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(c.erased, v) && receipt == nil:
			return fmt.Errorf("no receipt of %s, whose erasure was acknowledged", user)
		case receipt != nil && (v%3 == 2 || v >= c.started):
			return fmt.Errorf("%s was never erased, receipt %+v", user, receipt)
		case receipt != nil && (got[user] > 0 || known):
			return fmt.Errorf("%s was erased and has %d events, known: %v", user, got[user], known)
		case receipt == nil && got[user] != 12:
			return fmt.Errorf("%s has %d events, want 12", user, got[user])
		case receipt != nil && (receipt.Events != 12 || settled && receipt.State != engine.ErasureErased):
			return fmt.Errorf("receipt %+v", receipt)
		}
		verdicts, err := a.Append(ctx, victimEvents(v, clock.Now()))
		if err != nil {
			return err
		}
		for i, v := range verdicts {
			want := engine.Duplicate
			if i%2 == 0 && receipt != nil {
				want = engine.Rejected
			}
			if v.Kind != want {
				return fmt.Errorf("event %d of %s sent again: %+v, want %v", i, user, v, want)
			}
		}
	}
	return nil
}

// TestFaultsOfErasures lets operations on the disk fail around an erasure: what was acknowledged holds.
func TestFaultsOfErasures(t *testing.T) {
	step := 3
	if testing.Short() {
		step = 17
	}
	for n := 0; ; n += step {
		hit, err := faultyErasure(t, int64(n))
		if err != nil {
			t.Fatalf("operation %d fails: %v", n, err)
		}
		if !hit {
			t.Logf("%d operations", n)
			return
		}
	}
}

func faultyErasure(t *testing.T, at int64) (hit bool, err error) {
	mem, clock := vfs.NewMem(), enginetest.NewClock()
	faults := newFaultFS(mem, at, false)
	opt := engine.Options{Now: clock.Now, FS: faults, NoBackground: true, BlockRows: 16, MemTableBytes: 256 << 10}
	c := eraseClone{}
	run := func() error {
		db, err := engine.Open("data", opt)
		if err != nil {
			return tolerate(err)
		}
		a, err := db.Tenant("a")
		if err != nil {
			return err
		}
		for v := range 3 {
			limit, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := a.Append(limit, victimEvents(v, clock.Now()))
			cancel()
			if err != nil {
				if err := tolerate(err); err != nil {
					return err
				}
				break
			}
			c.stored = v + 1
			if v == 1 {
				if err := tolerate(db.Settle(ctx)); err != nil {
					return err
				}
			}
			if v == 2 {
				break
			}
			c.started = v + 1
			if _, err := a.Erase(ctx, engine.EraseOptions{User: fmt.Sprint("victim ", v), Block: true}); err == nil {
				c.erased = append(c.erased, v)
			} else if err := tolerate(err); err != nil {
				return err
			}
		}
		if err := tolerate(db.Settle(ctx)); err != nil {
			return err
		}
		return tolerate(db.Close())
	}
	if err := run(); err != nil {
		return true, err
	}
	hit = faults.count.Load() > faults.at
	faults.off.Store(true)
	c.fs = copyFS(t, mem)
	return hit, c.check(opt, clock)
}
