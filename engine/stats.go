package engine

import (
	"fmt"
	"sync/atomic"
)

// counters count what the engine has done since it was opened.
type counters struct {
	stored, duplicates, rejected atomic.Int64
	seals, sealedRows            atomic.Int64
	merges, mergedRows           atomic.Int64
	daysDropped                  atomic.Int64
	panics                       atomic.Int64
}

func (c *counters) appended(r *Result) {
	c.stored.Add(int64(r.Stored))
	c.duplicates.Add(int64(r.Duplicates))
	c.rejected.Add(int64(r.Rejected))
}

func (c *counters) sealed(ch *change) {
	c.seals.Add(1)
	for _, h := range ch.added {
		c.sealedRows.Add(int64(h.Rows))
	}
}

func (c *counters) mergedChange(ch *change) {
	c.merges.Add(1)
	for _, h := range ch.added {
		c.mergedRows.Add(int64(h.Rows))
	}
}

// Stats describe a whole data directory.
type Stats struct {
	Tenants   int
	DiskBytes uint64 // of all files of the store
	HotBytes  int64  // memory of unsealed events
	Cache     CacheStats
	// SlowCommits is how many commits have been waiting for the disk for 5 s or longer.
	SlowCommits int64

	// Since Open.
	Stored, Duplicates, Rejected int64
	Seals, SealedRows            int64
	Merges, MergedRows           int64
	DaysDropped                  int64
	Panics                       int64   // contained: each has ended one piece of work, or failed the store
	WriteAmplification           float64 // of the key-value store
}

// Stats returns figures on the directory. They are cheap: no tenant is loaded for them.
func (db *DB) Stats() Stats {
	hot, _ := db.hotState()
	c := &db.counters
	s := Stats{
		Tenants: len(db.storedTenants()), HotBytes: hot, Cache: db.cache.stats(),
		Stored: c.stored.Load(), Duplicates: c.duplicates.Load(), Rejected: c.rejected.Load(),
		Seals: c.seals.Load(), SealedRows: c.sealedRows.Load(),
		Merges: c.merges.Load(), MergedRows: c.mergedRows.Load(), DaysDropped: c.daysDropped.Load(), Panics: c.panics.Load(), SlowCommits: db.store.slow.n.Load(),
	}
	if db.store.use() == nil {
		defer db.store.done()
		m := db.store.db.Metrics()
		s.DiskBytes = m.DiskSpaceUsage()
		total := m.Total()
		s.WriteAmplification = total.WriteAmp()
	}
	return s
}

// TenantStats describe the events of a tenant.
type TenantStats struct {
	Rows, HotRows int // hot ones with hidden ones, see Erase
	Users         int // user strings ever seen
	Partitions    int // days, and wider partitions of days with few events
	Segments      int
	Runs          int // sorted runs; settled, one for each partition
	HotBytes      int64
	// Bytes of sealed segments by kind: directory, data, dictionaries, postings, filters, users.
	Bytes            map[string]int64
	SealedBytes      int64
	TimeMin, TimeMax int64 // Unix nanoseconds, inclusive; of the rows
}

// Stats returns figures on the tenant; it reads the directory of every segment.
func (t *Tenant) Stats() (TenantStats, error) {
	snap := t.Snapshot()
	defer snap.Close()
	if snap.err != nil {
		return TenantStats{}, snap.err
	}
	s := TenantStats{Rows: snap.Rows(), Users: int(snap.view.users), Bytes: make(map[string]int64)}
	r := snap.TimeRange()
	s.TimeMin, s.TimeMax = r.From, max(r.From, r.To-1)
	for _, span := range snap.view.spans {
		s.Partitions++
		s.HotRows += span.hotRows
		s.HotBytes += span.hotBytes
		s.Segments += len(span.sealed)
		s.Runs += len(span.runs())
		for _, h := range span.sealed {
			reader, err := h.reader()
			if err != nil {
				return s, fmt.Errorf("stats of tenant %q: %w", t.name, err)
			}
			b := reader.Info().Bytes
			s.Bytes["directory"] += int64(b.Directory)
			s.Bytes["data"] += int64(b.Data)
			s.Bytes["dictionaries"] += int64(b.Dicts)
			s.Bytes["postings"] += int64(b.Postings)
			s.Bytes["filters"] += int64(b.Blooms)
			s.Bytes["users"] += int64(b.Users)
			s.SealedBytes += int64(h.Bytes)
		}
	}
	return s, nil
}

// PartitionInfo describes a day, or a wider partition of days with few events.
type PartitionInfo struct {
	From, To       int64 // [From, To) in Unix nanoseconds
	Rows, HotRows  int
	Segments, Runs int
	Bytes          int64 // of the sealed segments
	Cold           bool  // all sealed segments are compressed for keeping
}

// Partitions describes the tenant's days in order. Rows of erased users that are stored still count.
func (t *Tenant) Partitions() ([]PartitionInfo, error) {
	if err := t.ensureLoaded(); err != nil {
		return nil, err
	}
	var out []PartitionInfo
	for _, s := range t.view.Load().spans {
		p := PartitionInfo{From: s.from, To: s.to, Rows: s.rows(), HotRows: s.hotRows, Segments: len(s.sealed), Runs: len(s.runs()), Cold: true}
		for _, h := range s.sealed {
			p.Bytes += int64(h.Bytes)
			p.Cold = p.Cold && h.Cold
		}
		out = append(out, p)
	}
	return out, nil
}
