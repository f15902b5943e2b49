package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

// machine runs an engine beside a plain model of it.
type machine struct {
	fs      *vfs.MemFS
	clock   *enginetest.Clock
	opt     engine.Options
	db      *engine.DB
	tenants map[string]*modelTenant
	gen     *enginetest.Generator
	open    []openSnapshot
}

type modelTenant struct {
	*enginetest.Model
	retention int
	expired   map[string]map[string]bool // users by event name, of dropped days
	erased    []engine.Erasure
	blocked   map[string]bool
}

// openSnapshot is a snapshot with what it must show as long as it is open.
type openSnapshot struct {
	tenant string
	snap   *engine.Snapshot
	want   []event.Event
}

func (m *machine) tenant(t *rapid.T) (*modelTenant, *engine.Tenant) {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tenant")
	a, err := m.db.Tenant(name)
	if err != nil {
		t.Fatal(err)
	}
	if m.tenants[name] == nil {
		m.tenants[name] = &modelTenant{Model: enginetest.NewModel(), expired: map[string]map[string]bool{}, blocked: map[string]bool{}}
	}
	return m.tenants[name], a
}

// cutoff is the first instant that the tenant keeps.
func (m *modelTenant) cutoff(now time.Time) int64 {
	if m.retention == 0 {
		return -1 << 63
	}
	return now.UTC().Truncate(24*time.Hour).UnixNano() - int64(m.retention)*24*int64(time.Hour)
}

// expire drops the days that are past retention.
func (m *modelTenant) expire(now time.Time) {
	cutoff := m.cutoff(now)
	m.Events = slices.DeleteFunc(m.Events, func(e event.Event) bool {
		if e.Time >= cutoff {
			return false
		}
		if e.User != "" {
			if m.expired[e.Name] == nil {
				m.expired[e.Name] = map[string]bool{}
			}
			m.expired[e.Name][e.User] = true
		}
		return true
	})
}

func (m *machine) appendEvents(t *rapid.T) {
	model, a := m.tenant(t)
	events := m.gen.Events(rapid.SampledFrom([]int{1, 3, 40, 300}).Draw(t, "events"), m.clock.Now())
	cutoff := model.cutoff(m.clock.Now())
	kept := slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Time < cutoff || model.blocked[e.User] })
	want := model.Append(kept, m.clock.Now())
	verdicts, err := a.Append(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if model.blocked[events[i].User] {
			if v.Reason != engine.ReasonUserErased {
				t.Fatalf("event %d: %+v, wanted user erased", i, v)
			}
			continue
		}
		if events[i].Time < cutoff {
			if v.Reason != engine.ReasonTimeTooOld {
				t.Fatalf("event %d: %+v, wanted too old", i, v)
			}
			continue
		}
		if v.Kind != want[0] {
			t.Fatalf("event %d %s: %+v, want %v", i, enginetest.Text(&events[i]), v, want[0])
		}
		want = want[1:]
	}
}

// erase erases a user, who may be one that nobody has seen.
func (m *machine) erase(t *rapid.T) {
	model, a := m.tenant(t)
	user := fmt.Sprintf("user-%d", rapid.IntRange(0, m.gen.Users).Draw(t, "user"))
	events, days := 0, map[int64]bool{}
	for _, e := range model.Events {
		if e.User == user {
			events++
			days[e.Time/int64(24*time.Hour)] = true
		}
	}
	opt := engine.EraseOptions{User: user, Block: rapid.IntRange(0, 3).Draw(t, "block") == 0}
	e, err := a.Erase(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	if e.Number != uint64(len(model.erased))+1 || e.Events != int64(events) || e.Days != len(days) || e.State != engine.ErasureHidden {
		t.Fatalf("receipt %+v of %d events of %d days", e, events, len(days))
	}
	model.erased = append(model.erased, *e)
	model.blocked[user] = model.blocked[user] || opt.Block
	model.Events = slices.DeleteFunc(model.Events, func(e event.Event) bool { return e.User == user })
	for _, users := range model.expired {
		delete(users, user)
	}
	for _, s := range m.open {
		for i := range s.want {
			if s.tenant == a.Name() && s.want[i].User == user {
				s.want[i].User = "" // who he was nobody knows
			}
		}
	}
}

// checkReceipts compares the receipts with those that were given. Settled says that all are complete.
func (m *machine) checkReceipts(t *rapid.T, settled bool) {
	for name, model := range m.tenants {
		a, err := m.db.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		receipts, err := a.Erasures()
		if err != nil || len(receipts) != len(model.erased) {
			t.Fatalf("%d receipts, want %d: %v", len(receipts), len(model.erased), err)
		}
		for i, r := range receipts {
			if settled && r.State != engine.ErasureErased {
				t.Fatalf("an erasure is not complete: %+v", r)
			}
			want := model.erased[i]
			if want.State == engine.ErasureErased && want != r {
				t.Fatalf("receipt %+v was %+v", r, want)
			}
			model.erased[i] = r
			r.State, r.Erased = want.State, want.Erased
			if r != want {
				t.Fatalf("receipt %+v was %+v", r, want)
			}
		}
	}
}

func (m *machine) settle(t *rapid.T) {
	if err := m.db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	for _, model := range m.tenants {
		model.expire(m.clock.Now())
	}
}

func (m *machine) reopen(t *rapid.T) {
	m.closeSnapshots(t)
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := engine.Open("data", m.opt)
	if err != nil {
		t.Fatal(err)
	}
	m.db = db
}

func (m *machine) closeSnapshots(t *rapid.T) {
	for _, s := range m.open {
		var got []event.Event
		err := s.snap.Scan(ctx, engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
			got = append(got, *e)
			return nil
		})
		if err != nil {
			t.Fatalf("old snapshot: %v", err)
		}
		if !slices.Equal(enginetest.Texts(got), enginetest.Texts(s.want)) {
			t.Fatalf("an old snapshot shows %d events, %d wanted", len(got), len(s.want))
		}
		s.snap.Close()
	}
	m.open = nil
}

func (m *machine) check(t *rapid.T) {
	m.checkReceipts(t, false)
	for name, model := range m.tenants {
		a, err := m.db.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		snap := a.Snapshot()
		var got []event.Event
		var last *event.Event
		err = snap.Scan(ctx, engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
			if last != nil && last.Time > e.Time {
				return fmt.Errorf("scan goes back in time")
			}
			last = e
			got = append(got, *e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		g, w := enginetest.Texts(got), enginetest.Texts(model.Events)
		if !slices.Equal(g, w) {
			t.Fatalf("tenant %s: %d events stored, %d wanted", name, len(g), len(w))
		}
		if snap.Rows() != len(w) {
			t.Fatalf("Rows says %d, %d are stored", snap.Rows(), len(w))
		}
		for event, users := range model.expired {
			bitmap, err := snap.ExpiredUsers(event)
			if err != nil {
				t.Fatal(err)
			}
			names, err := snap.UserNames(bitmap.ToArray())
			if err != nil {
				t.Fatal(err)
			}
			if len(names) != len(users) {
				t.Fatalf("%d expired users of %s, want %d", len(names), event, len(users))
			}
			for _, name := range names {
				if !users[name] {
					t.Fatalf("%q is not an expired user of %s", name, event)
				}
			}
		}
		snap.Close()
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{fs: vfs.NewMem(), clock: enginetest.NewClock(), tenants: map[string]*modelTenant{}}
		m.gen = enginetest.NewGenerator(rapid.Uint64().Draw(t, "seed"))
		m.gen.Days = 4
		m.opt = engine.Options{
			FS: m.fs, Now: m.clock.Now, NoBackground: true, MemTableBytes: 256 << 10,
			BlockRows:        rapid.SampledFrom([]int{16, 64, 0}).Draw(t, "block rows"),
			HotBytes:         rapid.SampledFrom([]int64{50_000, 500_000, 0}).Draw(t, "hot bytes"),
			UserCacheEntries: rapid.SampledFrom([]int{1, 0}).Draw(t, "user cache"),
			CacheBytes:       rapid.SampledFrom([]int64{1, 1 << 20, 0}).Draw(t, "cache"),
		}
		db, err := engine.Open("data", m.opt)
		if err != nil {
			t.Fatal(err)
		}
		m.db = db
		defer func() {
			if m.db != nil {
				_ = m.db.Close()
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"append":  m.appendEvents,
			"append2": m.appendEvents,
			"settle":  m.settle,
			"erase":   m.erase,
			"reopen":  m.reopen,
			"check":   m.check,
			"advance": func(t *rapid.T) {
				m.clock.Advance(time.Duration(rapid.IntRange(1, 90).Draw(t, "hours")) * time.Hour)
			},
			"snapshot": func(t *rapid.T) {
				_, a := m.tenant(t)
				var got []event.Event
				snap := a.Snapshot()
				err := snap.Scan(ctx, engine.ScanOptions{Range: event.AllTime}, func(e *event.Event) error {
					got = append(got, *e)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				m.open = append(m.open, openSnapshot{a.Name(), snap, got})
			},
			"retention": func(t *rapid.T) {
				model, a := m.tenant(t)
				model.retention = rapid.SampledFrom([]int{0, 2, 5, 12}).Draw(t, "days")
				if err := a.Configure(engine.Settings{RetentionDays: model.retention, WeekStart: time.Monday}); err != nil {
					t.Fatal(err)
				}
			},
		})
		m.settle(t)
		m.check(t)
		m.closeSnapshots(t)
		m.settle(t) // snapshots kept files of erased users
		m.check(t)
		m.checkReceipts(t, true)
		if _, err := m.db.Check(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
