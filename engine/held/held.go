// Package held keeps snapshots open for a short while after they were used, so that a question can be asked
// of the same snapshot again: for the next page, or for another chart beside the first.
//
// A snapshot is found by the tenant and its ID, from when it was taken until it has not been used for some
// time, or so many others of the tenant have been used since. Until then what it needs stays on disk.
package held

import (
	"sync"
	"time"
)

// Snapshot is what is kept; *engine.Snapshot is one.
type Snapshot interface {
	// ID names what the snapshot holds.
	ID() string
	// Close ends its use. It is called once, and must not call the keeper.
	Close()
}

// Options say how much is kept. The zero value works.
type Options struct {
	// For is how long after its last use a snapshot is kept; default one minute.
	For time.Duration
	// PerTenant is how many snapshots of a tenant can be found at most; default 8. Those in use that can
	// no longer be found are not among them.
	PerTenant int
}

// EnsureDefaults fills in what is not set.
func (o *Options) EnsureDefaults() {
	if o.For <= 0 {
		o.For = time.Minute
	}
	if o.PerTenant <= 0 {
		o.PerTenant = 8
	}
}

// Snapshots keeps snapshots of many tenants. It is safe for concurrent use.
type Snapshots[S Snapshot] struct {
	opt Options
	mu  struct {
		sync.Mutex
		tenants map[string][]*entry[S] // those to be found, the longest unused first
		timer   *time.Timer            // nil: nothing is to expire
		closed  bool
	}
}

// entry is one snapshot. It is guarded by Snapshots.mu.
type entry[S Snapshot] struct {
	snapshot S
	id       string
	uses     int
	last     time.Time // end of the last use
	found    bool      // is in the list of its tenant
}

// New returns a keeper of snapshots. Close it.
func New[S Snapshot](opt Options) *Snapshots[S] {
	opt.EnsureDefaults()
	s := &Snapshots[S]{opt: opt}
	s.mu.tenants = make(map[string][]*entry[S])
	return s
}

// Use is one use of a snapshot.
type Use[S Snapshot] struct {
	// Snapshot may be used until Release. Others use it as well: it is not to be closed.
	Snapshot S
	entry    *entry[S]
	keeper   *Snapshots[S]
	once     sync.Once
}

// Take starts the use of a snapshot that was just taken of a tenant, which is closed when nobody uses it and
// its time is over. An older one of the same ID gives way: of two that hold the same the newer one needs
// less disk.
func (s *Snapshots[S]) Take(tenant string, snapshot S) *Use[S] {
	e := &entry[S]{snapshot: snapshot, id: snapshot.ID(), uses: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.closed {
		list := s.mu.tenants[tenant]
		for i, old := range list {
			if old.id == e.id {
				old.leave()
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if len(list) >= s.opt.PerTenant {
			list[0].leave()
			list = list[1:]
		}
		e.found = true
		s.mu.tenants[tenant] = append(list[:len(list):len(list)], e)
	}
	return &Use[S]{Snapshot: snapshot, entry: e, keeper: s}
}

// Find starts another use of a tenant's snapshot; false if it is no longer kept.
func (s *Snapshots[S]) Find(tenant, id string) (*Use[S], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.mu.tenants[tenant]
	for i, e := range list {
		if e.id == id && !e.over(s.opt.For) {
			e.uses++
			s.mu.tenants[tenant] = append(append(list[:i:i], list[i+1:]...), e)
			return &Use[S]{Snapshot: e.snapshot, entry: e, keeper: s}, true
		}
	}
	return nil, false
}

// Release ends the use. Further calls do nothing.
func (u *Use[S]) Release() {
	u.once.Do(func() {
		s, e := u.keeper, u.entry
		s.mu.Lock()
		defer s.mu.Unlock()
		e.last = time.Now()
		if e.uses--; e.uses > 0 {
			return
		}
		if e.found {
			s.watch(s.opt.For)
		} else {
			e.snapshot.Close()
		}
	})
}

// Forget lets no snapshot of a tenant be found any more, as must be when a user was erased, or the tenant
// dropped. Those in use are closed when their uses end.
func (s *Snapshots[S]) Forget(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(tenant)
}

func (s *Snapshots[S]) forget(tenant string) {
	for _, e := range s.mu.tenants[tenant] {
		e.leave()
	}
	delete(s.mu.tenants, tenant)
}

// Close closes what nobody uses, and from now on keeps nothing.
func (s *Snapshots[S]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	if s.mu.timer != nil {
		s.mu.timer.Stop()
	}
	for tenant := range s.mu.tenants {
		s.forget(tenant)
	}
}

// leave marks an entry that its list has no more, and closes its snapshot unless it is used.
func (e *entry[S]) leave() {
	if e.found = false; e.uses == 0 {
		e.snapshot.Close()
	}
}

// over reports whether an entry has not been used for a time.
func (e *entry[S]) over(keep time.Duration) bool { return e.uses == 0 && time.Since(e.last) >= keep }

// watch looks for what is over after a time, unless that is done already. The caller holds mu.
func (s *Snapshots[S]) watch(after time.Duration) {
	if s.mu.timer == nil && !s.mu.closed {
		s.mu.timer = time.AfterFunc(after, s.expire)
	}
}

// expire closes what is over, and comes again when the next one will be.
func (s *Snapshots[S]) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.timer = nil
	next := time.Duration(-1)
	for tenant, list := range s.mu.tenants {
		var kept []*entry[S]
		for _, e := range list {
			if e.over(s.opt.For) {
				e.leave()
				continue
			}
			kept = append(kept, e)
			if left := s.opt.For - time.Since(e.last); e.uses == 0 && (next < 0 || left < next) {
				next = left
			}
		}
		if s.mu.tenants[tenant] = kept; len(kept) == 0 {
			delete(s.mu.tenants, tenant)
		}
	}
	if next >= 0 {
		s.watch(next)
	}
}
