package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// userBudget bounds the user strings that all tenants together keep in memory. When there are too
// many, the tenant with the most lets go of those that it has used least.
type userBudget struct {
	limit   int
	entries atomic.Int64

	mu      sync.Mutex
	tenants map[*users]struct{} // that have entries
}

func newUserBudget(limit int) *userBudget {
	return &userBudget{limit: max(1024, limit), tenants: make(map[*users]struct{})}
}

// take counts an entry that u has added, its first if first is set. u is not locked.
func (b *userBudget) take(u *users, first bool) {
	total := b.entries.Add(1)
	if first {
		b.mu.Lock()
		b.tenants[u] = struct{}{}
		b.mu.Unlock()
	}
	if total > int64(b.limit) && b.mu.TryLock() { // one that makes room is enough
		defer b.mu.Unlock()
		b.shrink()
	}
}

// shrink lets go of entries until a sixteenth of the budget is free, those of the largest tenants
// first. The caller holds mu.
func (b *userBudget) shrink() {
	bySize := slices.Collect(maps.Keys(b.tenants))
	size := make(map[*users]int64, len(bySize))
	for _, u := range bySize {
		size[u] = u.cached.Load()
	}
	slices.SortFunc(bySize, func(a, b *users) int { return cmp.Compare(size[b], size[a]) })
	for i, u := range bySize {
		next := int64(0)
		if i+1 < len(bySize) {
			next = size[bySize[i+1]]
		}
		for range 2 { // both generations at most
			if b.entries.Load() <= int64(b.limit-b.limit/16) {
				return
			}
			u.mu.Lock()
			if u.age() == 0 {
				u.age()
			}
			u.mu.Unlock()
			if left := u.cached.Load(); left == 0 {
				delete(b.tenants, u)
				break
			} else if left < next {
				break
			}
		}
	}
}

// forget takes the entries of a dropped tenant away.
func (b *userBudget) forget(u *users) {
	b.mu.Lock()
	delete(b.tenants, u)
	b.mu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.cached.Load() > 0 {
		u.age()
	}
}
