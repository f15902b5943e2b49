package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

func linkAll(t testing.TB, a *engine.Tenant, links ...engine.Link) []engine.Verdict {
	t.Helper()
	verdicts, err := a.Link(ctx, links)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

func link(kind engine.LinkKind, user, id string, second int) engine.Link {
	return engine.Link{Kind: kind, User: user, ID: id, Time: enginetest.Start.Add(time.Duration(second) * time.Second).UnixNano(), Source: "test"}
}

// canonicals returns "id=canonical" of ids that stand for others.
func canonicals(t testing.TB, s *engine.Snapshot, ids ...string) string {
	t.Helper()
	var out []string
	for _, id := range ids {
		user, err := s.Canonical(id)
		if err != nil {
			t.Fatal(err)
		}
		if user != id {
			out = append(out, id+"="+user)
		}
	}
	return strings.Join(out, " ")
}

// usersOf returns the names of the users of all rows that a snapshot's readers show, once for each row, sorted.
func usersOf(t testing.TB, s *engine.Snapshot) []string {
	t.Helper()
	readers, err := s.Segments(ctx, event.AllTime)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range readers {
		hidden, err := r.HiddenRows()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := r.Rows(nil)
		if err != nil {
			t.Fatal(err)
		}
		var ids []uint32
		for i := range rows {
			if hidden == nil || !hidden.Contains(uint32(i)) {
				ids = append(ids, rows[i].User)
			}
		}
		names, err := s.UserNames(ids)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, names...)
	}
	slices.Sort(out)
	return out
}

func openLinks(t testing.TB, fs vfs.FS) (*engine.DB, engine.Options) {
	t.Helper()
	opt := engine.Options{Now: enginetest.NewClock().Now, FS: fs, NoBackground: true, BlockRows: 16}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	return db, opt
}

func TestLinkVerdicts(t *testing.T) {
	db, opt := openLinks(t, vfs.NewMem())
	defer func() { db.Close() }()
	a := tenant(t, db, "a")
	long := strings.Repeat("x", 1025)
	for i, c := range []struct {
		link engine.Link
		kind engine.VerdictKind
		want string
	}{
		{link(engine.LinkUnlink, "u", "a", 0), engine.Rejected, engine.ReasonNotLinked},
		{link(engine.LinkIdentify, "u", "a", 1), engine.OK, ""},
		{link(engine.LinkIdentify, "u", "a", 1), engine.Duplicate, ""},
		{link(engine.LinkIdentify, "u", "a", 2), engine.Duplicate, ""},
		{link(engine.LinkBind, "u", "a", 2), engine.OK, ""},
		{link(engine.LinkIdentify, "u", "a", 0), engine.OK, ""}, // taken away before, but others stand
		{link(engine.LinkIdentify, "v", "a", 3), engine.Rejected, engine.ReasonAlreadyIdentified},
		{link(engine.LinkIdentify, "v", "a", 4), engine.Duplicate, ""},
		{link(engine.LinkIdentify, "v", "u", 5), engine.Rejected, engine.ReasonAlreadyIdentified},
		{link(engine.LinkAlias, "v", "u", 6), engine.OK, ""},
		{link(engine.LinkUnlink, "u", "v", 5), engine.OK, ""}, // the identify that had no effect
		{link(engine.LinkUnlink, "v", "u", 5), engine.Duplicate, ""},
		{link(engine.LinkUnlink, "u", "v", 6), engine.OK, ""},
		{link(engine.LinkAlias, "v", "u", 7), engine.OK, ""},
		{link(engine.LinkMerge, "w", "w", 8), engine.Duplicate, ""},
		{link(engine.LinkIdentify, "u", "null", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkIdentify, "u", " N/A ", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkAlias, "[object Object]", "a", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkMerge, "u", "", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkMerge, "u", "  ", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkMerge, long, "a", 1), engine.Rejected, engine.ReasonIllegalID},
		{link(engine.LinkMerge, "u", "\xff", 1), engine.Rejected, engine.ReasonIllegalID},
		{engine.Link{Kind: engine.LinkMerge, User: "u", ID: "a", Time: -1 << 63}, engine.Rejected, engine.ReasonBadTime},
	} {
		got := linkAll(t, a, c.link)[0]
		if got.Kind != c.kind || got.Reason != c.want {
			t.Errorf("link %d, %v %q %q: %+v, want %v %s", i, c.link.Kind, c.link.User, c.link.ID, got, c.kind, c.want)
		}
	}
	if _, err := a.Link(ctx, []engine.Link{{User: "u", ID: "b"}}); err == nil {
		t.Error("a link without a kind is taken")
	}
	for range 2 {
		snap := tenant(t, db, "a").Snapshot()
		if got, want := canonicals(t, snap, "u", "v", "w", "a", "null"), "u=v a=v"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		snap.Close()
		db = openAgain(t, db, opt)
	}
	checkAll(t, db)
}

func TestLinkKinds(t *testing.T) {
	for _, k := range []engine.LinkKind{engine.LinkIdentify, engine.LinkAlias, engine.LinkMerge, engine.LinkBind, engine.LinkUnlink} {
		if got, err := engine.ParseLinkKind(string(k)); got != k || err != nil {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	if _, err := engine.ParseLinkKind(""); err == nil {
		t.Error(`"" is a kind`)
	}
}

// A snapshot resolves users as they were linked when it was taken; Raw and Scan have them as they were sent.
func TestLinkedSnapshots(t *testing.T) {
	db, opt := openLinks(t, vfs.NewMem())
	defer func() { db.Close() }()
	a := tenant(t, db, "a")
	at := func(user string, second int) event.Event {
		return event.Event{Time: enginetest.Start.UnixNano() + int64(second)*1e9, Name: "x", User: user}
	}
	appendAll(t, a, []event.Event{at("u", 0), at("a", 1), at("b", 2), at("", 3)})
	settle(t, db)
	appendAll(t, a, []event.Event{at("u", 4), at("a", 5), at("v", 6)})
	before := a.Snapshot()
	defer before.Close()
	linkAll(t, a, link(engine.LinkIdentify, "u", "a", 10), link(engine.LinkIdentify, "u", "b", 11))
	linked := a.Snapshot()
	defer linked.Close()
	if before.ID() == linked.ID() {
		t.Error("links leave the name of the snapshot as it was")
	}
	linkAll(t, a, link(engine.LinkUnlink, "u", "b", 12), link(engine.LinkMerge, "other", "v", 13))
	appendAll(t, a, []event.Event{at("b", 7)})
	after := a.Snapshot()
	defer after.Close()
	for range 2 { // the second time from what is kept
		for _, c := range []struct {
			s    *engine.Snapshot
			want string
		}{
			{before, " a a b u u v"},
			{linked, " u u u u u v"},
			{linked.Raw(), " a a b u u v"},
			{after, " b b other u u u u"},
			{after.Raw(), " a a b b u u v"},
		} {
			if got := strings.Join(usersOf(t, c.s), " "); got != c.want {
				t.Errorf("users %q, want %q", got, c.want)
			}
		}
	}
	for id, want := range map[string]string{"u": "a a b u u", "a": "a a b u u", "v": "v", "nobody": ""} {
		var got []string
		err := linked.Scan(ctx, engine.ScanOptions{Range: event.AllTime, Users: []string{id}}, func(e *event.Event) error {
			got = append(got, e.User)
			return nil
		})
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("events of %s: %q, %v; want %q", id, got, err, want)
		}
	}
	if n := len(enginetest.DumpSnapshot(t, after, event.AllTime)); n != 8 {
		t.Errorf("a scan finds %d events", n)
	}
	number := func(s *engine.Snapshot, name string) uint32 {
		id, ok, err := s.UserID(name)
		if err != nil || !ok {
			t.Fatal(name, ok, err)
		}
		return id
	}
	if number(linked, "a") != number(linked, "u") || number(before, "a") == number(before, "u") || number(linked.Raw(), "a") == number(linked, "u") {
		t.Error("numbers of linked users")
	}
	if id := number(after, "v"); id != number(after, "other") || id > after.UserCount() {
		t.Errorf("user v has the number %d of %d", id, after.UserCount())
	}
	for _, s := range []*engine.Snapshot{linked, after} {
		for _, id := range []string{"u", "a"} {
			got, err := s.Links(id)
			want := []engine.Link{link(engine.LinkIdentify, "u", "a", 10)}
			if s == linked {
				want = append(want, link(engine.LinkIdentify, "u", "b", 11))
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("links of %s: %v, %v; want %v", id, got, err, want)
			}
		}
	}
	for _, c := range []struct {
		s        *engine.Snapshot
		id, want string
	}{{linked, "b", "a b u"}, {after, "b", "b"}, {after, "v", "other v"}, {before, "u", "u"}, {after.Raw(), "a", "a"}, {after, "nobody", "nobody"}} {
		if got, err := c.s.IDs(c.id); err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("ids of %s: %q, %v; want %s", c.id, got, err, c.want)
		}
	}
	if links, err := after.Links("nobody"); len(links) != 0 || err != nil {
		t.Error(links, err)
	}
	db = openAgain(t, db, opt)
	again := tenant(t, db, "a").Snapshot()
	defer again.Close()
	if got, want := strings.Join(usersOf(t, again), " "), " b b other u u u u"; got != want || again.ID() != after.ID() {
		t.Errorf("after a restart %q of %s, want %q of %s", got, again.ID(), want, after.ID())
	}
}

// Links go along with checkpoints, and go with their tenant.
func TestLinksOfDirectories(t *testing.T) {
	fs := vfs.NewMem()
	db, opt := openLinks(t, fs)
	a, b := tenant(t, db, "a"), tenant(t, db, "b")
	linkAll(t, a, link(engine.LinkIdentify, "u", "x", 0))
	linkAll(t, b, link(engine.LinkIdentify, "v", "x", 0))
	if err := db.Checkpoint("copy"); err != nil {
		t.Fatal(err)
	}
	if err := db.DropTenant("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Link(ctx, []engine.Link{link(engine.LinkIdentify, "u", "y", 0)}); err == nil {
		t.Error("a dropped tenant takes links")
	}
	if report, err := db.Check(ctx); err != nil || report.Links != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, c := range []struct{ dir, tenant, want string }{{"data", "a", ""}, {"data", "b", "x=v"}, {"copy", "a", "x=u"}, {"copy", "b", "x=v"}} {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if db, err = engine.Open(c.dir, opt); err != nil {
			t.Fatal(err)
		}
		snap := tenant(t, db, c.tenant).Snapshot()
		if got := canonicals(t, snap, "x"); got != c.want {
			t.Errorf("tenant %s of %s: %q, want %q", c.tenant, c.dir, got, c.want)
		}
		snap.Close()
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is known of expired days is about persons too.
func TestLinkedExpiredUsers(t *testing.T) {
	clock := enginetest.NewClock()
	db, err := engine.Open("data", engine.Options{Now: clock.Now, FS: vfs.NewMem(), NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := tenant(t, db, "a")
	if err := a.Configure(engine.Settings{RetentionDays: 2}); err != nil {
		t.Fatal(err)
	}
	appendAll(t, a, []event.Event{{Time: clock.Now().UnixNano(), Name: "x", User: "a"}, {Time: clock.Now().UnixNano(), Name: "x", User: "b"}})
	linkAll(t, a, link(engine.LinkIdentify, "u", "a", 0))
	settle(t, db)
	clock.Advance(5 * 24 * time.Hour)
	settle(t, db)
	snap := a.Snapshot()
	defer snap.Close()
	for s, want := range map[*engine.Snapshot]string{snap: "b u", snap.Raw(): "a b"} {
		users, err := s.ExpiredUsers("x")
		if err != nil {
			t.Fatal(err)
		}
		names, err := s.UserNames(users.ToArray())
		slices.Sort(names)
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("expired users %q, %v; want %q", names, err, want)
		}
	}
}

// An erased id is out of the log; the ids that it linked are so no longer, and a new user of its name is nobody's.
func TestEraseLinkedUsers(t *testing.T) {
	for _, linked := range []bool{false, true} {
		db, opt := openLinks(t, vfs.NewMem())
		a := tenant(t, db, "a")
		var events []event.Event
		for i, user := range []string{"u", "a", "b", "c", "v", "shared"} {
			events = append(events, event.Event{Time: enginetest.Start.UnixNano() + int64(i), Name: "x", User: user})
		}
		appendAll(t, a, events)
		linkAll(t, a,
			link(engine.LinkIdentify, "u", "a", 0), link(engine.LinkIdentify, "a", "b", 1), link(engine.LinkMerge, "b", "c", 2),
			link(engine.LinkIdentify, "v", "shared", 3), link(engine.LinkIdentify, "u", "shared", 4))
		settle(t, db)
		before := a.Snapshot()
		erase(t, a, engine.EraseOptions{User: "a", Linked: linked})
		want, wantIDs := "b b u v v", "b c"
		if linked {
			want, wantIDs = "v v", "b"
		}
		for step := range 3 {
			snap := tenant(t, db, "a").Snapshot()
			ids, err := snap.IDs("b")
			if err != nil || strings.Join(ids, " ") != wantIDs {
				t.Errorf("ids of b: %q, %v; want %s", ids, err, wantIDs)
			}
			if got := strings.Join(usersOf(t, snap), " "); got != want {
				t.Errorf("linked %v: users %q, want %q", linked, got, want)
			}
			if snap.ID() == before.ID() {
				t.Error("the snapshot has the name of the one before")
			}
			snap.Close()
			switch step {
			case 0:
				db = openAgain(t, db, opt)
			case 1:
				settle(t, db)
			}
		}
		before.Close()
		a = tenant(t, db, "a")
		appendAll(t, a, []event.Event{{Time: enginetest.Start.UnixNano() + 100, Name: "x", User: "a"}})
		snap := a.Snapshot()
		if got := canonicals(t, snap, "a", "b"); got != "" {
			t.Errorf("a new user is linked: %s", got)
		}
		snap.Close()
		if got := linkAll(t, a, link(engine.LinkIdentify, "v", "a", 9))[0]; got.Kind != engine.OK {
			t.Errorf("a new user cannot be linked: %+v", got)
		}
		erase(t, a, engine.EraseOptions{User: "a", Block: true})
		if got := linkAll(t, a, link(engine.LinkIdentify, "v", "a", 10))[0]; got.Reason != engine.ReasonUserErased {
			t.Errorf("a link of a blocked user: %+v", got)
		}
		checkAll(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinkCrash links from two goroutines beside appends while pictures of the disk are taken as a power cut would
// leave it. In each, acknowledged links are there and others are whole or absent.
func TestLinkCrash(t *testing.T) {
	s := seed(t)
	fs := vfs.NewCrashableMem()
	opt := engine.Options{FS: fs, HotBytes: 64 << 10, MemTableBytes: 64 << 10, Now: enginetest.NewClock().Now}
	db, err := engine.Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a := tenant(t, db, "a")
	const persons = 400
	var mu sync.Mutex
	acked := make(map[string]string) // known user by anonymous id
	var wait sync.WaitGroup
	for w := range 2 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := w; i < persons; i += 2 {
				user := fmt.Sprintf("user %d", i)
				links := []engine.Link{link(engine.LinkIdentify, user, user+" a", i), link(engine.LinkBind, user, user+" b", i)}
				if i%3 == 0 {
					appendAll(t, a, []event.Event{{Time: enginetest.Start.UnixNano(), Name: "x", User: user + " a"}})
				}
				if _, err := a.Link(ctx, links); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked[user+" a"], acked[user+" b"] = user, user
				mu.Unlock()
			}
		}()
	}
	r := rand.New(rand.NewPCG(s, 5))
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	type picture struct {
		fs    *vfs.MemFS
		acked map[string]string
	}
	var pictures []picture
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(time.Duration(r.IntN(2000)) * time.Microsecond):
		}
		mu.Lock()
		p := picture{acked: make(map[string]string)}
		for id, user := range acked {
			p.acked[id] = user
		}
		mu.Unlock()
		percent := []int{0, 0, 100, r.IntN(101)}[r.IntN(4)]
		p.fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(r.Uint64(), 0))})
		pictures = append(pictures, p)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	opt.NoBackground = true
	for i, p := range pictures {
		opt.FS = p.fs
		db, err := engine.Open("data", opt)
		if err != nil {
			t.Fatal(err)
		}
		snap := tenant(t, db, "a").Snapshot()
		for person := range persons {
			user := fmt.Sprintf("user %d", person)
			links, err := snap.Links(user)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range links {
				if l.User != user || l.ID != user+" a" && l.ID != user+" b" || l.Source != "test" {
					t.Fatalf("picture %d: a link that nobody made: %+v", i, l)
				}
			}
			for _, id := range []string{user + " a", user + " b"} {
				got, err := snap.Canonical(id)
				if err != nil || got != user && (got != id || p.acked[id] != "") {
					t.Fatalf("picture %d: %s is %s, %v", i, id, got, err)
				}
			}
			if len(links) == 1 {
				t.Fatalf("picture %d: half of a commit: %v", i, links)
			}
		}
		snap.Close()
		checkAll(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d pictures", len(pictures))
}

// A link whose write fails is not seen, neither by the process nor, unless it got to the disk all the same, after it.
func TestLinkFaults(t *testing.T) {
	for n := int64(0); ; n++ {
		mem := vfs.NewMem()
		faults := newFaultFS(mem, n, true)
		opt := engine.Options{FS: faults, Now: enginetest.NewClock().Now, NoBackground: true}
		acked := make(map[string]bool)
		db, err := engine.Open("data", opt)
		if err == nil {
			a, err := db.Tenant("a")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				id := fmt.Sprint("a", i)
				if _, err := a.Link(ctx, []engine.Link{link(engine.LinkIdentify, "u", id, i)}); err == nil {
					acked[id] = true
				} else if tolerate(err) != nil {
					t.Fatal(err)
				}
			}
			snap := a.Snapshot()
			for i := range 5 {
				id := fmt.Sprint("a", i)
				if got, err := snap.Canonical(id); tolerate(err) != nil || err == nil && (got == "u") != acked[id] {
					t.Fatalf("operation %d: %s is %s, %v; acknowledged %v", n, id, got, err, acked[id])
				}
			}
			snap.Close()
			if err := tolerate(db.Close()); err != nil {
				t.Fatal(err)
			}
		}
		hit := faults.count.Load() > n
		opt.FS = copyFS(t, mem)
		if db, err = engine.Open("data", opt); err != nil {
			t.Fatalf("operation %d: %v", n, err)
		}
		snap := tenant(t, db, "a").Snapshot()
		for id := range acked {
			if got, err := snap.Canonical(id); err != nil || got != "u" {
				t.Fatalf("operation %d: %s is %s, %v", n, id, got, err)
			}
		}
		snap.Close()
		checkAll(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if !hit {
			return
		}
	}
}

// The rows of a log, linked again elsewhere, mean the same.
func TestAllLinks(t *testing.T) {
	db, _ := openLinks(t, vfs.NewMem())
	defer db.Close()
	a, b := tenant(t, db, "a"), tenant(t, db, "b")
	links := []engine.Link{
		link(engine.LinkUnlink, "u", "x", 5), link(engine.LinkIdentify, "u", "y", 2), link(engine.LinkIdentify, "v", "y", 3), link(engine.LinkIdentify, "u", "x", 4),
	}
	linkAll(t, a, links...)
	snap := a.Snapshot()
	defer snap.Close()
	linkAll(t, a, link(engine.LinkMerge, "later", "y", 9))
	var got []engine.Link
	add := func(l engine.Link) error {
		got = append(got, l)
		return nil
	}
	if err := snap.AllLinks(ctx, add); err != nil || !slices.Equal(got, links) {
		t.Fatalf("%v, %v; want %v", got, err, links)
	}
	linkAll(t, b, got...)
	other := b.Snapshot()
	defer other.Close()
	if got, want := canonicals(t, other, "u", "v", "x", "y"), canonicals(t, snap, "u", "v", "x", "y"); got != want || want != "y=u" {
		t.Errorf("%s, want %s", got, want)
	}
	wrong := errors.New("enough")
	if err := snap.AllLinks(ctx, func(engine.Link) error { return wrong }); err != wrong {
		t.Error(err)
	}
	erase(t, a, engine.EraseOptions{User: "y"})
	got = nil
	if err := snap.AllLinks(ctx, add); err != nil || len(got) != 2 {
		t.Errorf("after an erasure %v, %v", got, err)
	}
}

// Many links at once, in several commits, and of one person.
func TestManyLinks(t *testing.T) {
	db, opt := openLinks(t, vfs.NewMem())
	a := tenant(t, db, "a")
	const n = 1<<14 + 100
	links := make([]engine.Link, n)
	for i := range links {
		links[i] = link(engine.LinkIdentify, fmt.Sprint("u", i%10), fmt.Sprint("a", i), i)
	}
	for _, v := range linkAll(t, a, links...) {
		if v.Kind != engine.OK {
			t.Fatalf("%+v", v)
		}
	}
	for range 2 {
		snap := tenant(t, db, "a").Snapshot()
		if ids, err := snap.IDs("a13"); err != nil || len(ids) != n/10+2 {
			t.Errorf("%d ids, %v", len(ids), err)
		}
		snap.Close()
		db = openAgain(t, db, opt)
	}
	for i := range 200 { // one by one, of a person with many ids already
		if v := linkAll(t, tenant(t, db, "a"), link(engine.LinkIdentify, "u3", fmt.Sprint("b", i), n+i)); v[0].Kind != engine.OK {
			t.Fatalf("%+v", v)
		}
	}
	checkAll(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Link(ctx, links[:1]); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a link after Close: %v", err)
	}
}
