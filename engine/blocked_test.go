package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/column"
	"cairn/engine/event"
)

// An append that was prepared before a user was blocked, and comes to be committed after, stores none of his
// events: neither rows nor bytes.
func TestBlockedBetweenPrepareAndCommit(t *testing.T) {
	ctx := context.Background()
	for _, rows := range []int{5, 2 * smallRows} {
		opt := Options{FS: vfs.NewMem(), Now: func() time.Time { return damagedNow }, NoBackground: true}
		db, err := Open("data", opt)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := db.Tenant("a")
		if err := a.ensure(); err != nil {
			t.Fatal(err)
		}
		var b column.Builder
		refused, stored := map[int]bool{}, 0
		for i := range rows {
			e := event.Event{Time: damagedNow.UnixNano() - int64(i%2)*24*int64(time.Hour), Name: "x", User: "other", ID: fmt.Sprint(i)}
			switch i % 5 {
			case 2:
				e.User = "victim"
				refused[i] = true
			case 3:
				e.Time += 1000 * int64(time.Hour) // in the future: it is rejected anyway
			default:
				stored++
			}
			b.AppendEvent(&e)
		}
		p := &pending{result: &Result{}, turn: make(chan bool, 1)}
		if err := a.prepare(p, b.Finish()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Erase(ctx, EraseOptions{User: "victim", Block: true}); err != nil {
			t.Fatal(err)
		}
		if err := a.commit(ctx, p); err != nil {
			t.Fatal(err)
		}
		for _, v := range p.result.Verdicts {
			if (v.Reason == ReasonUserErased) != refused[v.Index] || (v.Reason == ReasonTimeTooNew) != (v.Index%5 == 3) {
				t.Errorf("%+v", v)
			}
		}
		if n := len(p.result.Verdicts); n != rows-stored || p.result.Rejected != n {
			t.Errorf("%d verdicts, %d rejected, want %d", n, p.result.Rejected, rows-stored)
		}
		snap := a.Snapshot()
		if _, known, err := snap.UserID("victim"); known || err != nil || snap.Rows() != stored || snap.UserCount() != 1 {
			t.Errorf("known %v, %v, %d rows, want %d, %d users", known, err, snap.Rows(), stored, snap.UserCount())
		}
		snap.Close()
		// One of nothing but blocked users leaves nothing.
		var only column.Builder
		only.AppendEvent(&event.Event{Time: damagedNow.UnixNano(), Name: "x", User: "second"})
		p = &pending{result: &Result{}, turn: make(chan bool, 1)}
		if err := a.prepare(p, only.Finish()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Erase(ctx, EraseOptions{User: "second", Block: true}); err != nil {
			t.Fatal(err)
		}
		if err := a.commit(ctx, p); err != nil || p.result.Rejected != 1 || a.Snapshot().Rows() != stored {
			t.Errorf("%+v, %v, %d rows", p.result, err, a.Snapshot().Rows())
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
