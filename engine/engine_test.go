package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

var ctx = context.Background()

func open(t testing.TB, fs vfs.FS, opt engine.Options) *engine.DB {
	t.Helper()
	opt.FS = fs
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func tenant(t testing.TB, db *engine.DB, name string) *engine.Tenant {
	t.Helper()
	out, err := db.Tenant(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func appendAll(t testing.TB, to *engine.Tenant, events []event.Event) []engine.Verdict {
	t.Helper()
	verdicts, err := to.Append(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

func checkAll(t testing.TB, db *engine.DB) {
	t.Helper()
	if _, err := db.Check(ctx); err != nil {
		t.Fatalf("check: %v", err)
	}
}

func TestAppendSettleReopen(t *testing.T) {
	fs, clock := vfs.NewMem(), enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, NoBackground: true, BlockRows: 64}
	db := open(t, fs, opt)
	g, model := enginetest.NewGenerator(1), enginetest.NewModel()
	for range 10 {
		events := g.Events(300, clock.Now())
		want := model.Append(events, clock.Now())
		for i, v := range appendAll(t, tenant(t, db, "a"), events) {
			if v.Kind != want[i] {
				t.Fatalf("event %d: %v, want %v", i, v, want[i])
			}
		}
		clock.Advance(time.Minute)
	}
	enginetest.Compare(t, tenant(t, db, "a"), model.Events)
	reopen := func() {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open(t, fs, opt)
		enginetest.Compare(t, tenant(t, db, "a"), model.Events)
		checkAll(t, db)
	}
	reopen()
	for range 2 {
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		enginetest.Compare(t, tenant(t, db, "a"), model.Events)
		reopen()
	}
	stats, err := tenant(t, db, "a").Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Rows != len(model.Events) || stats.HotRows != 0 || stats.Runs != stats.Partitions {
		t.Errorf("after settling: %+v", stats)
	}
	// The same again: every event with an id is a duplicate.
	again := append([]event.Event(nil), model.Events...)
	want := model.Append(again, clock.Now())
	for i, v := range appendAll(t, tenant(t, db, "a"), again) {
		if v.Kind != want[i] {
			t.Fatalf("repeated event %d %+v: %v, want %v", i, again[i], v, want[i])
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestVerdicts(t *testing.T) {
	clock := enginetest.NewClock()
	db := open(t, vfs.NewMem(), engine.Options{Now: clock.Now})
	defer db.Close()
	now := clock.Now().UnixNano()
	a := tenant(t, db, "a")
	if err := a.Configure(engine.Settings{RetentionDays: 10, WeekStart: time.Monday}); err != nil {
		t.Fatal(err)
	}
	long := string(make([]byte, 2000))
	day := 24 * int64(time.Hour)
	events := []event.Event{
		{Time: now, Name: "ok"},
		{Time: now},
		{Time: now + day + 1, Name: "new"},
		{Time: now + day, Name: "not too new"},
		{Time: now - 12*day, Name: "old"},
		{Time: now, Name: long},
		{Time: now, Name: "user", User: long},
		{Time: now, Name: "id", ID: long},
		{Time: now, Name: "twice", Fields: []event.Field{{Name: "x", Value: event.Int(1)}, {Name: "x", Value: event.Int(2)}}},
		{Time: now, Name: "kind", Fields: []event.Field{{Name: "x", Value: event.Time(1)}}},
		{Time: now, Name: "first", ID: "1"},
		{Time: now - 5*day, Name: "second", ID: "1"},
		{Time: now, Name: "ok too"},
	}
	want := []string{"", "bad_event", "time_too_new", "", "time_too_old", "name_too_long", "user_too_long", "id_too_long", "duplicate_field", "bad_event", "", "duplicate", ""}
	stored := []event.Event{events[0], events[3], events[10], events[12]}
	for i, v := range appendAll(t, a, events) {
		got := v.Reason
		if v.Kind == engine.Duplicate {
			got = "duplicate"
		}
		if got != want[i] {
			t.Errorf("event %d (%s): %+v, want %q", i, events[i].Name, v, want[i])
		}
	}
	enginetest.Compare(t, a, stored)
}

func TestDedupWindow(t *testing.T) {
	for _, seal := range []bool{false, true} {
		clock := enginetest.NewClock()
		db := open(t, vfs.NewMem(), engine.Options{Now: clock.Now, NoBackground: true})
		a := tenant(t, db, "a")
		send := func(want engine.VerdictKind) {
			t.Helper()
			e := event.Event{Time: clock.Now().UnixNano(), Name: "x", ID: "same"}
			if v := appendAll(t, a, []event.Event{e}); v[0].Kind != want {
				t.Fatalf("seal=%v: %v, want %v", seal, v[0], want)
			}
			if seal {
				if err := db.Settle(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		send(engine.OK)
		clock.Advance(7 * 24 * time.Hour)
		send(engine.Duplicate)
		clock.Advance(time.Millisecond)
		send(engine.OK)
		clock.Advance(6 * 24 * time.Hour)
		send(engine.Duplicate)
		clock.Advance(30 * time.Hour) // all days are closed: settled, they share a segment
		if err := db.Settle(ctx); err != nil {
			t.Fatal(err)
		}
		clock.Advance(-25 * time.Hour)
		send(engine.Duplicate)
		db.Close()
	}
}

func TestTenantsAreApart(t *testing.T) {
	fs, clock := vfs.NewMem(), enginetest.NewClock()
	db := open(t, fs, engine.Options{Now: clock.Now})
	models := map[string]*enginetest.Model{}
	g := enginetest.NewGenerator(3)
	for i := range 40 {
		name := fmt.Sprintf("tenant %d", i%5)
		if models[name] == nil {
			models[name] = enginetest.NewModel()
		}
		events := g.Events(50, clock.Now())
		models[name].Append(events, clock.Now())
		appendAll(t, tenant(t, db, name), events)
	}
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.DropTenant("tenant 3"); err != nil {
		t.Fatal(err)
	}
	models["tenant 3"] = enginetest.NewModel()
	for name, m := range models {
		enginetest.Compare(t, tenant(t, db, name), m.Events)
	}
	checkAll(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs, engine.Options{Now: clock.Now})
	defer db.Close()
	if got := fmt.Sprint(db.Tenants()); got != "[tenant 0 tenant 1 tenant 2 tenant 4]" {
		t.Errorf("tenants: %s", got)
	}
	for name, m := range models {
		enginetest.Compare(t, tenant(t, db, name), m.Events)
	}
}

func TestOpenErrors(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, fs, engine.Options{})
	a := tenant(t, db, "a")
	if _, err := engine.Open("data", engine.Options{FS: fs}); !errors.Is(err, engine.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append(ctx, []event.Event{{Name: "x"}}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	write(t, fs, "data/CAIRN", fmt.Sprintf("cairn format %d\n", engine.FormatVersion+1))
	if _, err := engine.Open("data", engine.Options{FS: fs}); !errors.Is(err, engine.ErrNewerFormat) {
		t.Errorf("newer format: %v", err)
	}
	if err := fs.MkdirAll("other", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, fs, "other/photo.jpg", "x")
	if _, err := engine.Open("other", engine.Options{FS: fs}); !errors.Is(err, engine.ErrNotCairn) {
		t.Errorf("foreign directory: %v", err)
	}
}

func write(t *testing.T, fs vfs.FS, name, text string) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
