// Package engine is an embeddable store of events: it takes batches in durably, keeps them sorted by
// user and time in indexed columnar segments, and gives queries a snapshot to read.
//
//	db, err := engine.Open(dir, engine.Options{})
//	t, err := db.Tenant("default")
//	verdicts, err := t.Append(ctx, events)   // or AppendBatch of columns, or a Writer of single events
//	snap := t.Snapshot()
//
// An append writes one frame for each day of its events into the hot log, a keyspace of Pebble, with
// one fsync for all appends that wait together, and keeps the batch in memory as a hot block. A
// background worker seals the hot blocks of a day into a segment, whose chunks are ingested past the
// log, and merges segments until a closed day is one sorted run.
//
// Events keep the user id that they came with. Tenant.Link logs that two ids are one person; snapshots resolve
// that when they read, so a link goes for the past too, and can be taken back.
package engine

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"cairn/engine/keys"
)

// DB is an open data directory. It is safe for concurrent use.
//
// Lock order: merging, sealing, installing, DB.mu, Tenant.commitMu, Tenant.mu, DB.hot.
type DB struct {
	dir   string
	opt   Options
	store *store
	cache *cache
	// userBudget is shared by the dictionaries of users.
	userBudget *userBudget

	mu struct {
		sync.Mutex
		tenants     map[string]*Tenant
		nextTenant  keys.Tenant
		nextSegment keys.Segment
		closed      bool
	}

	// hot counts the bytes of unsealed events.
	hot struct {
		sync.Mutex
		tenants map[*Tenant]struct{}
		bytes   int64
		free    chan struct{} // closed and made anew when memory has become free
	}

	// sealing is held by whoever turns hot blocks into segments, merging by whoever replaces or
	// drops segments, installing while a manifest change is written.
	sealing, merging, installing sync.Mutex

	// erasing are the tenants that Open finds with erasures to be completed.
	erasing []*Tenant

	sequence     atomic.Uint64 // of the newest frame
	opened       time.Time
	still        atomic.Int64  // until when background work stands still, since opened
	committed    atomic.Int64  // time of the latest commit by the machine's clock, Unix nanoseconds
	linkedCopies atomic.Uint64 // made so far, of rows of linked users
	worker       *worker
	counters     counters
}

// Open opens the data directory, making it if it is not there or empty. Another process that has it
// open makes it fail with ErrLocked, a newer format with ErrNewerFormat.
func Open(dir string, opt Options) (*DB, error) {
	opt = opt.EnsureDefaults()
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	s, err := openStore(dir, opt)
	if err != nil {
		return nil, err
	}
	db := &DB{dir: dir, opt: opt, opened: time.Now(), store: s, cache: newCache(opt.CacheBytes), userBudget: newUserBudget(opt.UserCacheEntries)}
	if err := db.read(); err != nil {
		_ = s.close()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	db.worker = startWorker(db)
	return db, nil
}

// read loads what all tenants share; a tenant's own state is read on its first use.
func (db *DB) read() error {
	db.mu.tenants = make(map[string]*Tenant)
	db.mu.nextTenant = 1
	db.hot.tenants = make(map[*Tenant]struct{})
	db.hot.free = make(chan struct{})
	byID := make(map[keys.Tenant]*Tenant)
	var failed error
	err := db.store.readTenants(func(name string, record tenantRecord) {
		s, err := newSettings(record)
		if err != nil {
			failed = err
			return
		}
		t := db.newTenant(name, s)
		db.mu.tenants[name], byID[t.id] = t, t
		db.mu.nextTenant = max(db.mu.nextTenant, t.id+1)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	next, err := db.store.counter(counterTenant)
	if err != nil {
		return err
	}
	db.mu.nextTenant = max(db.mu.nextTenant, keys.Tenant(next))
	segments, err := db.store.counter(counterSegment)
	if err != nil {
		return err
	}
	db.mu.nextSegment = max(1, keys.Segment(segments))
	sequence, err := db.store.counter(counterSequence)
	if err != nil {
		return err
	}
	db.sequence.Store(sequence)
	if err := db.readHotSizes(byID); err != nil {
		return err
	}
	if err := db.findErasing(byID); err != nil {
		return err
	}
	return db.removeOrphans()
}

const (
	counterTenant   = "next tenant"
	counterSegment  = "next segment"
	counterSequence = "sequence"
)

// hotExpansion is about how much more memory than disk a frame takes.
const hotExpansion = 4

// readHotSizes finds out, without reading frames, which tenants have a hot log.
func (db *DB) readHotSizes(tenants map[keys.Tenant]*Tenant) error {
	return db.store.scanSizes(keys.Space(keys.SpaceHot), func(key []byte, size int) error {
		k, err := keys.ParseHot(key)
		if err != nil {
			return &CorruptionError{Key: append([]byte(nil), key...), Err: err}
		}
		db.sequence.Store(max(db.sequence.Load(), k.Sequence))
		if t := tenants[k.Tenant]; t != nil {
			db.addHotBytes(t, int64(size)*hotExpansion)
		}
		return nil
	})
}

// addHotBytes counts unsealed bytes of a tenant; math.MinInt64 takes all of the tenant's away.
func (db *DB) addHotBytes(t *Tenant, bytes int64) {
	db.hot.Lock()
	defer db.hot.Unlock()
	if bytes == math.MinInt64 {
		bytes = -t.hotBytes.Load()
	}
	db.hot.bytes += bytes
	if t.hotBytes.Add(bytes) > 0 {
		db.hot.tenants[t] = struct{}{}
	} else {
		delete(db.hot.tenants, t)
	}
	if bytes < 0 {
		close(db.hot.free)
		db.hot.free = make(chan struct{})
	}
}

// uncount takes back the estimate of a tenant that could not be loaded, for nothing of it is in
// memory. Background work tries again if again is set.
func (db *DB) uncount(t *Tenant, again bool) {
	db.addHotBytes(t, math.MinInt64)
	if again {
		db.hot.Lock()
		db.hot.tenants[t] = struct{}{}
		db.hot.Unlock()
	}
}

// hotState returns the bytes of unsealed events, and a channel that is closed when there are fewer.
func (db *DB) hotState() (int64, <-chan struct{}) {
	db.hot.Lock()
	defer db.hot.Unlock()
	return db.hot.bytes, db.hot.free
}

// hotTenants returns the tenants that have unsealed events.
func (db *DB) hotTenants() []*Tenant {
	db.hot.Lock()
	defer db.hot.Unlock()
	out := make([]*Tenant, 0, len(db.hot.tenants))
	for t := range db.hot.tenants {
		out = append(out, t)
	}
	return out
}

// storedTenants returns all tenants that are on disk.
func (db *DB) storedTenants() []*Tenant {
	db.mu.Lock()
	defer db.mu.Unlock()
	out := make([]*Tenant, 0, len(db.mu.tenants))
	for _, t := range db.mu.tenants {
		if t.stored() {
			out = append(out, t)
		}
	}
	return out
}

func (db *DB) now() int64 { return db.opt.Now().UnixNano() }

// Close stops background work, waits for reads that have begun, and closes the directory; a read of a
// snapshot after that returns ErrClosed, unless the cache has what it needs. Unsealed events stay in
// the hot log. An error of background work that no other call has returned comes with ErrBackground; the
// directory is closed all the same.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.mu.closed {
		db.mu.Unlock()
		return ErrClosed
	}
	db.mu.closed = true
	tenants := make([]*Tenant, 0, len(db.mu.tenants))
	for _, t := range db.mu.tenants {
		tenants = append(tenants, t)
	}
	db.mu.Unlock()
	db.worker.stop()
	db.worker.done.Wait()
	for _, t := range tenants { // let commits that have begun come to their end
		t.commitMu.Lock()
	}
	err := db.store.close()
	if err == nil {
		err = db.worker.unreported()
	}
	for _, t := range tenants {
		t.commitMu.Unlock()
	}
	return err
}
