package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/engine/keys"
)

func FuzzDecodeLink(f *testing.F) {
	f.Add(encodeLink(&linkRow{time: 1, user: 1, id: 2, kind: linkIdentify}, ""))
	f.Add(encodeLink(&linkRow{time: -1e18, user: 1 << 31, id: 7, kind: linkUnlink}, "segment"))
	f.Add(encodeLink(&linkRow{kind: linkGone}, ""))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, source, err := decodeLink(value)
		if err != nil {
			return
		}
		again, sourceAgain, err := decodeLink(encodeLink(&r, source))
		if err != nil || again != r || sourceAgain != source {
			t.Fatalf("%x: %+v %q comes back as %+v %q, %v", value, r, source, again, sourceAgain, err)
		}
	})
}

func TestDecodeLink(t *testing.T) {
	value := encodeLink(&linkRow{time: 1, user: 1, id: 2, kind: linkIdentify}, "")
	if want := []byte{1, 3, 2, 1, 2, 0}; !bytes.Equal(value[:6], want) || len(value) != 10 {
		t.Errorf("%x, want %x and a checksum", value, want)
	}
	for i := range value {
		bad := slices.Clone(value)
		bad[i] ^= 4
		if _, _, err := decodeLink(bad); err == nil {
			t.Errorf("%x is read", bad)
		}
	}
	for _, r := range []linkRow{{kind: linkMerge, user: 1}, {kind: linkMerge, user: 1, id: 1}, {kind: 9, user: 1, id: 2}} {
		if _, _, err := decodeLink(encodeLink(&r, "")); err == nil {
			t.Errorf("%+v is read", r)
		}
	}
}

// A log that is worked out row by row means the same as all of it at once, whatever was taken back or erased.
func TestLinkLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := func(n uint32) string { return fmt.Sprint("name ", n*7919%31) } // in another order than the numbers
		names := func(list []uint32) ([]string, error) {
			out := make([]string, len(list))
			for i, n := range list {
				out[i] = name(n)
			}
			return out, nil
		}
		l, v := &linkLog{}, (*linkView)(nil)
		drawRow := func() linkRow {
			l.last++
			r := linkRow{
				time: rapid.Int64Range(0, 4).Draw(t, "time"), kind: linkCode(rapid.IntRange(1, 5).Draw(t, "kind")),
				user: rapid.Uint32Range(1, 9).Draw(t, "user"), sequence: l.last,
			}
			r.id = 1 + (r.user+rapid.Uint32Range(0, 7).Draw(t, "id"))%9
			return r
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			var follow [][2]uint32
			var around []uint32
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0: // a commit that fails
				n, before := len(l.rows), slices.Clone(l.heads.pages)
				l.add(drawRow())
				l.add(drawRow())
				l.cut(n)
				for p := range before {
					if *before[p] != *l.heads.pages[p] {
						t.Fatal("rows that were taken back leave a trace")
					}
				}
			case 1:
				gone := rapid.Uint32Range(1, 9).Draw(t, "erased")
				around = append(around, gone)
				l.each(gone, func(r *linkRow) bool {
					around = append(around, r.user, r.id)
					r.kind = linkGone
					return true
				})
			default:
				for range rapid.IntRange(1, 3).Draw(t, "rows") {
					r := drawRow()
					if l.follows(&r) {
						follow = append(follow, [2]uint32{r.id, r.user})
					} else {
						around = append(around, r.user)
					}
					l.add(r)
				}
			}
			old, moved := v, map[uint32]uint32{}
			if old != nil {
				for id := range uint32(10) {
					moved[id] = old.of(id)
				}
			}
			var err error
			if v, err = v.with(l, follow, around, names); err != nil {
				t.Fatal(err)
			}
			var links []Link
			for _, r := range l.rows {
				if r.kind != linkGone {
					links = append(links, Link{Kind: linkKinds[r.kind], User: name(r.user), ID: name(r.id), Time: r.time})
				}
			}
			want := ResolveLinks(links)
			for id := range uint32(10) {
				if got, want := name(v.of(id)), cmp.Or(want[name(id)], name(id)); got != want {
					t.Fatalf("%v\n%s is %s, want %s", links, name(id), got, want)
				}
				if v.moved.Contains(id) != (v.of(id) != id) {
					t.Fatalf("%d is moved: %v", id, v.moved.Contains(id))
				}
				if old != nil && old.of(id) != moved[id] {
					t.Fatal("a view has changed")
				}
			}
		}
	})
}

// A row that cannot be read makes canonical answers impossible, and nothing else.
func TestCorruptLink(t *testing.T) {
	ctx, fs := context.Background(), vfs.NewMem()
	db, err := Open("data", Options{FS: fs, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	events := []event.Event{{Time: time.Now().UnixNano(), Name: "x", User: "anon 1"}}
	if _, err := a.Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixNano()
	if _, err := a.Link(ctx, []Link{{LinkIdentify, "u", "anon 1", now, ""}, {LinkIdentify, "v", "anon 2", now, ""}}); err != nil {
		t.Fatal(err)
	}
	key := keys.Link(a.id, 0, 1)
	if err := db.store.db.Set(key, []byte("nonsense nonsense"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", Options{FS: fs, NoBackground: true}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, _ = db.Tenant("a")
	named := func(err error) bool {
		var corrupt *CorruptionError
		return errors.As(err, &corrupt) && bytes.Equal(corrupt.Key, key)
	}
	for range 2 {
		snap := a.Snapshot()
		if _, err := snap.Segments(ctx, event.AllTime); !named(err) {
			t.Errorf("segments: %v", err)
		}
		if _, err := snap.Canonical("anon 1"); !named(err) {
			t.Errorf("canonical: %v", err)
		}
		if _, err := snap.Links("u"); !named(err) {
			t.Errorf("links: %v", err)
		}
		raw := snap.Raw()
		if readers, err := raw.Segments(ctx, event.AllTime); err != nil || len(readers) != 1 {
			t.Errorf("as they were sent: %d readers, %v", len(readers), err)
		}
		if err := snap.Scan(ctx, ScanOptions{Range: event.AllTime}, func(*event.Event) error { return nil }); err != nil {
			t.Errorf("scan: %v", err)
		}
		snap.Close()
		if _, err := db.Check(ctx); !named(err) {
			t.Errorf("check: %v", err)
		}
		if _, err := a.Append(ctx, events); err != nil {
			t.Error(err)
		}
		if _, err := a.Link(ctx, []Link{{LinkIdentify, "u", fmt.Sprint("anon ", rand.Uint64()), now, ""}}); err != nil {
			t.Error(err)
		}
	}
}
