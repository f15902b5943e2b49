package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// workerTick is how often the workers look for what time alone makes due.
	workerTick = time.Second
	// retentionTick is how often days past retention are looked for.
	retentionTick = 10 * time.Minute
	// failurePause is the time after a failure before it is tried again.
	failurePause = 2 * time.Second
	// quiet is the time without pressure before merging goes on.
	quiet = 500 * time.Millisecond
	// busyTime is how long after sealing for want of memory events count as coming fast.
	busyTime = 10 * time.Second
)

// worker is the background work of a DB: one goroutine seals, one merges and drops, one puts hot events in order.
type worker struct {
	db            *DB
	stop          context.CancelFunc
	stopped       <-chan struct{} // closed by stop
	done          sync.WaitGroup
	wake          chan struct{} // there is something to seal
	merge         chan struct{} // there is something to merge
	order         chan struct{} // there is something to put in order
	failed        atomic.Pointer[failure]
	lastRetention atomic.Int64
	lastPurge     atomic.Int64
	relieved      atomic.Int64 // when memory was last made free, Unix nanoseconds; 0: never

	mu struct {
		sync.Mutex
		touched   map[*Tenant]struct{} // sealed since they were last looked at for merging
		unordered map[*Tenant]struct{} // with hot events to put in order
		erasing   map[*Tenant]struct{} // with erasures that are not complete
		shunned   map[shunned]time.Time
		failures  [2]*failure // the latest of sealing and of merging; nil: it has succeeded since
	}
}

// failure is an error of background work.
type failure struct {
	error
	reported atomic.Bool
}

// The two loops, and their places in failures.
const (
	loopSeal = iota
	loopMerge
)

var loopNames = [...]string{loopSeal: "sealing", loopMerge: "merging"}

func startWorker(db *DB) *worker {
	ctx, stop := context.WithCancel(context.Background())
	w := &worker{db: db, stop: stop, stopped: ctx.Done(), wake: make(chan struct{}, 1), merge: make(chan struct{}, 1), order: make(chan struct{}, 1)}
	w.mu.touched, w.mu.unordered = make(map[*Tenant]struct{}), make(map[*Tenant]struct{})
	for _, t := range db.erasing {
		w.noteErasure(t)
	}
	if db.opt.NoBackground {
		return w
	}
	w.done.Add(3)
	go w.run(ctx, loopSeal, w.wake, w.sealDue)
	go w.run(ctx, loopMerge, w.merge, w.mergeDue)
	go w.runAhead(ctx)
	return w
}

// isStopped reports whether the store is being closed.
func (w *worker) isStopped() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

// run calls due whenever it is woken, and once a tick, until ctx ends.
func (w *worker) run(ctx context.Context, loop int, wake <-chan struct{}, due func(context.Context) error) {
	defer w.done.Done()
	tick := time.NewTicker(workerTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
		err := w.db.mustEnd("background work:", loopNames[loop], func() error { return due(ctx) })
		switch {
		case ctx.Err() != nil || w.db.store.err() != nil: // nothing can be written any more
			return
		case err == nil:
			w.note(loop, nil)
		default:
			w.fail(loop, err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(failurePause):
			}
		}
	}
}

func (w *worker) fail(loop int, err error) {
	f := &failure{error: err}
	w.note(loop, f)
	if isContained(err) {
		w.db.opt.Logger.Error("background work had to leave something as it is", "error", err)
		return
	}
	w.db.opt.Logger.Error("background work failed", "error", err)
	w.failed.Store(f)
}

// note keeps the outcome of a loop's work for Close. Corruption stays: that other work goes well says
// nothing of it.
func (w *worker) note(loop int, f *failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.mu.failures[loop]; f == nil && before != nil && isContained(before.error) {
		return
	}
	w.mu.failures[loop] = f
}

// err returns the failure of the latest background work, nil if it has succeeded since.
func (w *worker) err() error {
	if f := w.failed.Load(); f != nil {
		f.reported.Store(true)
		return fmt.Errorf("%w: %w", ErrBackground, f.error)
	}
	return nil
}

// unreported returns the failures that no call has returned.
func (w *worker) unreported() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, f := range w.mu.failures {
		if f != nil && !f.reported.Load() {
			all = append(all, f.error)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBackground, errors.Join(all...))
}

// settled notes that Settle has done, or returned the error of, all that was to be done.
func (w *worker) settled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.mu.failures[:])
}

func (w *worker) wakeIfFull() {
	if w.db.sealingDue() {
		signal(w.wake)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// busy reports whether events come so fast that they are sealed for want of memory.
func (w *worker) busy() bool { return time.Now().UnixNano()-w.relieved.Load() < int64(busyTime) }

// touch notes that the tenant has new segments.
func (w *worker) touch(t *Tenant) {
	w.mu.Lock()
	w.mu.touched[t] = struct{}{}
	w.mu.Unlock()
}

// sealDue seals what memory or time demands.
func (w *worker) sealDue(ctx context.Context) error {
	for {
		bytes, _ := w.db.hotState()
		if bytes <= w.db.opt.HotBytes {
			break
		}
		w.relieved.Store(time.Now().UnixNano())
		if err := w.db.relieve(ctx); err != nil {
			return err
		}
		if now, _ := w.db.hotState(); now >= bytes {
			break
		}
	}
	if err := w.db.sealIdle(ctx); err != nil {
		return err
	}
	w.failed.Store(nil)
	w.mu.Lock()
	n := len(w.mu.touched)
	w.mu.Unlock()
	if n > 0 {
		signal(w.merge)
	}
	return nil
}

// hotSpan is a candidate for sealing.
type hotSpan struct {
	tenant *Tenant
	key    spanKey
	bytes  int64
	newest int64  // latest arrival
	last   uint64 // newest frame
}

func (db *DB) hotSpans() ([]hotSpan, error) {
	var out []hotSpan
	var failed error
	for _, t := range db.hotTenants() {
		if err := t.ensureLoaded(); err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		for _, s := range t.view.Load().spans {
			if len(s.hot) > 0 {
				newest := s.hot[len(s.hot)-1]
				out = append(out, hotSpan{t, s.key(), s.hotBytes, newest.input.Received, newest.sequence})
			}
		}
	}
	return out, failed
}

// dueSpans are the hot spans that may be sealed now.
func (db *DB) dueSpans() ([]hotSpan, error) {
	spans, err := db.hotSpans()
	return slices.DeleteFunc(spans, func(s hotSpan) bool { return db.worker.shuns(s.tenant, s.key, loopSeal) }), err
}

// relieve seals the days that have waited longest for another event, large ones first, until a
// third of the budget is free.
func (db *DB) relieve(ctx context.Context) error {
	spans, err := db.dueSpans()
	if len(spans) == 0 {
		return err
	}
	large := db.opt.HotBytes / 16
	slices.SortFunc(spans, func(a, b hotSpan) int {
		if (a.bytes >= large) != (b.bytes >= large) {
			if a.bytes >= large {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.last, b.last)
	})
	total, _ := db.hotState()
	excess := total - db.opt.HotBytes*2/3
	var chosen []hotSpan
	for _, s := range spans {
		if excess <= 0 {
			break
		}
		chosen = append(chosen, s)
		excess -= s.bytes
	}
	return db.seal(ctx, sealJobs(chosen))
}

// sealIdle seals days that have had no event for some time.
func (db *DB) sealIdle(ctx context.Context) error {
	spans, err := db.dueSpans()
	due := db.now() - int64(db.opt.SealIdle)
	spans = slices.DeleteFunc(spans, func(s hotSpan) bool { return s.newest > due })
	if len(spans) > 0 {
		err = errors.Join(err, db.seal(ctx, sealJobs(spans)))
	}
	return err
}

func sealJobs(spans []hotSpan) []sealJob {
	byTenant := make(map[*Tenant]int)
	var jobs []sealJob
	for _, s := range spans {
		i, ok := byTenant[s.tenant]
		if !ok {
			i = len(jobs)
			byTenant[s.tenant] = i
			jobs = append(jobs, sealJob{tenant: s.tenant})
		}
		jobs[i].spans = append(jobs[i].spans, s.key)
		jobs[i].bytes += s.bytes
	}
	return jobs
}

// mergeDue merges what has become too many pieces, and drops what retention no longer keeps. It
// waits while memory is short, for sealing then needs the time.
func (w *worker) mergeDue(ctx context.Context) error {
	for w.db.sealingDue() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
	w.mu.Lock()
	var tenants []*Tenant
	for t := range w.mu.touched {
		tenants = append(tenants, t)
	}
	clear(w.mu.touched)
	w.mu.Unlock()
	db := w.db
	db.merging.Lock()
	defer db.merging.Unlock()
	busy := w.busy()
	err := db.mergeTenants(ctx, tenants, false)
	if busy || err != nil && !isContained(err) { // what is left as it is, being busy, is looked at again
		for _, t := range tenants {
			w.touch(t)
		}
	}
	if due := db.now(); due-w.lastRetention.Load() >= int64(retentionTick) || due < w.lastRetention.Load() {
		w.lastRetention.Store(due)
		expireErr := db.expireTenants(ctx)
		if expireErr != nil && !isContained(expireErr) {
			w.lastRetention.Store(0) // try again soon
		}
		err = errors.Join(err, expireErr)
	}
	for _, t := range db.storedTenants() {
		if t.load.done.Load() {
			err = errors.Join(err, t.collect(ctx))
		}
	}
	return errors.Join(err, w.purgeDue(ctx))
}

// expireTenants drops days past retention of all tenants that have one. The caller holds merging.
func (db *DB) expireTenants(ctx context.Context) error {
	var failed []error
	for _, t := range db.storedTenants() {
		if t.settings.Load().record.RetentionDays == 0 {
			continue
		}
		err := t.ensureLoaded()
		if err == nil {
			if hot := t.expiredHot(); len(hot) > 0 {
				err = db.seal(ctx, []sealJob{{tenant: t, spans: hot}})
			}
		}
		if err == nil {
			err = t.expire(ctx)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// waitForMemory holds an append back while unsealed events take hotMax times their budget.
func (db *DB) waitForMemory(ctx context.Context) error {
	for {
		bytes, free := db.hotState()
		if db.opt.NoBackground && bytes > db.opt.HotBytes {
			if err := db.relieve(ctx); err != nil && !isContained(err) { // corruption is another tenant's
				return fmt.Errorf("%w: %w", ErrBackground, err)
			}
			if now, _ := db.hotState(); now >= bytes {
				return nil
			}
			continue
		}
		if bytes < hotMax*db.opt.HotBytes {
			return nil
		}
		if err := db.worker.err(); err != nil {
			return err
		}
		signal(db.worker.wake)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-db.store.failed:
			return db.store.err()
		case <-free:
		case <-time.After(100 * time.Millisecond):
		}
	}
}
