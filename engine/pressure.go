package engine

import "time"

// Pressure says how near appends are to having to wait: 1 and above, they wait for memory or for the
// key-value store; about 0.5 when sealing has begun. It costs next to nothing. A server turns requests
// away before it is 1.
func (db *DB) Pressure() float64 {
	if db.store.stalled.Load() {
		return 1
	}
	hot, _ := db.hotState()
	return float64(hot) / float64(2*db.opt.HotBytes)
}

const (
	// paceBusy is how recent a commit has to be for background work to let others go first.
	paceBusy = 50 * time.Millisecond
	// pacePause is how long it then waits at a time. What matters is that the processor is given up: the
	// scheduler looks for requests that have come only when it has nothing else to run.
	pacePause = 100 * time.Microsecond
	// pacePressure is the pressure from which background work waits no longer, so that it keeps up.
	pacePressure = 0.75
)

// pace is called by sealing and merging every few milliseconds. While appends come it gives the processor
// up for a moment: on few cores a request would else wait for the time slices of background work.
func (db *DB) pace() {
	if time.Now().UnixNano()-db.committed.Load() < int64(paceBusy) && db.Pressure() < pacePressure {
		time.Sleep(pacePause)
	}
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
