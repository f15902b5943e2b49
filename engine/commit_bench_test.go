package engine_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine"
	"cairn/engine/event"
)

// BenchmarkCommit is one writer of single events over a store in memory: what a commit costs, however many
// appends share it.
func BenchmarkCommit(b *testing.B) {
	db, err := engine.Open("data", engine.Options{FS: vfs.NewMem(), NoBackground: true, HotBytes: 4 << 30})
	if err != nil {
		b.Fatal(err)
	}
	t, err := db.Tenant("a")
	if err != nil {
		b.Fatal(err)
	}
	e := []event.Event{{Time: 1_750_000_000e9, Name: "e", User: "u", Fields: []event.Field{
		{Name: "text", Value: event.String("value")}, {Name: "number", Value: event.Int(3)},
	}}}
	b.ReportAllocs()
	before := cpuTime()
	n := 0
	for b.Loop() {
		if _, err := t.Append(context.Background(), e); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(n), "cpu-µs/op")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
