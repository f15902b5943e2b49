package engine

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configure Open. The zero value works; sizes are in bytes.
type Options struct {
	// FS is the file system; default the operating system's.
	FS vfs.FS
	// Now is the clock; default time.Now. It is called from several goroutines.
	Now func() time.Time
	// Logger gets rare messages on background work; default none.
	Logger *slog.Logger

	// HotBytes is the memory for unsealed events of all tenants. Sealing starts at it, and appends
	// wait at three times it. Default 64 MiB.
	HotBytes int64
	// CacheBytes is the memory for decoded parts of segments, of all tenants. Default 512 MiB.
	CacheBytes int64
	// BlockCacheBytes is the memory for blocks of the key-value store. Default 64 MiB.
	BlockCacheBytes int64
	// MemTableBytes is the size of one write buffer of the key-value store. Default 32 MiB.
	MemTableBytes int64
	// UserCacheEntries bounds the user strings kept in memory for look-up, of all tenants
	// together; the tenant with the most lets go first. Default one million, at least 1,024.
	UserCacheEntries int
	// Workers is the number of goroutines that seal and merge. Default 1 on up to four CPUs, else 2.
	Workers int
	// SealIdle is the time without appends after which a day's unsealed events are sealed. Default
	// 5 minutes.
	SealIdle time.Duration
	// NoBackground leaves sealing, merging and retention to Settle and to the memory limit.
	NoBackground bool

	// DedupWindow is the time, by arrival, within which an insert id is stored once. Default 7 days;
	// negative: no de-duplication.
	DedupWindow time.Duration
	// FutureLimit is how far ahead of the clock an event may be. Default 24 hours.
	FutureLimit time.Duration
	// Limits bound the parts of an event.
	Limits Limits

	// BlockRows and MaxBlocks make segments small, for tests: rows of a block (a power of two up to
	// 65,536) and blocks of a segment (up to 16).
	BlockRows, MaxBlocks int
}

// Limits bound the parts of one event, in bytes; an event beyond them is rejected alone.
type Limits struct {
	NameBytes  int // event and field names; default 1 KiB
	UserBytes  int // default 1 KiB
	IDBytes    int // insert ids; default 1 KiB
	ValueBytes int // strings and lists; default 1 MiB
	Fields     int // default 2,000
}

// EnsureDefaults fills in the defaults and returns the options.
func (o Options) EnsureDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.HotBytes, 64<<20)
	setDefault(&o.CacheBytes, 512<<20)
	setDefault(&o.BlockCacheBytes, 64<<20)
	setDefault(&o.MemTableBytes, 32<<20)
	setDefault(&o.UserCacheEntries, 1<<20)
	setDefault(&o.SealIdle, 5*time.Minute)
	setDefault(&o.DedupWindow, 7*24*time.Hour)
	setDefault(&o.FutureLimit, 24*time.Hour)
	setDefault(&o.Limits.NameBytes, 1<<10)
	setDefault(&o.Limits.UserBytes, 1<<10)
	setDefault(&o.Limits.IDBytes, 1<<10)
	setDefault(&o.Limits.ValueBytes, 1<<20)
	setDefault(&o.Limits.Fields, 2000)
	workers := 1
	if runtime.GOMAXPROCS(0) > 4 {
		workers = 2
	}
	setDefault(&o.Workers, workers)
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

// Validate refuses options that cannot work; it expects the defaults filled in.
func (o Options) Validate() error {
	switch {
	case o.HotBytes < 0 || o.CacheBytes < 0 || o.BlockCacheBytes < 0 || o.UserCacheEntries < 0:
		return fmt.Errorf("engine: a size in the options is negative: %v", o)
	case o.MemTableBytes < 64<<10 || o.MemTableBytes > 1<<30:
		return fmt.Errorf("engine: MemTableBytes %d is not in 64 KiB to 1 GiB", o.MemTableBytes)
	case o.Workers < 1 || o.Workers > 64:
		return fmt.Errorf("engine: Workers %d is not in 1 to 64", o.Workers)
	case o.BlockRows < 0 || o.BlockRows > 1<<16 || o.BlockRows&(o.BlockRows-1) != 0:
		return fmt.Errorf("engine: BlockRows %d is not a power of two up to 65536", o.BlockRows)
	case o.MaxBlocks < 0 || o.MaxBlocks > 16:
		return fmt.Errorf("engine: MaxBlocks %d is not in 1 to 16", o.MaxBlocks)
	}
	return nil
}

// String prints the options that have a size or a time.
func (o Options) String() string {
	return fmt.Sprintf("hot=%d cache=%d block-cache=%d memtable=%d user-cache=%d workers=%d seal-idle=%v dedup=%v future=%v",
		o.HotBytes, o.CacheBytes, o.BlockCacheBytes, o.MemTableBytes, o.UserCacheEntries, o.Workers, o.SealIdle, o.DedupWindow, o.FutureLimit)
}
