package engine

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
