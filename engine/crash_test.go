package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// seed returns the seed of a random test: CAIRN_SEED, or one from the clock, which it prints.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("CAIRN_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s = n
	}
	t.Logf("CAIRN_SEED=%d", s)
	return s
}

// batchEvents are the events of one append in a crash test; their ids tell batch and index.
func batchEvents(r *rand.Rand, batch int, now time.Time) []event.Event {
	out := make([]event.Event, 1+r.IntN(40))
	for i := range out {
		out[i] = event.Event{
			Time: now.UnixNano() - r.Int64N(3*24*int64(time.Hour)), Name: fmt.Sprintf("e%d", r.IntN(4)),
			User: fmt.Sprintf("user %d", r.IntN(30)), ID: fmt.Sprintf("%d/%d", batch, i),
			Fields: []event.Field{{Name: "batch", Value: event.Int(int64(batch))}, {Name: "text", Value: event.String(fmt.Sprint("text ", r.IntN(9)))}},
		}
	}
	return out
}

// TestCrash appends from two goroutines while a third seals, merges and takes pictures of the disk as
// a power cut would leave it. In each picture every acknowledged event is there, and every other one
// is as it was sent or absent; and it takes what is sent again without storing anything twice.
func TestCrash(t *testing.T) {
	s := seed(t)
	for round := range 6 {
		t.Run(fmt.Sprint(round), func(t *testing.T) { crashRound(t, s+uint64(round)) })
	}
}

type crashClone struct {
	fs      *vfs.MemFS
	percent int
	acked   []int // batches acknowledged before the picture was begun
}

func crashRound(t *testing.T, seed uint64) {
	fs, clock := vfs.NewCrashableMem(), enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: fs, BlockRows: 64, HotBytes: 64 << 10, MemTableBytes: 256 << 10}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a := tenant(t, db, "a")
	const batches = 120
	var mu sync.Mutex
	sent := make(map[int][]event.Event)
	var acked []int
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(w)))
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := int(next.Add(1)); n <= batches; n = int(next.Add(1)) {
				events := batchEvents(r, n, clock.Now())
				mu.Lock()
				sent[n] = events
				mu.Unlock()
				verdicts, err := a.Append(ctx, events)
				if err != nil {
					t.Error(err)
					return
				}
				for i, v := range verdicts {
					if v.Kind != engine.OK {
						t.Errorf("event %d: %+v", i, v)
					}
				}
				mu.Lock()
				acked = append(acked, n)
				mu.Unlock()
			}
		}()
	}
	var clones []crashClone
	r := rand.New(rand.NewPCG(seed, 99))
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	take := func() {
		mu.Lock()
		c := crashClone{acked: slices.Clone(acked), percent: []int{0, 0, 100, r.IntN(101)}[r.IntN(4)]}
		mu.Unlock()
		c.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: rand.New(rand.NewPCG(r.Uint64(), 0))})
		clones = append(clones, c)
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(time.Duration(r.IntN(15)) * time.Millisecond):
			take()
			if r.IntN(6) == 0 {
				settling := make(chan error, 1)
				go func() { settling <- db.Settle(ctx) }()
				for range 3 {
					time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
					take()
				}
				if err := <-settling; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	take()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	take()
	for i, c := range clones {
		if err := c.check(sent, opt, i%3 == 0); err != nil {
			t.Fatalf("picture %d of %d, %d%% of unsynced data kept, %d batches acknowledged: %v", i, len(clones), c.percent, len(c.acked), err)
		}
	}
}

// check opens the picture and compares it with what was sent.
func (c crashClone) check(sent map[int][]event.Event, opt engine.Options, again bool) error {
	opt.FS = c.fs
	opt.NoBackground = true
	db, err := engine.Open("data", opt)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := db.Tenant("a")
	if err != nil {
		return err
	}
	verify := func(all bool) error {
		want := make(map[string]string) // text by id
		for _, events := range sent {
			for i := range events {
				want[events[i].ID] = enginetest.Text(&events[i])
			}
		}
		got := make(map[string]bool)
		snap := a.Snapshot()
		defer snap.Close()
		err := snap.Scan(ctx, engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
			if got[e.ID] {
				return fmt.Errorf("%s is stored twice", e.ID)
			}
			got[e.ID] = true
			if want[e.ID] != enginetest.Text(e) {
				return fmt.Errorf("stored %s, sent %s", enginetest.Text(e), want[e.ID])
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, n := range c.acked {
			for i := range sent[n] {
				if !got[sent[n][i].ID] {
					return fmt.Errorf("acknowledged event %s is lost", sent[n][i].ID)
				}
			}
		}
		if all && len(got) != len(want) {
			return fmt.Errorf("%d events stored, %d wanted", len(got), len(want))
		}
		return nil
	}
	if err := verify(false); err != nil {
		return err
	}
	if _, err := db.Check(ctx); err != nil {
		return err
	}
	if !again {
		return nil
	}
	if err := db.Settle(ctx); err != nil {
		return err
	}
	for _, events := range sent {
		if _, err := a.Append(ctx, events); err != nil {
			return err
		}
	}
	if err := verify(true); err != nil {
		return err
	}
	if err := db.Settle(ctx); err != nil {
		return err
	}
	if _, err := db.Check(ctx); err != nil {
		return err
	}
	return verify(true)
}

// TestFaults lets each write to the disk fail once, one after the other, and then every one from some
// point on, as a full disk would. No acknowledged event may be lost, and every call returns.
func TestFaults(t *testing.T) {
	for _, forGood := range []bool{false, true} {
		step := 1
		for n := 0; ; n += step {
			hit, err := faultRound(t, int64(n), forGood)
			if err != nil {
				t.Fatalf("operation %d fails, for good: %v: %v", n, forGood, err)
			}
			if !hit {
				t.Logf("%d operations, for good: %v", n, forGood)
				break
			}
			if n > 60 {
				step = 7
			}
			if testing.Short() {
				step = 29
			}
		}
	}
}

var errInjected = errors.New("injected: no space left on device")

func faultRound(t *testing.T, at int64, forGood bool) (hit bool, err error) {
	mem := vfs.NewMem()
	faults := newFaultFS(mem, at, forGood)
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: faults, NoBackground: true, BlockRows: 64, MemTableBytes: 256 << 10}
	sent, acked := make(map[int][]event.Event), []int{}
	run := func() error {
		db, err := engine.Open("data", opt)
		if err != nil {
			return tolerate(err)
		}
		a, err := db.Tenant("a")
		if err != nil {
			return err
		}
		r := rand.New(rand.NewPCG(7, 7))
		for n := range 12 {
			events := batchEvents(r, n, clock.Now())
			sent[n] = events
			limit, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := a.Append(limit, events)
			cancel()
			if err == nil {
				acked = append(acked, n)
			} else if err := tolerate(err); err != nil {
				return err
			}
			if n%4 == 3 {
				if err := tolerate(db.Settle(ctx)); err != nil {
					return err
				}
			}
		}
		return tolerate(db.Close())
	}
	if err := run(); err != nil {
		return true, err
	}
	hit = faults.count.Load() > faults.at
	faults.off.Store(true)
	// What is on disk is what another process would find.
	c := crashClone{fs: copyFS(t, mem), acked: acked}
	opt.FS = c.fs
	return hit, c.check(sent, opt, true)
}

// tolerate lets errors pass that tell of the injected fault.
func tolerate(err error) error {
	if err == nil || errors.Is(err, errInjected) || errors.Is(err, engine.ErrFailed) || strings.Contains(err.Error(), errInjected.Error()) {
		return nil
	}
	return fmt.Errorf("unexpected error: %w", err)
}
