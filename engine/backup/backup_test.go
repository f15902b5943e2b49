package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

var ctx = context.Background()

// busyStore is a store that events are appended to until stop is called; stored counts those acknowledged.
func busyStore(t *testing.T) (db *engine.DB, stored *atomic.Int64, stop func()) {
	t.Helper()
	db, err := engine.Open(filepath.Join(t.TempDir(), "data"), engine.Options{MemTableBytes: 1 << 20, HotBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := db.Tenant("default")
	if err != nil {
		t.Fatal(err)
	}
	stored = new(atomic.Int64)
	done := make(chan struct{})
	var group sync.WaitGroup
	for w := range 2 {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				batch := make([]event.Event, 100)
				for i := range batch {
					batch[i] = event.Event{Time: time.Now().UnixNano(), Name: "e", User: fmt.Sprint("u", i), ID: fmt.Sprintf("%d-%d-%d", w, n, i)}
				}
				if _, err := tenant.Append(ctx, batch); err != nil {
					t.Errorf("append: %v", err)
					return
				}
				stored.Add(int64(len(batch)))
			}
		})
	}
	return db, stored, func() {
		close(done)
		group.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// rows opens a directory, checks it whole and returns its number of events.
func rows(t *testing.T, dir string) int64 {
	t.Helper()
	db, err := engine.Open(dir, engine.Options{NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Check(ctx); err != nil {
		t.Errorf("check: %v", err)
	}
	tenant, err := db.Tenant("default")
	if err != nil {
		t.Fatal(err)
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	return int64(snapshot.Rows())
}

func TestBackupUnderLoadHoldsWhatWasAcknowledged(t *testing.T) {
	db, stored, stop := busyStore(t)
	for stored.Load() < 20_000 {
		time.Sleep(time.Millisecond)
	}
	before := stored.Load()
	dir := filepath.Join(t.TempDir(), "b")
	var last, all int64
	list, err := Make(ctx, db, dir, time.Now(), func(done, total int64) { last, all = done, total })
	after := stored.Load() + 200 // two batches may be under way
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if last != all || all != list.Bytes() {
		t.Errorf("progress ended at %d of %d, the backup has %d bytes", last, all, list.Bytes())
	}
	if _, err := Verify(ctx, dir, nil); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := WriteTar(ctx, dir, &stream, nil); err != nil {
		t.Fatal(err)
	}
	copied, streamed := filepath.Join(t.TempDir(), "copied"), filepath.Join(t.TempDir(), "streamed")
	if _, err := Restore(ctx, dir, copied, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreTar(ctx, &stream, streamed, nil); err != nil {
		t.Fatal(err)
	}
	n := rows(t, copied)
	if n < before || n > after {
		t.Errorf("%d events restored; %d were acknowledged before the backup, %d soon after", n, before, after)
	}
	if m := rows(t, streamed); m != n {
		t.Errorf("%d events by stream, %d by folder", m, n)
	}
	if _, err := Restore(ctx, dir, copied, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restore over a directory: %v", err)
	}
	if _, err := Make(ctx, db, dir, time.Now(), nil); err == nil {
		t.Error("a backup over another")
	}
}

// small makes a backup of a few events.
func small(t *testing.T) string {
	t.Helper()
	db, stored, stop := busyStore(t)
	for stored.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	dir := filepath.Join(t.TempDir(), "b")
	_, err := Make(ctx, db, dir, time.Now(), nil)
	stop()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDamageIsNamed(t *testing.T) {
	for name, damage := range map[string]func(dir string, f File) string{
		"a flipped byte": func(dir string, f File) string {
			path := filepath.Join(dir, f.Name)
			text, _ := os.ReadFile(path)
			text[len(text)/2] ^= 1
			_ = os.WriteFile(path, text, 0o644)
			return f.Name
		},
		"a file that is cut": func(dir string, f File) string {
			_ = os.Truncate(filepath.Join(dir, f.Name), f.Bytes-1)
			return f.Name
		},
		"a file with more": func(dir string, f File) string {
			path := filepath.Join(dir, f.Name)
			text, _ := os.ReadFile(path)
			_ = os.WriteFile(path, append(text, 0), 0o644)
			return f.Name
		},
		"a missing file": func(dir string, f File) string {
			_ = os.Remove(filepath.Join(dir, f.Name))
			return f.Name
		},
	} {
		dir := small(t)
		list, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		var largest File
		for _, f := range list.Files {
			if f.Bytes > largest.Bytes {
				largest = f
			}
		}
		// The files are links to those of the store: break that, so that the damage is the copy's alone.
		path := filepath.Join(dir, largest.Name)
		text, _ := os.ReadFile(path)
		_ = os.Remove(path)
		_ = os.WriteFile(path, text, 0o644)
		want := damage(dir, largest)
		if _, err := Verify(ctx, dir, nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: verify: %v", name, err)
		}
		to := filepath.Join(t.TempDir(), "to")
		if _, err := Restore(ctx, dir, to, nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: restore: %v", name, err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s: a failed restore leaves a directory", name)
		}
	}
	dir := small(t)
	_ = os.WriteFile(filepath.Join(dir, "store", "extra"), nil, 0o644)
	if _, err := Verify(ctx, dir, nil); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "store/extra") {
		t.Errorf("a file too many: %v", err)
	}
	_ = os.Remove(filepath.Join(dir, listName))
	if _, err := Restore(ctx, dir, filepath.Join(t.TempDir(), "to"), nil); err == nil || !strings.Contains(err.Error(), "not a whole backup") {
		t.Errorf("a backup without a list: %v", err)
	}
}

func TestStreamsThatAreNotWhole(t *testing.T) {
	dir := small(t)
	var stream bytes.Buffer
	if err := WriteTar(ctx, dir, &stream, nil); err != nil {
		t.Fatal(err)
	}
	whole := stream.Bytes()
	for _, cut := range []int{0, 100, 600, len(whole) / 2, len(whole) - 1025 - 512} {
		to := filepath.Join(t.TempDir(), "to")
		if _, err := RestoreTar(ctx, bytes.NewReader(whole[:cut]), to, nil); !errors.Is(err, ErrDamaged) && !strings.Contains(fmt.Sprint(err), "unexpected EOF") {
			t.Errorf("cut at %d of %d: %v", cut, len(whole), err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("cut at %d: a failed restore leaves a directory", cut)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte(`{"format":1,"files":[{"name":"store/x","bytes":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"../x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := decodeList(text)
		if err != nil {
			return
		}
		for _, file := range list.Files {
			if clean := filepath.Join("/backup", filepath.FromSlash(file.Name)); !strings.HasPrefix(clean, "/backup/") {
				t.Errorf("%q leads out of the folder", file.Name)
			}
		}
	})
}
