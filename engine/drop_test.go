package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
)

// TestDropWaits has a drop wait for background work while the tenant is used: what is stored under the
// name after the drop stays, and nothing brings the dropped tenant back.
func TestDropWaits(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	db, err := Open("data", Options{FS: fs, NoBackground: true})
	if err != nil {
		t.Fatal(err)
	}
	use := func(name string) *Tenant {
		a, err := db.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	events := []event.Event{{Time: time.Now().UnixNano(), Name: "x", User: "u"}}
	first := use("a")
	if _, err := first.Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	db.merging.Lock()
	dropped := make(chan error)
	go func() { dropped <- db.DropTenant("a") }()
	time.Sleep(20 * time.Millisecond)
	if _, err := use("a").Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	db.merging.Unlock()
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if _, err := first.Append(ctx, events); !errors.Is(err, ErrDropped) {
		t.Errorf("events for a dropped tenant: %v", err)
	}
	if err := first.Configure(Settings{RetentionDays: 1}); !errors.Is(err, ErrDropped) {
		t.Errorf("settings of a dropped tenant: %v", err)
	}
	if n := first.Snapshot().Rows(); n != 0 {
		t.Errorf("%d events of a dropped tenant", n)
	}
	if names := db.Tenants(); len(names) != 0 {
		t.Errorf("tenants %q", names)
	}
	if _, err := use("a").Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	if err := db.DropTenant("none"); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open("data", Options{FS: fs, NoBackground: true}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	snap := use("a").Snapshot()
	defer snap.Close()
	if snap.Rows() != 1 {
		t.Errorf("%d events after the drop, want 1", snap.Rows())
	}
}
