package engine_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

func erase(t testing.TB, a *engine.Tenant, opt engine.EraseOptions) *engine.Erasure {
	t.Helper()
	e, err := a.Erase(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func without(events []event.Event, user string) []event.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.User == user })
}

// eventsOf returns the events of a user.
func eventsOf(events []event.Event, user string) []event.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.User != user })
}

func settle(t testing.TB, db *engine.DB) {
	t.Helper()
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// openAgain closes a directory and opens it.
func openAgain(t testing.TB, db *engine.DB, opt engine.Options) *engine.DB {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// An erased user is gone from everything that can be asked, at once, after a restart and once his rows are
// off the disk; another user of his name begins anew.
func TestErase(t *testing.T) {
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true, BlockRows: 16}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	a := tenant(t, db, "a")
	gen := enginetest.NewGenerator(5)
	gen.Repeats = 0
	var events []event.Event
	for range 3 {
		some := gen.Events(300, clock.Now())
		appendAll(t, a, some)
		events = append(events, some...)
		settle(t, db)
	}
	some := gen.Events(300, clock.Now())
	appendAll(t, a, some)
	events = append(events, some...)

	const user = "user-7"
	old := a.Snapshot()
	number, _, err := old.UserID(user)
	if err != nil || number == 0 {
		t.Fatal(number, err)
	}
	days := map[int64]bool{}
	for _, e := range eventsOf(events, user) {
		days[e.Time/(24*int64(time.Hour))] = true
	}
	clock.Advance(time.Minute)
	e := erase(t, a, engine.EraseOptions{User: user, By: "token 4f2a"})
	hash := sha256.Sum256([]byte(user))
	want := engine.Erasure{
		Number: 1, UserSHA256: hex.EncodeToString(hash[:]), Requested: clock.Now().UTC(), Hidden: clock.Now().UTC(), By: "token 4f2a",
		Events: int64(len(eventsOf(events, user))), Days: len(days), UpTo: e.UpTo, State: engine.ErasureHidden,
	}
	if *e != want {
		t.Errorf("receipt %+v, want %+v", *e, want)
	}
	left := without(events, user)
	gone := func(state string) {
		t.Helper()
		a = tenant(t, db, "a")
		enginetest.Compare(t, a, left)
		snap := a.Snapshot()
		defer snap.Close()
		if id, ok, err := snap.UserID(user); ok || err != nil {
			t.Errorf("he is user %d, %v", id, err)
		}
		if names, err := snap.UserNames([]uint32{number}); err != nil || names[0] != "" {
			t.Errorf("his number has the name %q, %v", names, err)
		}
		if snap.Rows() != len(left) {
			t.Errorf("%d rows, want %d", snap.Rows(), len(left))
		}
		if e.UpTo != fmt.Sprintf("0:%d", snap.Sequence()) && snap.Sequence() == 0 {
			t.Errorf("the snapshot's sequence is %d, the erasure is up to %s", snap.Sequence(), e.UpTo)
		}
		receipt, err := a.Erasure(1)
		if err != nil || receipt == nil || receipt.State != state || receipt.Erased.IsZero() != (state == engine.ErasureHidden) {
			t.Errorf("receipt %+v, %v, want the state %s", receipt, err, state)
		}
		if latest, err := a.ErasedUser(user); err != nil || *latest != *receipt {
			t.Errorf("receipt by name: %+v, %v", latest, err)
		}
		if all, err := a.Erasures(); err != nil || len(all) != 1 || all[0] != *receipt {
			t.Errorf("receipts %+v, %v", all, err)
		}
		checkAll(t, db)
	}
	gone(engine.ErasureHidden)
	if old.ID() == a.Snapshot().ID() {
		t.Error("a snapshot before the erasure and one after it have the same ID")
	}
	if got := enginetest.DumpSnapshot(t, old, event.AllTime); len(got) != len(events) || len(eventsOf(got, user)) > 0 {
		t.Errorf("the old snapshot has %d events, %d of them by name; want %d of a user without a name", len(got), len(eventsOf(got, user)), len(events))
	}
	old.Close()
	db = openAgain(t, db, opt)
	gone(engine.ErasureHidden)
	settle(t, db)
	gone(engine.ErasureErased)
	db = openAgain(t, db, opt)
	gone(engine.ErasureErased)

	later := event.Event{Time: clock.Now().UnixNano(), Name: "back", User: user}
	appendAll(t, a, []event.Event{later})
	enginetest.Compare(t, a, append(left, later))
	snap := a.Snapshot()
	defer snap.Close()
	if id, ok, err := snap.UserID(user); !ok || id == number || err != nil {
		t.Errorf("the later user is number %d, %v, %v; the one before was %d", id, ok, err, number)
	}
	if e, err := a.ErasedUser("nobody"); e != nil || err != nil {
		t.Errorf("a receipt of nobody: %v, %v", e, err)
	}
	if e, err := a.Erasure(2); e != nil || err != nil {
		t.Errorf("a receipt that was not given: %v, %v", e, err)
	}
	if _, err := a.Erase(ctx, engine.EraseOptions{}); err == nil {
		t.Error("an erasure of no user")
	}
}

// An erasure is complete only when no snapshot of before needs the old files any more.
func TestErasureWaitsForSnapshots(t *testing.T) {
	opt := engine.Options{FS: vfs.NewMem(), NoBackground: true}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	a := tenant(t, db, "a")
	var events []event.Event
	for i := range 6000 { // enough for chunks
		events = append(events, event.Event{Time: time.Now().UnixNano() - int64(i), Name: "x", User: fmt.Sprint(i % 3)})
	}
	appendAll(t, a, events)
	settle(t, db)
	state := func(want string) {
		t.Helper()
		settle(t, db)
		if e := must(a.Erasure(1)); e.State != want {
			t.Errorf("state %s, want %s", e.State, want)
		}
		enginetest.Compare(t, a, without(events, "1"))
	}
	old := a.Snapshot()
	erase(t, a, engine.EraseOptions{User: "1"})
	newer := a.Snapshot()
	state(engine.ErasureHidden)
	state(engine.ErasureHidden)
	for _, snap := range []*engine.Snapshot{old, newer} {
		want := 6000
		if snap == newer {
			want = 4000
		}
		if got := enginetest.DumpSnapshot(t, snap, event.AllTime); len(got) != want {
			t.Errorf("%d events, want %d", len(got), want)
		}
	}
	old.Close()
	state(engine.ErasureHidden)
	newer.Close() // it hides the rows, but reads the old files too
	state(engine.ErasureErased)
	checkAll(t, db)
}

// Events of a blocked user are rejected, whatever becomes of the engine; nothing of his name is kept.
func TestBlockedUser(t *testing.T) {
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	a := tenant(t, db, "a")
	at := func(user, name string) event.Event {
		return event.Event{Time: clock.Now().UnixNano(), User: user, Name: name}
	}
	appendAll(t, a, []event.Event{at("x", "a"), at("y", "a")})
	erase(t, a, engine.EraseOptions{User: "x", Block: true})
	erase(t, a, engine.EraseOptions{User: "never seen", Block: true})
	erase(t, a, engine.EraseOptions{User: "x"}) // he stays blocked
	want := []event.Event{at("y", "a")}
	for round := range 3 {
		a = tenant(t, db, "a")
		verdicts, err := a.Append(ctx, []event.Event{at("x", "b"), at("y", "b"), at("never seen", "b"), at("", "b")})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, at("y", "b"), at("", "b"))
		for i, v := range verdicts {
			refused := i%2 == 0
			if (v.Kind == engine.Rejected) != refused || refused && (v.Reason != engine.ReasonUserErased || v.Field != "user") {
				t.Fatalf("round %d, event %d: %+v", round, i, v)
			}
		}
		enginetest.Compare(t, a, want)
		settle(t, db)
		enginetest.Compare(t, a, want)
		checkAll(t, db)
		db = openAgain(t, db, opt)
	}
	a = tenant(t, db, "a")
	if e, err := a.ErasedUser("never seen"); err != nil || e == nil || e.Number != 2 || e.State != engine.ErasureErased || e.Events != 0 || !e.Blocked {
		t.Errorf("receipt %+v, %v", e, err)
	}
	if e, err := a.ErasedUser("x"); err != nil || e == nil || e.Number != 3 {
		t.Errorf("receipt %+v, %v", e, err)
	}
	if users := a.Snapshot().UserCount(); users != 2 {
		t.Errorf("%d users have a number, want 2", users)
	}
}

// Whoever appends while a user is erased and blocked, no event of his is seen once Erase has returned.
func TestBlockWhileAppending(t *testing.T) {
	db := open(t, vfs.NewMem(), engine.Options{})
	a := tenant(t, db, "a")
	now := time.Now().UnixNano()
	var stop atomic.Bool
	var wait sync.WaitGroup
	var stored atomic.Int64
	for w := range 3 {
		wait.Go(func() {
			for n := 0; !stop.Load(); n++ {
				users := []string{"victim", "other"}
				if n%7 == 0 {
					users = users[:1]
				}
				var events []event.Event
				for i, user := range users {
					events = append(events, event.Event{Time: now - int64(i)*int64(time.Hour)*25, Name: "x", User: user, ID: fmt.Sprint(w, n, i)})
				}
				verdicts, err := a.Append(ctx, events)
				if err != nil {
					t.Error(err)
					return
				}
				if len(verdicts) > 1 && verdicts[1].Kind != engine.OK {
					t.Errorf("another user: %+v", verdicts[1])
				}
				if v := verdicts[0]; v.Kind != engine.OK && v.Reason != engine.ReasonUserErased {
					t.Errorf("the victim: %+v", v)
				}
				stored.Add(int64(len(verdicts) - 1))
			}
		})
	}
	time.Sleep(30 * time.Millisecond)
	erase(t, a, engine.EraseOptions{User: "victim", Block: true})
	for range 20 {
		if got := enginetest.Dump(t, a); len(eventsOf(got, "victim")) > 0 || len(eventsOf(got, "")) > 0 {
			t.Fatal("an event of an erased and blocked user")
		}
	}
	stop.Store(true)
	wait.Wait()
	for range 2 {
		if got := enginetest.Dump(t, a); int64(len(got)) != stored.Load() || len(eventsOf(got, "other")) != len(got) {
			t.Fatalf("%d events, want %d", len(got), stored.Load())
		}
		settle(t, db)
	}
	checkAll(t, db)
}

// An insert id stays known when its event is erased: what is sent again is a duplicate, within the window.
func TestIDsOfErasedEvents(t *testing.T) {
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true, DedupWindow: 48 * time.Hour}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	add := func(id string, want engine.VerdictKind) {
		t.Helper()
		verdicts, err := tenant(t, db, "a").Append(ctx, []event.Event{{Time: clock.Now().UnixNano(), Name: "x", User: "x", ID: id}})
		if err != nil || verdicts[0].Kind != want {
			t.Fatalf("%s: %+v, %v, want %v", id, verdicts, err, want)
		}
	}
	for _, id := range []string{"sealed", "sealed too"} {
		add(id, engine.OK)
	}
	settle(t, db)
	add("hot", engine.OK)
	erase(t, tenant(t, db, "a"), engine.EraseOptions{User: "x"})
	for range 3 {
		for _, id := range []string{"sealed", "sealed too", "hot"} {
			add(id, engine.Duplicate)
		}
		settle(t, db)
		db = openAgain(t, db, opt)
	}
	enginetest.Compare(t, tenant(t, db, "a"), nil)
	// A repeat among new events does not make him known again.
	other := event.Event{Time: clock.Now().UnixNano(), Name: "x", User: "y"}
	kinds := appendAllKinds(t, tenant(t, db, "a"), []event.Event{{Time: clock.Now().UnixNano(), Name: "x", User: "x", ID: "hot"}, other})
	if kinds[0] != engine.Duplicate || kinds[1] != engine.OK {
		t.Fatal(kinds)
	}
	for range 2 {
		snap := tenant(t, db, "a").Snapshot()
		if _, known, err := snap.UserID("x"); known || err != nil || snap.UserCount() != 2 {
			t.Errorf("known %v, %d users, %v", known, snap.UserCount(), err)
		}
		snap.Close()
		enginetest.Compare(t, tenant(t, db, "a"), []event.Event{other})
		db = openAgain(t, db, opt)
	}
	clock.Advance(49 * time.Hour)
	settle(t, db)
	for _, id := range []string{"sealed", "hot"} {
		add(id, engine.OK)
	}
}

// What is known of expired days knows nothing of erased users, whichever came first.
func TestEraseAndRetention(t *testing.T) {
	clock := enginetest.NewClock()
	opt := engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true}
	db := open(t, opt.FS, opt)
	a := tenant(t, db, "a")
	if err := a.Configure(engine.Settings{RetentionDays: 2, WeekStart: time.Monday}); err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for i, user := range []string{"early", "late", "kept"} {
		events = append(events, event.Event{Time: clock.Now().UnixNano() + int64(i), Name: "x", User: user, ID: user})
	}
	events = append(events, event.Event{Time: clock.Now().UnixNano(), Name: "only early", User: "early"}, event.Event{Time: clock.Now().UnixNano(), Name: "only late", User: "late"})
	appendAll(t, a, events)
	settle(t, db)
	expired := func(want map[string]string) {
		t.Helper()
		snap := a.Snapshot()
		defer snap.Close()
		for name, users := range want {
			set, err := snap.ExpiredUsers(name)
			if err != nil {
				t.Fatal(err)
			}
			names, err := snap.UserNames(set.ToArray())
			if err != nil || fmt.Sprint(names) != users {
				t.Errorf("%s was done by %v, %v, want %s", name, names, err, users)
			}
		}
	}
	erase(t, a, engine.EraseOptions{User: "early"})
	clock.Advance(5 * 24 * time.Hour)
	settle(t, db)
	expired(map[string]string{"x": "[late kept]", "only early": "[]", "only late": "[late]"})
	erase(t, a, engine.EraseOptions{User: "late"})
	expired(map[string]string{"x": "[kept]", "only early": "[]", "only late": "[]"})
	settle(t, db)
	expired(map[string]string{"x": "[kept]", "only early": "[]", "only late": "[]"})
	for _, e := range must(a.Erasures()) {
		if e.State != engine.ErasureErased || e.Events != map[uint64]int64{1: 2, 2: 0}[e.Number] {
			t.Errorf("receipt %+v", e)
		}
	}
	// Their ids are known until the window is over.
	verdicts := appendAllKinds(t, a, []event.Event{{Time: clock.Now().UnixNano(), Name: "x", User: "early", ID: "early"}})
	if verdicts[0] != engine.Duplicate {
		t.Errorf("the id of an erased event that has expired: %v", verdicts[0])
	}
	checkAll(t, db)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func appendAllKinds(t testing.TB, a *engine.Tenant, events []event.Event) []engine.VerdictKind {
	t.Helper()
	verdicts, err := a.Append(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []engine.VerdictKind
	for _, v := range verdicts {
		kinds = append(kinds, v.Kind)
	}
	return kinds
}

// A dropped tenant takes its receipts and blocked names along, and one of its name has none.
func TestDropTenantWithErasures(t *testing.T) {
	db := open(t, vfs.NewMem(), engine.Options{NoBackground: true})
	a := tenant(t, db, "a")
	appendAll(t, a, []event.Event{{Time: time.Now().UnixNano(), Name: "x", User: "x"}})
	erase(t, a, engine.EraseOptions{User: "x", Block: true})
	if err := db.DropTenant("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Erase(ctx, engine.EraseOptions{User: "x"}); err == nil {
		t.Error("an erasure from a dropped tenant")
	}
	settle(t, db)
	a = tenant(t, db, "a")
	appendAll(t, a, []event.Event{{Time: time.Now().UnixNano(), Name: "x", User: "x"}})
	if all, err := a.Erasures(); len(all) != 0 || err != nil {
		t.Errorf("receipts %+v, %v", all, err)
	}
	if e, err := a.ErasedUser("x"); e != nil || err != nil {
		t.Errorf("receipt %+v, %v", e, err)
	}
}

// The worker completes erasures without being asked, also those of a process before.
func TestErasureInBackground(t *testing.T) {
	fs := vfs.NewMem()
	db, err := engine.Open("data", engine.Options{FS: fs, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	a := tenant(t, db, "a")
	appendAll(t, a, []event.Event{{Time: time.Now().UnixNano(), Name: "x", User: "x"}, {Time: time.Now().UnixNano(), Name: "x", User: "y"}})
	settle(t, db)
	erase(t, a, engine.EraseOptions{User: "x"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, fs, engine.Options{})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		e, err := tenant(t, db, "a").Erasure(1)
		if err != nil {
			t.Fatal(err)
		}
		if e.State == engine.ErasureErased {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the erasure is not completed: %+v", e)
		}
	}
	if got := enginetest.Dump(t, tenant(t, db, "a")); len(got) != 1 || got[0].User != "y" {
		t.Fatalf("events %v", got)
	}
}
