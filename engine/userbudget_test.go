package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/event"
)

// TestUserBudget fills the dictionaries of many tenants: together they stay within the budget, a small
// tenant is not pushed out by large ones, and users keep their numbers.
func TestUserBudget(t *testing.T) {
	ctx := context.Background()
	const limit = 4096
	db, err := Open("data", Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true, UserCacheEntries: limit})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	appendUsers := func(name string, users int) *Tenant {
		tenant, _ := db.Tenant(name)
		events := make([]event.Event, users)
		for i := range events {
			events[i] = event.Event{Time: damagedNow.UnixNano(), Name: "x", User: fmt.Sprint("user ", i)}
		}
		if _, err := tenant.Append(ctx, events); err != nil {
			t.Fatal(err)
		}
		return tenant
	}
	cached := func() (n int64) {
		for name := range db.mu.tenants {
			n += db.mu.tenants[name].users.cached.Load()
		}
		return n
	}
	small := appendUsers("small", 10)
	for i := range 20 {
		large := appendUsers(fmt.Sprint("large ", i), 1500)
		if n := cached(); n > limit+1 || n != db.userBudget.entries.Load() {
			t.Fatalf("%d entries, %d are counted", n, db.userBudget.entries.Load())
		}
		appendUsers(large.Name(), 1500)
		snap := large.Snapshot()
		if n := snap.UserCount(); n != 1500 {
			t.Fatalf("%d users", n)
		}
		snap.Close()
	}
	if n := small.users.cached.Load(); n != 10 {
		t.Errorf("the small tenant has %d entries left", n)
	}
	for i := range 20 {
		if err := db.DropTenant(fmt.Sprint("large ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.userBudget.entries.Load(); n != 10 || len(db.userBudget.tenants) != 1 {
		t.Errorf("%d entries of %d tenants are left", n, len(db.userBudget.tenants))
	}
}
