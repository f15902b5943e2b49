package engine

import (
	"sync"
	"sync/atomic"

	"cairn/engine/keys"
	"cairn/engine/segment"
)

const cacheShards = 16

// cache keeps decoded parts of segments, of all tenants. When it is full it lets go first of what
// the tenant holds that holds most, oldest unused first, so that no tenant can push the others out.
type cache struct {
	shards       [cacheShards]cacheShard
	hits, misses atomic.Int64
}

type cacheShard struct {
	mu      sync.Mutex
	limit   int64
	bytes   int64
	entries map[cacheKey]*cacheEntry
	tenants map[keys.Tenant]*cacheQueue
}

type cacheKey struct {
	segment uint64
	chunk   segment.ChunkID
	block   int32
}

type cacheEntry struct {
	key    cacheKey
	value  any
	bytes  int64
	used   bool
	tenant keys.Tenant
}

// cacheQueue holds one tenant's entries, oldest first; one that was used meanwhile goes round again.
type cacheQueue struct {
	bytes   int64
	entries []*cacheEntry
}

func newCache(limit int64) *cache {
	c := &cache{}
	for i := range c.shards {
		c.shards[i].limit = limit / cacheShards
		c.shards[i].entries = make(map[cacheKey]*cacheEntry)
		c.shards[i].tenants = make(map[keys.Tenant]*cacheQueue)
	}
	return c
}

func (c *cache) shard(k cacheKey) *cacheShard {
	h := k.segment*0x9e3779b97f4a7c15 ^ uint64(k.chunk)*0xbf58476d1ce4e5b9 ^ uint64(k.block)*0x94d049bb133111eb
	return &c.shards[h>>32%cacheShards]
}

// tenantCache is the cache as one tenant's segments see it.
type tenantCache struct {
	*cache
	tenant keys.Tenant
}

// Get implements segment.Cache.
func (c tenantCache) Get(seg uint64, id segment.ChunkID, block int) (any, bool) {
	key := cacheKey{seg, id, int32(block)}
	s := c.shard(key)
	s.mu.Lock()
	e := s.entries[key]
	var value any
	if e != nil {
		e.used, value = true, e.value
	}
	s.mu.Unlock()
	if e == nil {
		c.misses.Add(1)
		return nil, false
	}
	c.hits.Add(1)
	return value, true
}

// Put implements segment.Cache. A value larger than an eighth of a shard is not kept.
func (c tenantCache) Put(seg uint64, id segment.ChunkID, block int, value any, sizeBytes int) {
	key := cacheKey{seg, id, int32(block)}
	s := c.shard(key)
	e := &cacheEntry{key: key, value: value, bytes: int64(sizeBytes) + 128, tenant: c.tenant}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.bytes > s.limit/2 || s.entries[key] != nil {
		return
	}
	q := s.tenants[c.tenant]
	if q == nil {
		q = &cacheQueue{}
		s.tenants[c.tenant] = q
	}
	s.entries[key] = e
	q.entries = append(q.entries, e)
	q.bytes += e.bytes
	s.bytes += e.bytes
	if s.bytes > s.limit {
		s.evict(s.limit - s.limit/16)
	}
}

// evict lets go of entries until the shard holds no more than target.
func (s *cacheShard) evict(target int64) {
	for s.bytes > target {
		var tenant keys.Tenant
		var most *cacheQueue
		for t, q := range s.tenants {
			if most == nil || q.bytes > most.bytes {
				tenant, most = t, q
			}
		}
		if most == nil {
			return
		}
		// Down to the target, but no further below than a sixteenth of its own at a time.
		floor := most.bytes - max(most.bytes/16, 1)
		for s.bytes > target && most.bytes > floor && len(most.entries) > 0 {
			e := most.entries[0]
			most.entries[0] = nil
			most.entries = most.entries[1:]
			if e.used && s.entries[e.key] == e {
				e.used = false
				most.entries = append(most.entries, e)
				continue
			}
			s.remove(e, most)
		}
		if len(most.entries) == 0 {
			delete(s.tenants, tenant)
		}
	}
}

func (s *cacheShard) remove(e *cacheEntry, q *cacheQueue) {
	if s.entries[e.key] == e {
		delete(s.entries, e.key)
		q.bytes -= e.bytes
		s.bytes -= e.bytes
	}
}

// drop lets go of everything of a tenant.
func (c *cache) drop(tenant keys.Tenant) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if q := s.tenants[tenant]; q != nil {
			for _, e := range q.entries {
				s.remove(e, q)
			}
			delete(s.tenants, tenant)
		}
		s.mu.Unlock()
	}
}

// CacheStats tell how the cache of decoded segments fares.
type CacheStats struct {
	Bytes, Entries int64
	Hits, Misses   int64
}

func (c *cache) stats() CacheStats {
	out := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		out.Bytes += s.bytes
		out.Entries += int64(len(s.entries))
		s.mu.Unlock()
	}
	return out
}
