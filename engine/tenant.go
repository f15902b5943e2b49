package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"cairn/engine/frame"
	"cairn/engine/group"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

// Tenant is one customer's events: users, days, settings and limits of its own. It is safe for
// concurrent use.
//
// Lock order: commitMu, mu.
type Tenant struct {
	db       *DB
	name     string
	id       keys.Tenant // set before loaded
	cache    tenantCache
	settings atomic.Pointer[settings]

	// load reads the manifest and the hot log on first use.
	load struct {
		sync.Mutex
		done atomic.Bool
	}

	appends group.Queue[*pending] // those that wait are committed together

	// commitMu is held during a commit. It guards dedup, unsynced, erasures, links and the giving of
	// user numbers.
	commitMu sync.Mutex
	unsynced bool // the newest commit may not be on disk
	dedup    *dedup
	users    *users
	links    *linkLog
	erasures erasures
	blocked  blockedNames // has a lock of its own

	view atomic.Pointer[view]
	mu   struct {
		sync.Mutex
		snapshots map[uint64]int // open snapshots by epoch
		garbage   []garbage
		dropped   bool
	}

	hotBytes atomic.Int64
	ahead    ahead
}

// Name returns the tenant's name.
func (t *Tenant) Name() string { return t.name }

// Tenant returns the tenant of that name. It comes into being with its first append or Configure.
func (db *DB) Tenant(name string) (*Tenant, error) {
	if err := checkTenantName(name); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil, ErrClosed
	}
	if t := db.mu.tenants[name]; t != nil {
		return t, nil
	}
	s, err := newSettings(tenantRecord{WeekStart: 1})
	if err != nil {
		return nil, err
	}
	t := db.newTenant(name, s)
	db.mu.tenants[name] = t
	return t, nil
}

func (db *DB) newTenant(name string, s *settings) *Tenant {
	t := &Tenant{db: db, name: name, id: s.record.ID, cache: tenantCache{db.cache, s.record.ID}}
	t.appends.Take, t.appends.Work = takeAppends, t.commitAppends
	t.settings.Store(s)
	t.view.Store(&view{settings: s})
	return t
}

// Tenants returns the names of the stored tenants, sorted.
func (db *DB) Tenants() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	var names []string
	for name, t := range db.mu.tenants {
		if t.settings.Load().record.ID != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// stored reports whether the tenant is on disk.
func (t *Tenant) stored() bool { return t.settings.Load().record.ID != 0 }

// ensure stores the tenant if it is new, and loads it.
func (t *Tenant) ensure() error {
	if !t.stored() {
		if err := t.create(); err != nil {
			return err
		}
	}
	return t.ensureLoaded()
}

func (t *Tenant) create() error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	if t.stored() {
		return nil
	}
	if t.db.mu.tenants[t.name] != t {
		return errDropped(t.name)
	}
	record := t.settings.Load().record
	record.ID = t.db.mu.nextTenant
	s, err := newSettings(record)
	if err != nil {
		return err
	}
	if err := t.db.store.writeTenant(t.name, record); err != nil {
		return fmt.Errorf("create tenant %q: %w", t.name, err)
	}
	t.db.mu.nextTenant++
	t.id, t.cache.tenant = record.ID, record.ID
	t.update(func(v *view) { v.settings = s })
	t.settings.Store(s)
	return nil
}

// ensureLoaded reads the tenant's state if this is its first use.
func (t *Tenant) ensureLoaded() error {
	if t.load.done.Load() || !t.stored() {
		return nil
	}
	t.load.Lock()
	defer t.load.Unlock()
	if t.load.done.Load() {
		return nil
	}
	if err := t.db.store.err(); errors.Is(err, ErrClosed) {
		return err
	}
	if err := t.read(); err != nil {
		t.db.uncount(t, !isContained(err))
		return fmt.Errorf("load tenant %q: %w", t.name, err)
	}
	t.load.done.Store(true)
	return nil
}

// read builds the first view from the manifest and the hot log.
func (t *Tenant) read() error {
	users, err := openUsers(t.db.store, t.id, t.db.userBudget)
	if err != nil {
		return err
	}
	links, linkView, err := t.readLinks(users)
	if err != nil {
		return err
	}
	v := view{settings: t.settings.Load(), users: users.last, links: linkView}
	erasures, blocked, err := t.readErasures()
	if err != nil {
		return err
	}
	renamed, err := t.db.store.counter(renamedCounter(t.id))
	if err != nil {
		return err
	}
	v.hidden, v.sequence, v.renamed = hiddenOf(erasures.pending), erasures.sequence, renamed
	dedup := newDedup(t, t.db.sequence.Load()+1)
	if err := dedup.readDropped(); err != nil {
		return err
	}
	if err := t.readManifest(&v); err != nil {
		return err
	}
	hotBytes, err := t.readHot(&v, dedup)
	if err != nil {
		return err
	}
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	v.epoch = t.view.Load().epoch + 1
	t.users, t.links, t.dedup, t.erasures = users, links, dedup, erasures
	for hash := range blocked {
		t.blocked.put(hash)
	}
	t.view.Store(&v)
	t.db.addHotBytes(t, hotBytes-t.hotBytes.Load())
	return nil
}

func (t *Tenant) readManifest(v *view) error {
	sealed := make(map[spanKey][]*segmentHandle)
	err := t.db.store.scan(keys.TenantSpan(keys.SpaceManifest, t.id), func(key, value []byte) error {
		k, err := keys.ParseManifest(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		m, _, err := decodeManifest(value)
		if err != nil {
			// Its rows cannot be told; whoever asks for its days gets the error.
			v.edit(damagedSpan(k, value, v.settings.calendar), func(s *span) { s.damage(key, err) })
			return nil
		}
		h := &segmentHandle{ManifestKey: k, summary: *m, tenant: t}
		sealed[h.span()] = append(sealed[h.span()], h)
		v.received = max(v.received, h.RecvMax)
		v.sequence = max(v.sequence, h.SeqMax)
		return nil
	})
	for key, handles := range sealed {
		v.edit(key, func(s *span) { s.addSealed(handles...) })
	}
	return err
}

// readHot replays the frames of the hot log into the view.
func (t *Tenant) readHot(v *view, d *dedup) (hotBytes int64, err error) {
	err = t.db.store.scan(keys.TenantSpan(keys.SpaceHot, t.id), func(key, value []byte) error {
		k, err := keys.ParseHot(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		_, to := v.settings.calendar.day(k.Day)
		day := spanKey{k.Day, to}
		batch, record, err := frame.DecodeEntry(value)
		if err != nil {
			v.edit(day, func(s *span) { s.damage(key, err) })
			return nil
		}
		block := newHotBlock(segment.Input{
			Batch: batch, Users: record.Users, Received: record.Received,
			Rows: withoutRows(batch.Rows, record.Skipped),
		}, k.Sequence)
		d.replay(day, block)
		hotBytes += block.bytes
		v.edit(day, func(s *span) { s.addHot(block) })
		v.received = max(v.received, record.Received)
		v.sequence = max(v.sequence, k.Sequence)
		return nil
	})
	return hotBytes, err
}

// replay takes in the ids of a frame of the hot log.
func (d *dedup) replay(span spanKey, b hotBlock) {
	ids := &b.input.Batch.ID
	if len(ids.Bits) == 0 || d.window < 0 {
		return
	}
	received := b.input.Batch.Received
	source := d.hot.newSource(newIDSource(b.input.Batch, span, b.sequence, b.input.Received))
	stored := rowSet{rows: b.input.Rows}
	for i, code := range ids.Bits {
		if row := ids.Row(i); stored.has(uint32(row)) {
			hash := segment.HashID(ids.Dict.Bytes(uint32(code)))
			arrived := b.input.Received
			if received != nil {
				arrived = received[row]
			}
			d.add(source, uint32(code), hash, b.sequence, arrived, b.input.Received)
		}
	}
}

// rowSet tells for ascending rows whether they are among others; nil has all.
type rowSet struct {
	rows []uint32
	next int
}

func (r *rowSet) has(row uint32) bool {
	if r.rows == nil {
		return true
	}
	for r.next < len(r.rows) && r.rows[r.next] < row {
		r.next++
	}
	return r.next < len(r.rows) && r.rows[r.next] == row
}

// withoutRows returns the rows below n that are not skipped, nil if none is skipped.
func withoutRows(n int, skipped []uint32) []uint32 {
	if len(skipped) == 0 {
		return nil
	}
	out := make([]uint32, 0, n-len(skipped))
	for row := range uint32(n) {
		if len(skipped) > 0 && skipped[0] == row {
			skipped = skipped[1:]
			continue
		}
		out = append(out, row)
	}
	return out
}

// tenantSpaces are the spaces of keys in which a tenant has a share, but for that of chunks.
var tenantSpaces = []byte{
	keys.SpaceErasure, keys.SpaceHot, keys.SpaceID, keys.SpaceLink, keys.SpaceManifest, keys.SpaceName, keys.SpaceUser, keys.SpaceExpired,
}

// DropTenant removes a tenant with all it has, receipts of erasures included, for good. Snapshots of it that are open may fail.
func (db *DB) DropTenant(name string) error {
	db.mu.Lock()
	t := db.mu.tenants[name]
	if t != nil && !t.stored() {
		delete(db.mu.tenants, name)
	}
	db.mu.Unlock()
	if t == nil || !t.stored() {
		return nil
	}
	db.merging.Lock()
	defer db.merging.Unlock()
	db.sealing.Lock()
	defer db.sealing.Unlock()
	t.load.Lock() // nobody may load what is being removed
	defer t.load.Unlock()
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	if t.isDropped() {
		return nil
	}
	b := db.store.db.NewBatch()
	if err := b.Delete(keys.TenantName(name), nil); err != nil {
		return err
	}
	if err := b.Delete(keys.Meta(renamedCounter(t.id)), nil); err != nil {
		return err
	}
	for _, space := range tenantSpaces {
		span := keys.TenantSpan(space, t.id)
		if err := b.DeleteRange(span.Start, span.End, nil); err != nil {
			return err
		}
	}
	if err := db.store.deleteRecords(b, name); err != nil {
		return err
	}
	db.mu.Lock()
	next := db.mu.nextTenant
	db.mu.Unlock()
	if err := setCounter(b, counterTenant, uint64(next)); err != nil { // its number is not given again
		return err
	}
	chunks := garbage{id: dropped | keys.Segment(t.id), span: keys.TenantSpan(keys.SpaceChunk, t.id)}
	if err := chunks.write(b); err != nil {
		return err
	}
	if err := db.store.commit(b, true); err != nil {
		return fmt.Errorf("drop tenant %q: %w", name, err)
	}
	t.mu.Lock()
	t.mu.dropped = true
	t.mu.garbage = nil
	t.load.done.Store(true)
	t.view.Store(&view{epoch: t.view.Load().epoch + 1, settings: t.settings.Load()})
	t.mu.Unlock()
	db.mu.Lock()
	delete(db.mu.tenants, name) // only now may another take the name
	db.mu.Unlock()
	db.addHotBytes(t, math.MinInt64)
	db.cache.drop(t.id)
	db.worker.erasingDone(t)
	if t.users != nil {
		db.userBudget.forget(t.users)
	}
	return db.removeChunks(context.Background(), []garbage{chunks})
}
