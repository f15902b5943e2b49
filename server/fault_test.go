package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cairn/engine"
	"cairn/server/access"
	"cairn/server/api"
)

// weakDisk is a disk in memory that can be full, or slow to sync.
type weakDisk struct {
	*vfs.MemFS
	full atomic.Bool
	slow atomic.Int64 // nanoseconds
}

func (d *weakDisk) fs() vfs.FS {
	return errorfs.Wrap(d.MemFS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo {
			time.Sleep(time.Duration(d.slow.Load()))
		}
		if d.full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return &vfsError{syscall.ENOSPC}
		}
		return nil
	}))
}

type vfsError struct{ errno syscall.Errno }

func (e *vfsError) Error() string { return "disk: " + e.errno.Error() }
func (e *vfsError) Unwrap() error { return e.errno }

// acknowledge posts a batch and returns how many of its events were acknowledged.
func (f *fixture) acknowledge(t *testing.T, writer, n int) (status, ok int) {
	status, text, _, err := f.post("/v1/events", strings.Repeat(fmt.Sprintf(`{"event":"e","user":"u%d","n":%d}`+"\n", writer, n), 20))
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	var answer api.EventsAnswer
	if status == 200 {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Error(err)
		}
	}
	return status, answer.OK
}

// TestFullDisk fills the disk under load: nothing is acknowledged any more, reading goes on, and once
// there is room a restart finds every event that was acknowledged.
func TestFullDisk(t *testing.T) {
	disk := &weakDisk{MemFS: vfs.NewMem()}
	f := newFixtureOn(t, engine.Options{FS: disk.fs(), NoBackground: true}, Options{})
	f.mayFail = true
	acknowledged := 0
	for n := range 20 {
		_, ok := f.acknowledge(t, 1, n)
		acknowledged += ok
	}
	disk.full.Store(true)
	failed := 0
	for n := range 10 {
		status, ok := f.acknowledge(t, 2, n)
		if acknowledged += ok; status >= 500 {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no request fails on a full disk")
	}
	if n := f.count(t, "* | stats count() as n"); n < acknowledged {
		t.Errorf("%d events can be read on a full disk, %d were acknowledged", n, acknowledged)
	}
	if status, text, _, _ := f.get("/readyz"); status != 503 || !strings.Contains(text, "store failed") {
		t.Errorf("readiness after a failed write: %d %s", status, text)
	}
	if status, _, _, _ := f.get("/healthz"); status != 200 {
		t.Errorf("health after a failed write: %d", status)
	}
	disk.full.Store(false)
	_ = f.db.Close()
	db, err := engine.Open("data", engine.Options{FS: disk.fs(), NoBackground: true})
	if err != nil {
		t.Fatalf("open when there is room again: %v", err)
	}
	defer db.Close()
	tenant, err := db.Tenant(defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	if rows := snapshot.Rows(); rows < acknowledged || rows > acknowledged+10*20 || rows%20 != 0 {
		t.Errorf("%d events after the restart, %d were acknowledged", rows, acknowledged)
	}
}

// TestSlowDisk has many clients write to a disk that takes its time. Answers are late, or 429 before the
// store would have to wait; nothing that was acknowledged is lost, nothing is stored twice.
func TestSlowDisk(t *testing.T) {
	disk := &weakDisk{MemFS: vfs.NewMem()}
	f := newFixtureOn(t, engine.Options{FS: disk.fs(), HotBytes: 1 << 20, MemTableBytes: 256 << 10}, Options{})
	f.acknowledge(t, 0, 0)
	disk.slow.Store(int64(20 * time.Millisecond))
	var acknowledged, refused, answered atomic.Int64
	acknowledged.Store(20)
	var group sync.WaitGroup
	for w := range 32 {
		group.Go(func() {
			for n := range 30 {
				status, ok := f.acknowledge(t, w, n)
				acknowledged.Add(int64(ok))
				answered.Add(1)
				switch status {
				case 200:
				case 429:
					refused.Add(1)
					time.Sleep(20 * time.Millisecond)
				default:
					t.Errorf("status %d on a slow disk", status)
				}
			}
		})
	}
	group.Wait()
	disk.slow.Store(0)
	if n := f.count(t, "* | stats count() as n"); int64(n) != acknowledged.Load() {
		t.Errorf("%d events stored, %d acknowledged (%d of %d requests refused)", n, acknowledged.Load(), refused.Load(), answered.Load())
	}
	t.Logf("%d events, %d of %d requests refused", acknowledged.Load(), refused.Load(), answered.Load())
}

// TestPressureTurnsRequestsAway has the store be behind: events are refused before they would have to
// wait for it, by every protocol in its own way, and queries go on.
func TestPressureTurnsRequestsAway(t *testing.T) {
	f := newFixture(t, Options{})
	f.expect(t, "/v1/events", oneEvent, 200, "")
	f.pressure = func() float64 { return pressureMax }
	if header := f.expect(t, "/v1/events", oneEvent, 429, api.CodeOverloaded); header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	message := `{"batch":[{"type":"track","messageId":"m","userId":"u","event":"e"}],"writeKey":"k"}`
	status, _, header, err := f.post("/v1/batch", message)
	if err != nil || status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("Segment's batch: status %d, %v", status, err)
	}
	if n := f.count(t, "* | stats count() as n"); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	f.pressure = func() float64 { return pressureMax / 2 }
	f.expect(t, "/v1/events", oneEvent, 200, "")
	if status, _, _, err := f.post("/v1/batch", message); err != nil || status != 200 {
		t.Errorf("Segment's batch when the store has caught up: status %d, %v", status, err)
	}
}

// TestClockJumps sets the clock back and forth: repeats stay repeats, tokens do not come back to life,
// the rate limit does not lock anybody out, and every event keeps the time that it claims.
func TestClockJumps(t *testing.T) {
	var clock atomic.Int64
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock.Store(start.UnixNano())
	now := func() time.Time { return time.Unix(0, clock.Load()) }
	f := newFixtureOn(t, engine.Options{FS: vfs.NewMem(), NoBackground: true, Now: now},
		Options{Now: now, Limits: api.Limits{EventsPerSecond: 1000}})
	one := `{"event":"e","user":"u","id":"a","time":"2026-03-01T11:00:00Z"}`
	f.expect(t, "/v1/events", one, 200, "")
	for _, jump := range []time.Duration{-72 * time.Hour, 48 * time.Hour, -time.Second, 96 * time.Hour, -90 * time.Hour} {
		clock.Add(int64(jump))
		_, text, _, err := f.post("/v1/events", one)
		if err != nil || !strings.Contains(text, `"duplicate":1`) && !strings.Contains(text, `time_too_new`) {
			t.Errorf("after a jump of %v a repeat is answered %s, %v", jump, text, err)
		}
		f.expect(t, "/v1/events", `{"event":"without"}`, 200, "")
	}
	if n := f.count(t, "e | stats count() as n"); n != 1 {
		t.Errorf("%d events with one id", n)
	}
	if n := f.count(t, "without | stats count() as n"); n != 5 {
		t.Errorf("%d events without a time, want 5", n)
	}
	// A token that has expired, and is good again when the clock is put back, is the same token.
	clock.Store(start.UnixNano())
	_, text, err := f.tokens.Create(access.Token{Tenant: "shop", Scopes: access.Ingest, Expires: start.Add(time.Hour)}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Duration
		good bool
	}{{0, true}, {time.Hour, false}, {59 * time.Minute, true}, {-time.Hour, true}} {
		clock.Store(start.Add(c.at).UnixNano())
		if got := f.tokens.Find(text) != nil; got != c.good {
			t.Errorf("at %v the token is good: %v", c.at, got)
		}
	}
}
