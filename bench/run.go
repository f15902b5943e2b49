package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/bench/workload"
	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/ingest"
	"cairn/query"
)

// tenantName is the tenant that holds what is measured.
const tenantName = "bench"

// Options say how a suite is run.
type Options struct {
	// Dir holds the workload's file, which is kept for the next run, and data directories, which are
	// removed.
	Dir string
	// Events replaces the suite's number of events, if not 0.
	Events int
	// Repeats is how often each query runs at least, after once to warm up; default 20.
	Repeats int
	// Only keeps the parts whose name contains it: import, append, or a query's name.
	Only string
	// Progress is told what goes on; nil is silent.
	Progress func(format string, args ...any)
}

// Run measures a suite.
func Run(ctx context.Context, s *Suite, opt Options) (*Report, error) {
	if opt.Repeats == 0 {
		opt.Repeats = 20
	}
	if opt.Progress == nil {
		opt.Progress = func(string, ...any) {}
	}
	r := &runner{suite: s, opt: opt, load: s.Load, report: newReport(s.Name)}
	if opt.Events > 0 {
		r.load.Events = opt.Events
	}
	r.report.Events = r.load.Events
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{r.write, r.appends, r.imports, r.queries} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	return r.report, r.close()
}

type runner struct {
	suite  *Suite
	opt    Options
	load   workload.Options
	report *Report
	file   string // the workload
	bytes  int64
	sample map[string]string // $user, $order, $coupon
	data   string            // the imported directory
	db     *engine.DB
}

func (r *runner) wants(name string) bool {
	return r.opt.Only == "" || bytes.Contains([]byte(name), []byte(r.opt.Only))
}

func (r *runner) close() error {
	var err error
	if r.db != nil {
		err = r.db.Close()
	}
	if r.data != "" {
		err = errors.Join(err, os.RemoveAll(r.data))
	}
	return err
}

// write makes the workload's file, unless an earlier run left it.
func (r *runner) write(ctx context.Context) error {
	l := r.load
	r.file = filepath.Join(r.opt.Dir, fmt.Sprintf("shop-%d-%d-%d-%d-%d-%g.ndjson", l.Events, l.Seed, l.Users, l.Days, l.Items, l.IDs))
	if info, err := os.Stat(r.file); err == nil {
		r.bytes = info.Size()
	} else {
		r.opt.Progress("writing %d events to %s", l.Events, r.file)
		file, err := os.Create(r.file + ".new")
		if err != nil {
			return err
		}
		r.bytes, err = workload.Write(file, l)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := os.Rename(r.file+".new", r.file); err != nil {
			return err
		}
	}
	r.report.InputBytes = r.bytes
	var err error
	r.sample, err = sampleOf(r.file, r.bytes/2)
	return errors.Join(err, ctx.Err())
}

// sampleOf finds a user, an order and a coupon in the lines after an offset.
func sampleOf(name string, offset int64) (map[string]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	part := make([]byte, 4<<20)
	n, err := file.ReadAt(part, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	sample := map[string]string{}
	for name, key := range map[string]string{"$user": `"user":"`, "$order": `"order_id":"`, "$coupon": `"coupon_id":"`} {
		_, after, found := bytes.Cut(part[:n], []byte(key))
		value, _, closed := bytes.Cut(after, []byte(`"`))
		if found && closed {
			sample[name] = string(value)
		}
	}
	return sample, nil
}

// walk measures what everything else is compared with: a jsontext token walk on one core.
func (r *runner) walk() error {
	file, err := os.Open(r.file)
	if err != nil {
		return err
	}
	defer file.Close()
	part := make([]byte, min(r.bytes, 128<<20))
	if _, err := io.ReadFull(file, part); err != nil {
		return err
	}
	part = part[:bytes.LastIndexByte(part, '\n')+1]
	best := 0.0
	for range 3 {
		start, events := time.Now(), 0
		d := jsontext.NewDecoder(bytes.NewBuffer(part))
		for {
			token, err := d.ReadToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if token.Kind() == '{' {
				events++
			}
		}
		best = max(best, float64(events)/time.Since(start).Seconds())
	}
	r.report.WalkPerSecond = best
	return nil
}

// imports loads the file into a fresh directory, settles it and opens it again. Without an import
// in the suite, this is the preparation of its queries.
func (r *runner) imports(ctx context.Context) error {
	if len(r.suite.Queries) == 0 && r.suite.Import == nil || r.opt.Only == "append" {
		return nil
	}
	if err := r.walk(); err != nil {
		return err
	}
	var err error
	if r.data, err = os.MkdirTemp(r.opt.Dir, "data-"); err != nil {
		return err
	}
	file, err := os.Open(r.file)
	if err != nil {
		return err
	}
	defer file.Close()
	debug.FreeOSMemory()
	resetPeak()
	r.opt.Progress("importing %d events", r.load.Events)
	start := time.Now()
	db, err := engine.Open(r.data, engine.Options{CacheBytes: 16 << 20})
	if err != nil {
		return err
	}
	r.db = db
	tenant, err := db.Tenant(tenantName)
	if err != nil {
		return err
	}
	m := &ImportReport{}
	if r.suite.Import != nil {
		r.report.Import, m.Targets = m, r.suite.Import.Targets
	}
	stored := 0
	err = ingest.Stream(ctx, file, ingest.Options{}, 0, func(result *ingest.Result) error {
		if len(result.Rejects) > 0 {
			return fmt.Errorf("the workload was rejected: %v", result.Rejects[0])
		}
		appended, err := tenant.AppendBatch(ctx, result.Batch, engine.AppendOptions{Unsynced: true})
		if err == nil {
			stored += appended.Stored
		}
		return err
	})
	if err = errors.Join(err, db.Sync()); err != nil {
		return err
	}
	if stored != r.load.Events {
		return fmt.Errorf("%d of %d events were stored", stored, r.load.Events)
	}
	m.Seconds = time.Since(start).Seconds()
	m.PerSecond = float64(r.load.Events) / m.Seconds
	m.Ratio = m.PerSecond / r.report.WalkPerSecond
	m.PeakBytes = peakBytes()
	r.opt.Progress("settling")
	start = time.Now()
	if err := db.Settle(ctx); err != nil {
		return err
	}
	m.SettleSeconds = time.Since(start).Seconds()
	m.SettlePeakBytes = peakBytes()
	stats, err := tenant.Stats()
	if err != nil {
		return err
	}
	m.KindBytes, m.Segments, m.Partitions = stats.Bytes, stats.Segments, stats.Partitions
	if r.db = nil; db.Close() != nil {
		return fmt.Errorf("close after import: %w", err)
	}
	if m.DiskBytes, err = directoryBytes(r.data); err != nil {
		return err
	}
	m.BytesPerEvent = float64(m.DiskBytes) / float64(r.load.Events)
	var opens []time.Duration
	for range 5 {
		start := time.Now()
		db, err := engine.Open(r.data, engine.Options{})
		if err != nil {
			return err
		}
		tenant, err := db.Tenant(tenantName)
		if err != nil {
			return errors.Join(err, db.Close())
		}
		tenant.Snapshot().Close()
		opens = append(opens, time.Since(start))
		if err := db.Close(); err != nil {
			return err
		}
	}
	slices.Sort(opens)
	m.OpenSeconds = opens[len(opens)/2].Seconds()
	return nil
}

// appends measures synced batches from several writers, each part in a directory of its own.
func (r *runner) appends(ctx context.Context) error {
	if !r.wants("append") {
		return nil
	}
	for _, a := range r.suite.Appends {
		r.opt.Progress("appending %d events in batches of %d from %d writers", a.Events, a.Batch, a.Writers)
		m, err := r.append(ctx, a)
		if err != nil {
			return err
		}
		r.report.Appends = append(r.report.Appends, m)
	}
	return nil
}

func (r *runner) append(ctx context.Context, a Append) (*AppendReport, error) {
	load := r.load
	load.Events, load.IDs, load.Days = a.Events, a.IDs, max(1, load.Days*a.Events/max(1, r.load.Events))
	batches, err := batchesOf(load, a.Batch)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(r.opt.Dir, "append-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := engine.Open(dir, engine.Options{})
	if err != nil {
		return nil, err
	}
	tenant, err := db.Tenant(tenantName)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	latencies := make([]time.Duration, len(batches))
	var next, stored atomic.Int64
	var wait sync.WaitGroup
	var mu struct {
		sync.Mutex
		err error
	}
	start := time.Now()
	for range a.Writers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					return
				}
				began := time.Now()
				result, err := tenant.AppendBatch(ctx, batches[i], engine.AppendOptions{})
				latencies[i] = time.Since(began)
				if err != nil {
					mu.Lock()
					mu.err = errors.Join(mu.err, err)
					mu.Unlock()
					return
				}
				stored.Add(int64(result.Stored))
			}
		}()
	}
	wait.Wait()
	elapsed := time.Since(start).Seconds()
	if err := errors.Join(mu.err, db.Close()); err != nil {
		return nil, err
	}
	if int(stored.Load()) != a.Events/a.Batch*a.Batch {
		return nil, fmt.Errorf("%d of %d events were stored", stored.Load(), a.Events)
	}
	slices.Sort(latencies)
	return &AppendReport{
		Writers: a.Writers, Batch: a.Batch, Events: int(stored.Load()), IDs: a.IDs, Seconds: elapsed,
		PerSecond: float64(stored.Load()) / elapsed, P50: quantile(latencies, 0.5).Seconds(), P95: quantile(latencies, 0.95).Seconds(),
		Targets: a.Targets,
	}, nil
}

// batchesOf makes the events of a workload in batches of one size.
func batchesOf(load workload.Options, size int) ([]*column.Batch, error) {
	scanner, err := ingest.NewScanner(ingest.Options{})
	if err != nil {
		return nil, err
	}
	g := workload.New(load)
	var batches []*column.Batch
	var lines []byte
	for range load.Events / size {
		lines = lines[:0]
		for range size {
			lines = g.Next(lines)
		}
		result := scanner.NDJSON(lines)
		if len(result.Rejects) > 0 {
			return nil, fmt.Errorf("the workload was rejected: %v", result.Rejects[0])
		}
		batches = append(batches, result.Batch)
	}
	return batches, nil
}

// queries runs each question once to warm up, then until it has been repeated often enough.
func (r *runner) queries(ctx context.Context) error {
	if r.data == "" {
		return nil
	}
	debug.FreeOSMemory()
	db, err := engine.Open(r.data, engine.Options{})
	if err != nil {
		return err
	}
	r.db = db
	tenant, err := db.Tenant(tenantName)
	if err != nil {
		return err
	}
	snapshot := tenant.Snapshot()
	defer snapshot.Close()
	for _, q := range r.suite.Queries {
		if !r.wants(q.Name) {
			continue
		}
		text := q.Text
		for name, value := range r.sample {
			text = string(bytes.ReplaceAll([]byte(text), []byte(name), []byte(value)))
		}
		r.opt.Progress("query %s", q.Name)
		m := QueryReport{Name: q.Name, Text: text, Target: q.Target.Seconds()}
		var times []time.Duration
		var answer []byte
		for begin := time.Now(); len(times) <= r.opt.Repeats || time.Since(begin) < 200*time.Millisecond && len(times) < 1000; {
			start := time.Now()
			table, err := query.Run(ctx, snapshot, text, query.Options{})
			if err != nil {
				return fmt.Errorf("query %q: %w", q.Name, err)
			}
			times = append(times, time.Since(start))
			m.Rows, m.RowsRead, m.BytesRead = len(table.Rows), table.Meta.RowsRead, table.Meta.BytesRead
			got, err := json.Marshal(tableText(table))
			if err != nil {
				return err
			}
			if answer == nil {
				answer = got
				m.BytesCold = table.Meta.BytesRead
			}
			if !bytes.Equal(got, answer) {
				return fmt.Errorf("query %q gave two answers", q.Name)
			}
		}
		m.First = times[0].Seconds()
		warm := times[1:]
		slices.Sort(warm)
		m.P50, m.P95 = quantile(warm, 0.5).Seconds(), quantile(warm, 0.95).Seconds()
		r.report.Queries = append(r.report.Queries, m)
	}
	return nil
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func directoryBytes(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
