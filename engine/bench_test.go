package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/bench/workload"
	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/ingest"
)

// loadBatches returns events of the shop workload in batches of the given size.
func loadBatches(b testing.TB, events, size int, ids float64) []*column.Batch {
	b.Helper()
	var out bytes.Buffer
	if _, err := workload.Write(&out, workload.Options{Events: events, Days: 3, IDs: ids}); err != nil {
		b.Fatal(err)
	}
	scanner, err := ingest.NewScanner(ingest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var batches []*column.Batch
	lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
	for len(lines) > 1 {
		n := min(size, len(lines))
		r := scanner.NDJSON(bytes.Join(lines[:n], nil))
		if len(r.Rejects) > 0 {
			b.Fatalf("reject: %+v", r.Rejects[0])
		}
		batches = append(batches, r.Batch)
		lines = lines[n:]
	}
	return batches
}

// BenchmarkAppend appends synced batches of 1,000 events from four goroutines to a directory on disk.
func BenchmarkAppend(b *testing.B) {
	for _, ids := range []float64{0, 1} {
		for _, sealed := range []bool{false, true} {
			b.Run(fmt.Sprintf("ids=%v/background=%v", ids > 0, sealed), func(b *testing.B) {
				const events = 400_000
				for range b.N {
					b.StopTimer()
					batches := loadBatches(b, events, 1000, ids)
					db, err := engine.Open(b.TempDir(), engine.Options{FS: vfs.Default, NoBackground: !sealed, HotBytes: hotBytes(sealed)})
					if err != nil {
						b.Fatal(err)
					}
					t, err := db.Tenant("a")
					if err != nil {
						b.Fatal(err)
					}
					var next atomic.Int64
					var wait sync.WaitGroup
					b.StartTimer()
					start := time.Now()
					for range 4 {
						wait.Add(1)
						go func() {
							defer wait.Done()
							for i := next.Add(1) - 1; int(i) < len(batches); i = next.Add(1) - 1 {
								r, err := t.AppendBatch(context.Background(), batches[i], engine.AppendOptions{})
								if err != nil || r.Stored != r.Stored+r.Rejected {
									b.Error(err, r)
									return
								}
							}
						}()
					}
					wait.Wait()
					b.ReportMetric(events/time.Since(start).Seconds(), "events/s")
					b.StopTimer()
					if err := db.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func hotBytes(background bool) int64 {
	if background {
		return 0
	}
	return 8 << 30
}

// TestImportSpeed prints where an import of the workload spends its time; CAIRN_IMPORT gives the number of
// events.
func TestImportSpeed(t *testing.T) {
	var events int
	if _, err := fmt.Sscan(os.Getenv("CAIRN_IMPORT"), &events); err != nil {
		t.Skip("a measurement, not a check: CAIRN_IMPORT gives no number of events")
	}
	dir := t.TempDir()
	db, err := engine.Open(dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := db.Tenant("a")
	ids := 0.0
	if os.Getenv("CAIRN_IDS") != "" {
		ids = 1
	}
	file, err := os.Create(t.TempDir() + "/events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := workload.Write(file, workload.Options{Events: events, Days: max(1, events*30/10_000_000), IDs: ids}); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	step := time.Now()
	lap := func(what string) {
		d := time.Since(step)
		t.Logf("%-10s %8.0f ms  %6.0f k events/s", what, d.Seconds()*1000, float64(events)/d.Seconds()/1000)
		step = time.Now()
	}
	err = ingest.Stream(context.Background(), file, ingest.Options{}, 0, func(r *ingest.Result) error {
		_, err := a.AppendBatch(context.Background(), r.Batch, engine.AppendOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lap("import")
	status, _ := os.ReadFile("/proc/self/status")
	t.Logf("%s", regexp.MustCompile(`VmHWM.*`).Find(status))
	if err := db.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	lap("settle")
	s, err := a.Stats()
	if err != nil {
		t.Fatal(err)
	}
	d := db.Stats()
	t.Logf("%+v", s)
	t.Logf("%+v", d)
	t.Logf("bytes per event: %.2f on disk, %.2f segments", float64(d.DiskBytes)/float64(events), float64(s.SealedBytes)/float64(events))
	step = time.Now()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	lap("close")
	t.Logf("%.2f bytes per event in files", float64(directorySize(t, dir))/float64(events))
	if db, err = engine.Open(dir, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	lap("open")
	a, _ = db.Tenant("a")
	snap := a.Snapshot()
	t.Log(snap.Rows(), "rows")
	snap.Close()
	lap("load")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
