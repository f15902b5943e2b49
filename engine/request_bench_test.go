package engine_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/bench/workload"
	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/ingest"
)

// BenchmarkRequests does what a server does for 64 connections: it scans bodies and appends their events,
// each durable before the next body of its connection. cpu-µs is the process's, by event.
func BenchmarkRequests(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			const connections, events = 64, 100_000
			g := workload.New(workload.Options{Events: events, Days: 1})
			bodies := make([][]byte, events/size)
			for i := range bodies {
				for range size {
					bodies[i] = g.Next(bodies[i])
				}
			}
			db, err := engine.Open(b.TempDir(), engine.Options{})
			if err != nil {
				b.Fatal(err)
			}
			t, err := db.Tenant("a")
			if err != nil {
				b.Fatal(err)
			}
			scanners, batches := sync.Pool{}, sync.Pool{}
			scanners.New = func() any {
				s, err := ingest.NewScanner(ingest.Options{})
				if err != nil {
					b.Error(err)
				}
				return s
			}
			var next, stored atomic.Int64
			var wait sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime()
			for range connections {
				wait.Add(1)
				go func() {
					defer wait.Done()
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						n, err := storeBody(t, &scanners, &batches, bodies[i%int64(len(bodies))])
						if err != nil || n != size {
							b.Errorf("%d of %d events were stored: %v", n, size, err)
							return
						}
						stored.Add(int64(n))
					}
				}()
			}
			wait.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(stored.Load()), "cpu-µs/event")
			b.ReportMetric(float64(stored.Load())/b.Elapsed().Seconds(), "events/s")
			snapshot := t.Snapshot()
			if snapshot.Rows() != int(stored.Load()) {
				b.Errorf("%d rows, %d were stored", snapshot.Rows(), stored.Load())
			}
			snapshot.Close()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func storeBody(t *engine.Tenant, scanners, batches *sync.Pool, body []byte) (int, error) {
	s := scanners.Get().(*ingest.Scanner)
	if done, ok := batches.Get().(*column.Batch); ok {
		s.Reuse(done)
	}
	scanned, err := s.Scan(body)
	scanners.Put(s)
	if err != nil {
		return 0, err
	}
	result, err := t.AppendBatch(context.Background(), scanned.Batch, engine.AppendOptions{})
	if err != nil {
		return 0, err
	}
	if scanned.Batch.Rows < engine.SmallRows {
		batches.Put(scanned.Batch)
	}
	return result.Stored, nil
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
