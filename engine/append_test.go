package engine_test

import (
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/event"
)

func TestNoFutureLimit(t *testing.T) {
	db := open(t, vfs.NewMem(), engine.Options{NoBackground: true, FutureLimit: math.MaxInt64})
	defer db.Close()
	events := []event.Event{{Time: time.Now().UnixNano(), Name: "x"}, {Time: time.Now().AddDate(50, 0, 0).UnixNano(), Name: "y"}}
	for i, v := range appendAll(t, tenant(t, db, "a"), events) {
		if v.Kind != engine.OK {
			t.Errorf("event %d: %v", i, v)
		}
	}
}
