package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
	"cairn/engine/frame"
	"cairn/engine/keys"
)

// filesWith returns the files below a directory that hold a text.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // what nothing needs is removed meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(data, []byte(text)) {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// secretEvents are events of days past and present, many of them of the victim, whose user, ids and values
// no other event has.
func secretEvents(now time.Time, victim string, round int) []event.Event {
	var out []event.Event
	for i := range 9000 {
		e := event.Event{Time: now.UnixNano() - int64(round)*26*int64(time.Hour) - int64(i)*1e6, Name: "x", User: fmt.Sprintf("person %04d", i%400)}
		if i%3 == 0 {
			e.ID = fmt.Sprintf("%d/%d", round, i)
		}
		if i%50 == 0 {
			e.User = victim
			if i%100 == 0 {
				e.ID = fmt.Sprintf("secret-id %d %d", round, i)
			}
			e.Fields = []event.Field{{Name: "secret_field", Value: event.String(fmt.Sprintf("secret-value %d %d", round, i))}}
		}
		out = append(out, e)
	}
	return out
}

// After Settle the files hold nothing of an erased user: not his name, not his insert ids, not his values.
func TestErasedBytesAreGone(t *testing.T) {
	for _, victim := range []string{"person 0123 the victim", "\x01 the first victim", "\xf0\x9f\x99\x88 the last victim"} {
		t.Run(victim, func(t *testing.T) { erasedBytes(t, victim) })
	}
}

func erasedBytes(t *testing.T, victim string) {
	ctx, dir, now := context.Background(), t.TempDir(), damagedNow
	opt := Options{Now: func() time.Time { return now }, NoBackground: true}
	db, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { db.Close() }()
	a, _ := db.Tenant("a")
	if err := a.Configure(Settings{RetentionDays: 4}); err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		if _, err := a.Append(ctx, secretEvents(now, victim, round)); err != nil {
			t.Fatal(err)
		}
		if round < 3 {
			if err := db.Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	now = now.Add(24 * time.Hour) // the oldest day expires, its ids are known still
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append(ctx, secretEvents(now, victim, 0)[:100]); err != nil {
		t.Fatal(err)
	}
	// Repeats of his alone are in a frame that stores no row of his.
	if _, err := a.Append(ctx, append(secretEvents(now, victim, 0)[:1], event.Event{Time: now.UnixNano(), Name: "y", User: "somebody"})); err != nil {
		t.Fatal(err)
	}
	// What is looked for can be found.
	if len(filesWith(t, dir, victim)) == 0 || len(filesWith(t, dir, "secret-id")) == 0 || len(filesWith(t, dir, "secret-value")) == 0 {
		t.Fatal("there is nothing to be erased")
	}
	snap := a.Snapshot()
	id, ok, err := snap.UserID(victim)
	snap.Close()
	if !ok || err != nil || !holds(t, a, id) {
		t.Fatal(id, ok, err)
	}
	if _, err := a.Erase(ctx, EraseOptions{User: victim, Block: true}); err != nil {
		t.Fatal(err)
	}
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if e, err := a.Erasure(1); err != nil || e.State != ErasureErased {
		t.Fatal(e, err)
	}
	if pieces, err := db.store.partialTables(); err != nil || len(pieces) > 0 {
		t.Errorf("%d pieces of tables are left, %v", len(pieces), err)
	}
	if holds(t, a, id) {
		t.Error("a segment or frame has rows or values of the user")
	}
	if err := db.store.db.Compact(ctx, []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	if err := db.store.waitForDeletions(ctx); err != nil {
		t.Fatal(err)
	}
	look := func(manifests bool) {
		t.Helper()
		for _, text := range []string{victim, "secret-id", "secret-value", "secret_field"} {
			for _, name := range filesWith(t, dir, text) {
				if manifests || !strings.HasPrefix(name, "MANIFEST") {
					t.Errorf("%s has %q", name, text)
				}
			}
		}
	}
	look(false)
	// The key-value store's list of its tables names the first and the last key of each. Every opening writes
	// it anew and keeps the one before.
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open(dir, opt); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && len(filesWith(t, dir, victim)) > 0; {
		time.Sleep(20 * time.Millisecond) // it removes the older ones in the background
	}
	look(true)
	if _, err := db.Check(ctx); err != nil {
		t.Error(err)
	}
}

// holds reports whether a segment has rows of a user, or a segment or frame values that begin as his do.
func holds(t *testing.T, a *Tenant, id uint32) bool {
	t.Helper()
	for _, s := range a.view.Load().spans {
		for _, h := range s.sealed {
			r, err := h.openOnce()
			if err != nil {
				t.Fatal(err)
			}
			rows, err := r.Without(roaring.BitmapOf(id)).HiddenRows()
			if err != nil {
				t.Fatal(err)
			}
			if rows != nil || r.Field("secret_field") != nil {
				return true
			}
			if r.ID() == nil {
				continue
			}
			ids, err := r.ID().Dict()
			if err != nil {
				t.Fatal(err)
			}
			for code := range ids.Len() {
				if strings.HasPrefix(ids.Value(uint32(code)).Text(), "secret") {
					return true
				}
			}
		}
	}
	found := false
	err := a.db.store.scan(keys.TenantSpan(keys.SpaceHot, a.id), func(_, value []byte) error {
		batch, record, err := frame.DecodeEntry(value)
		if err != nil {
			return err
		}
		for _, user := range record.Users {
			found = found || user == id
		}
		for _, f := range batch.Fields {
			found = found || f.Name == "secret_field"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// As long as a frame cannot be read nobody knows whom it is of: the erasure hides, and is complete when
// retention has dropped the day.
func TestErasureOfDamagedDay(t *testing.T) {
	ctx, now := context.Background(), damagedNow
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return now }, NoBackground: true}
	db, a, _ := openDamaged(t, opt)
	defer func() { db.Close() }()
	other := damagedEvents(now.Add(-24*time.Hour), 300)
	if _, err := a.Append(ctx, other); err != nil {
		t.Fatal(err)
	}
	e, err := a.Erase(ctx, EraseOptions{User: "user 7"})
	if err != nil || e.Events != 2*5+3 || e.Days != 2 {
		t.Fatal(e, err)
	}
	state := func(want string) {
		t.Helper()
		for range 2 {
			if err := db.Settle(ctx); err != nil {
				t.Fatal(err)
			}
			if e, err := a.Erasure(1); err != nil || e.State != want {
				t.Fatalf("%+v, %v, want the state %s", e, err, want)
			}
		}
	}
	state(ErasureHidden)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	a, _ = db.Tenant("a")
	state(ErasureHidden)
	if got := a.Snapshot().Rows(); got != 1000+300-13 {
		t.Fatalf("%d rows", got)
	}
	if err := a.Configure(Settings{RetentionDays: 1}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(3 * 24 * time.Hour)
	state(ErasureErased)
}

// Nothing of an erasure is taken for another one's, and no bytes make decoding panic.
func FuzzErasure(f *testing.F) {
	receipt := keys.ErasureKey{Tenant: 1, Kind: keys.ErasureReceipt, Number: 3}.Bytes()
	value, err := encodeErasure(&Erasure{Number: 3, UserSHA256: "00", By: "token", Events: 5, Days: 2, UpTo: "0:7", State: ErasureHidden})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(value)
	f.Add(erasedName{4, true}.encode())
	f.Add(encodeUsers([]uint32{1, 2, 70, 1 << 31}))
	f.Add(encodeUsers(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := decodeErasure(receipt, data); err == nil {
			again, err := encodeErasure(e)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := decodeErasure(receipt, again); err != nil || *back != *e {
				t.Fatalf("%+v does not come back: %+v, %v", e, back, err)
			}
		}
		if n, err := decodeErasedName(receipt, data); err == nil && !bytes.Equal(n.encode(), data) {
			t.Fatalf("%+v does not come back", n)
		}
		if users, err := decodeUsers(receipt, data); err == nil {
			if back, err := decodeUsers(receipt, encodeUsers(users)); err != nil || fmt.Sprint(back) != fmt.Sprint(users) {
				t.Fatalf("%v does not come back: %v, %v", users, back, err)
			}
		}
	})
}

// What is damaged of erasures is told by Check. Blocked names stay blocked and erasures come to their end; only
// where nobody can tell whom to hide the tenant does not open.
func TestDamagedErasures(t *testing.T) {
	for _, kind := range []keys.ErasureKind{keys.ErasureReceipt, keys.ErasureName, keys.ErasurePending} {
		t.Run(string(kind), func(t *testing.T) { damageErasure(t, kind) })
	}
}

func damageErasure(t *testing.T, kind keys.ErasureKind) {
	ctx := context.Background()
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	if _, err := a.Append(ctx, damagedEvents(damagedNow, 300)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Erase(ctx, EraseOptions{User: "user 7", Block: true}); err != nil {
		t.Fatal(err)
	}
	var key []byte
	span := keys.ErasureSpan(a.id, kind)
	if err := db.store.scan(span, func(k, _ []byte) error { key = bytes.Clone(k); return nil }); err != nil || key == nil {
		t.Fatal(key, err)
	}
	if err := db.store.db.Set(key, []byte{0xff, 0xff}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", opt); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ = db.Tenant("a")
	if _, err := db.Check(ctx); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), keys.Format(key)) {
		t.Errorf("check: %v", err)
	}
	verdicts, err := a.Append(ctx, []event.Event{{Time: damagedNow.UnixNano(), Name: "x", User: "user 7"}})
	if kind == keys.ErasurePending {
		if snapErr := scanSafely(a.Snapshot()); !errors.Is(err, ErrCorrupt) || !errors.Is(snapErr, ErrCorrupt) {
			t.Errorf("append: %v, scan: %v", err, snapErr)
		}
		return
	}
	if err != nil || verdicts[0].Reason != ReasonUserErased {
		t.Errorf("%+v, %v", verdicts, err)
	}
	if err := db.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if a.view.Load().hidden != nil || len(a.erasures.pending) > 0 || a.Snapshot().Rows() != 297 {
		t.Errorf("hidden %v, pending %v, %d rows", a.view.Load().hidden, a.erasures.pending, a.Snapshot().Rows())
	}
	if e, err := a.Erase(ctx, EraseOptions{User: "user 7"}); err != nil || e.Number != 2 {
		t.Errorf("again: %+v, %v", e, err)
	}
	if e, err := a.ErasedUser("user 7"); err != nil || e.Number != 2 {
		t.Errorf("receipt: %+v, %v", e, err)
	}
}

// A checkpoint hides what is hidden, and completes the erasure itself.
func TestCheckpointOfErasure(t *testing.T) {
	ctx := context.Background()
	opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true}
	db, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ := db.Tenant("a")
	if _, err := a.Append(ctx, damagedEvents(damagedNow, 300)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Erase(ctx, EraseOptions{User: "user 7"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint("copy"); err != nil {
		t.Fatal(err)
	}
	copied, err := Open("copy", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	b, _ := copied.Tenant("a")
	for _, want := range []string{ErasureHidden, ErasureErased} {
		snap := b.Snapshot()
		if _, known, err := snap.UserID("user 7"); known || err != nil || snap.Rows() != 297 {
			t.Errorf("known %v, %v, %d rows", known, err, snap.Rows())
		}
		snap.Close()
		if e, err := b.Erasure(1); err != nil || e.State != want {
			t.Errorf("receipt %+v, %v", e, err)
		}
		if err := copied.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
