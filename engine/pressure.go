package engine

import "time"

// hotMax is how many times Options.HotBytes unsealed events may take before appends have to wait.
const hotMax = 3

// Pressure says how near appends are to having to wait: 1 and above, they wait for memory or for the
// key-value store; about a third when sealing has begun. It costs next to nothing. A server turns requests
// away before it is 1.
func (db *DB) Pressure() float64 {
	if db.store.stalled.Load() {
		return 1
	}
	hot, _ := db.hotState()
	return float64(hot) / float64(hotMax*db.opt.HotBytes)
}

const (
	// paceBusy is how recent a commit has to be for background work to let others go first.
	paceBusy = 50 * time.Millisecond
	// paceWork is how long it works at a time, and pacePause how long it then waits. What matters is that the
	// processor is given up: the scheduler looks for requests that have come only when it has nothing else to
	// run.
	paceWork  = 500 * time.Microsecond
	pacePause = 100 * time.Microsecond
	// pacePressure is the pressure from which background work waits no longer, so that it keeps up.
	pacePressure = 0.75
	// mergePatience is how long a merge stands still in all for sealing, before it goes on beside it, and
	// mergePause how long at a time.
	mergePatience = 10 * time.Second
	mergePause    = 5 * time.Millisecond
)

// StandStill has background work stand still for some time from now, for something short that is not to share the
// processors with it. 0 lets it go on. What is told last counts. It goes on anyway when unsealed events take so much
// memory that appends would soon have to wait, and when the store is closed.
func (db *DB) StandStill(d time.Duration) { db.still.Store(int64(time.Since(db.opened) + d)) }

// standStill waits until background work may go on.
func (db *DB) standStill() {
	for {
		left := time.Duration(db.still.Load()) - time.Since(db.opened)
		if left <= 0 || db.Pressure() >= pacePressure || db.worker.isStopped() {
			return
		}
		time.Sleep(min(left, pacePause))
	}
}

// pacer returns what sealing calls between pieces of its work. While appends come it gives the processor up
// again and again: on few cores a request would else wait for the time slices of background work.
func (db *DB) pacer() func() {
	worked := time.Now()
	return func() {
		db.standStill()
		now := time.Now()
		if now.Sub(worked) < paceWork {
			return
		}
		if now.UnixNano()-db.committed.Load() < int64(paceBusy) && db.Pressure() < pacePressure {
			time.Sleep(pacePause)
			now = time.Now()
		}
		worked = now
	}
}

// mergePacer is pacer for merging. It stands still while there is something to seal: unsealed events cost
// memory, and appends have to wait for it in the end, while many runs only cost queries time.
func (db *DB) mergePacer() func() {
	pace := db.pacer()
	if db.opt.NoBackground { // nobody would seal meanwhile
		return pace
	}
	patience := mergePatience
	return func() {
		for patience > 0 && db.sealingDue() {
			select {
			case <-db.worker.stopped:
				patience = 0
			case <-time.After(mergePause):
				patience -= mergePause
			}
		}
		pace()
	}
}

// sealingDue reports whether there are more unsealed events than there should be.
func (db *DB) sealingDue() bool {
	bytes, _ := db.hotState()
	return bytes > db.opt.HotBytes
}

// Err returns why the store takes no more writes: ErrFailed after one whose outcome is unknown, ErrClosed;
// nil as long as it does.
func (db *DB) Err() error { return db.store.err() }

// Warm loads the tenants that have unsealed events, so that their first requests need not wait. A tenant
// that cannot be loaded is left alone: its requests say why.
func (db *DB) Warm() {
	for _, t := range db.hotTenants() {
		if db.store.err() != nil {
			return
		}
		if err := t.ensureLoaded(); err != nil {
			db.opt.Logger.Error("load tenant", "tenant", t.name, "error", err)
		}
	}
}

// Exists reports whether a tenant is stored.
func (db *DB) Exists(name string) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	t := db.mu.tenants[name]
	return t != nil && t.stored()
}
