package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/enginetest"
	"cairn/engine/event"
)

var rewrite = flag.Bool("rewrite", false, "write the fixture directory of the present format version anew")

// fixtures are directories as former format versions and the present one wrote them, with the events that
// they hold as text: sealed and merged days, a wider partition, a tenant with retention, and frames in the hot
// log; from version 2 on also an erasure that is complete and one that is not, and linked users. They must open for ever. The
// last is only written again (go test -run TestFixture -rewrite) as long as its version has not been released.
var fixtures = []string{"testdata/v1", "testdata/v2"}

func TestFixture(t *testing.T) {
	if *rewrite {
		writeFixture(t, fixtures[len(fixtures)-1])
	}
	for _, fixture := range fixtures {
		t.Run(filepath.Base(fixture), func(t *testing.T) { openFixture(t, fixture) })
	}
}

func openFixture(t *testing.T, fixture string) {
	dir := t.TempDir()
	if ok, err := vfs.Clone(vfs.Default, vfs.Default, fixture+"/data", dir+"/data"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	clock := enginetest.NewClock()
	clock.Advance(20 * 24 * time.Hour)
	db, err := engine.Open(dir+"/data", engine.Options{Now: clock.Now, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	compareFixture(t, db, fixture)
	checkAll(t, db)
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	compareFixture(t, db, fixture)
	checkAll(t, db)
	for _, name := range []string{"shop", "short"} {
		for _, e := range must(tenant(t, db, name).Erasures()) {
			if e.State != engine.ErasureErased {
				t.Errorf("receipt %+v", e)
			}
		}
	}
	if format := string(must(os.ReadFile(dir + "/data/CAIRN"))); format != fmt.Sprintf("cairn format %d\n", engine.FormatVersion) {
		t.Errorf("the directory says %q", format)
	}
}

func compareFixture(t *testing.T, db *engine.DB, fixture string) {
	t.Helper()
	for _, name := range []string{"shop", "short"} {
		want, err := os.ReadFile(filepath.Join(fixture, name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		enginetest.CompareTexts(t, fixtureTexts(t, tenant(t, db, name)), strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"))
	}
}

func fixtureTexts(t *testing.T, a *engine.Tenant) []string {
	t.Helper()
	texts := enginetest.Texts(enginetest.Dump(t, a))
	snap := a.Snapshot()
	defer snap.Close()
	for i := range 8 {
		expired, err := snap.ExpiredUsers(fmt.Sprintf("event_%d", i))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("expired event_%d: %v", i, expired.ToArray()))
	}
	for _, e := range must(a.Erasures()) {
		texts = append(texts, fmt.Sprintf("erasure %d of %s by %q: %d events, %d days, up to %s, blocked %v", e.Number, e.UserSHA256, e.By, e.Events, e.Days, e.UpTo, e.Blocked))
	}
	for i := range 50 {
		user := fmt.Sprintf("user-%d", i)
		if canonical := must(snap.Canonical(user)); canonical != user {
			texts = append(texts, fmt.Sprintf("%s is %s", user, canonical))
			continue
		}
		for _, l := range must(snap.Links(user)) {
			texts = append(texts, fmt.Sprintf("link %v", l))
		}
	}
	return append(texts, fmt.Sprintf("%+v", a.Settings()))
}

func writeFixture(t *testing.T, fixture string) {
	if err := os.RemoveAll(fixture); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(fixture, 0o755); err != nil {
		t.Fatal(err)
	}
	clock := enginetest.NewClock()
	db, err := engine.Open(fixture+"/data", engine.Options{Now: clock.Now, NoBackground: true, BlockRows: 256, MaxBlocks: 4})
	if err != nil {
		t.Fatal(err)
	}
	g := enginetest.NewGenerator(11)
	shop, short := tenant(t, db, "shop"), tenant(t, db, "short")
	for _, s := range []struct {
		tenant   *engine.Tenant
		settings engine.Settings
	}{
		{shop, engine.Settings{Zone: "Asia/Shanghai", WeekStart: time.Monday}},
		{short, engine.Settings{WeekStart: time.Sunday, RetentionDays: 15}},
	} {
		if err := s.tenant.Configure(s.settings); err != nil {
			t.Fatal(err)
		}
	}
	burst := func() {
		big := make([]event.Event, 5000)
		for i := range big {
			big[i] = event.Event{
				Time: clock.Now().UnixNano() - int64(i)*1e9, Name: fmt.Sprintf("event_%d", i%3), User: fmt.Sprintf("user-%d", i%40),
				Fields: []event.Field{{Name: "n", Value: event.Int(int64(i % 7))}},
			}
		}
		appendAll(t, shop, big)
	}
	for step := range 4 {
		appendAll(t, shop, g.Events(150, clock.Now()))
		appendAll(t, short, g.Events(80, clock.Now()))
		if step == 1 {
			burst()
			linkAll(t, shop,
				link(engine.LinkIdentify, "user-1", "user-2", 1), link(engine.LinkBind, "user-1", "user-3", 2), link(engine.LinkMerge, "user-4", "user-5", 3),
				link(engine.LinkAlias, "user-6", "user-4", 4), link(engine.LinkIdentify, "user-1", "user-7", 5), link(engine.LinkIdentify, "user-6", "user-2", 6),
				link(engine.LinkIdentify, "nobody", "user-10", 7), link(engine.LinkUnlink, "user-1", "user-3", 8))
			linkAll(t, short, link(engine.LinkIdentify, "user-1", "user-2", 1))
		}
		if step == 2 {
			clock.Advance(10 * 24 * time.Hour)
			erase(t, shop, engine.EraseOptions{User: "user-7", By: "fixture"})
			erase(t, short, engine.EraseOptions{User: "user-8", By: "fixture"})
		}
		if step < 3 {
			if err := db.Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(3 * 24 * time.Hour)
	}
	clock.Advance(24 * time.Hour)
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	appendAll(t, shop, g.Events(60, clock.Now()))
	erase(t, shop, engine.EraseOptions{User: "user-9", By: "fixture", Block: true})
	for name, a := range map[string]*engine.Tenant{"shop": shop, "short": short} {
		text := strings.Join(fixtureTexts(t, a), "\n") + "\n"
		if err := os.WriteFile(filepath.Join(fixture, name+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
