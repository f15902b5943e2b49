package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const storeDir = "store"

// store is the key-value store under the engine: Pebble, with the errors that Pebble would end the
// process for turned into ErrFailed.
type store struct {
	db      *pebble.DB
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	lock    *pebble.Lock
	options *pebble.Options

	failed   chan struct{} // closed after the log could not be written
	failOnce sync.Once
	failure  atomic.Pointer[error]
	closed   atomic.Bool
	stalled  atomic.Bool   // commits wait for flushes or compactions
	users    atomic.Int64  // calls into Pebble on their way, and open iterators
	idle     chan struct{} // gets a token when the last of them ends after closed is set
	guards   guards
	slow     slowCommits
	stuck    struct { // flushes or compactions fail, and are tried again and again
		sync.Mutex
		since time.Time // zero: they do not
		err   error
	}
	sstables atomic.Uint64 // numbers for tables on their way in
}

func openStore(dir string, o Options) (*store, error) {
	s := &store{fs: o.FS, dir: dir, log: o.Logger, failed: make(chan struct{}), idle: make(chan struct{}, 1), guards: newGuards()}
	if err := makeDir(s.fs, dir); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, s.fs)
	if err != nil {
		if isLocked(err) {
			return nil, fmt.Errorf("open %s: %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	s.lock = lock
	if err := s.open(o); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return s, nil
}

func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock held")
}

func (s *store) open(o Options) error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	path := s.fs.PathJoin(s.dir, storeDir)
	if err := makeDir(s.fs, path); err != nil {
		return err
	}
	cache := pebble.NewCache(o.BlockCacheBytes)
	defer cache.Unref()
	s.options = pebbleOptions(o, cache, s)
	db, err := openPebble(path, s.options)
	if failure := s.err(); failure != nil {
		if err == nil {
			_ = db.Close()
		}
		return failure
	}
	if err != nil {
		return err
	}
	s.db = db
	return s.removeStrays()
}

// openPebble turns the panics that Pebble has for some failing writes into errors.
func openPebble(path string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open store: %v", p)
		}
	}()
	return pebble.Open(path, o)
}

func (s *store) fail(cause error) {
	s.failOnce.Do(func() {
		err := fmt.Errorf("%w: %w", ErrFailed, cause)
		s.failure.Store(&err)
		close(s.failed)
		s.log.Error("store failed", "error", cause)
	})
}

// err returns why the store takes no more writes, or nil.
func (s *store) err() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// backgroundError notes that a flush or compaction has failed, or, given nil, that a flush has not.
func (s *store) backgroundError(err error) {
	s.stuck.Lock()
	defer s.stuck.Unlock()
	if err == nil {
		s.stuck.since = time.Time{}
	} else if s.stuck.since.IsZero() {
		s.stuck.since = time.Now()
		s.log.Warn("store cannot write tables", "error", err)
	}
	s.stuck.err = err
}

// stuckError returns why tables could not be written for at least as long as patience.
func (s *store) stuckError(patience time.Duration) error {
	s.stuck.Lock()
	defer s.stuck.Unlock()
	if s.stuck.since.IsZero() || time.Since(s.stuck.since) < patience {
		return nil
	}
	return fmt.Errorf("write tables: %w", s.stuck.err)
}

const (
	// stuckPatience is how long a commit waits for room while tables cannot be written.
	stuckPatience = 10 * time.Second
	// flushPatience is how long a flush on demand waits.
	flushPatience = time.Second
)

// flush writes the write buffers to tables.
func (s *store) flush() error {
	return s.guarded(func() error {
		done, err := s.db.AsyncFlush()
		if err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		tick := time.NewTicker(flushPatience / 10)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return nil
			case <-tick.C:
				if err := s.stuckError(flushPatience); err != nil {
					return fmt.Errorf("flush: %w", err)
				}
			}
		}
	})
}

// commit writes the batch; with sync it is on disk when commit returns. The batch is closed, unless
// the store fails.
func (s *store) commit(b *pebble.Batch, sync bool) error {
	opt := pebble.NoSync
	if sync {
		opt = pebble.Sync
	}
	return s.guardedAs(func() error {
		err := b.Commit(opt)
		if s.err() == nil {
			_ = b.Close()
		}
		return err
	}, &s.slow)
}

// tableEntry is one key and value of a table to be ingested; nil deletes the key.
type tableEntry struct {
	key, value []byte
}

// ingest writes the entries, ascending by key, into a table and adds it to the store, past the log.
func (s *store) ingest(ctx context.Context, entries []tableEntry) error {
	if err := s.err(); err != nil {
		return err
	}
	name := s.fs.PathJoin(s.dir, fmt.Sprintf("ingest-%06d.sst", s.sstables.Add(1)))
	err := s.writeTable(name, entries)
	if err == nil {
		err = s.guarded(func() error {
			_, err := s.db.IngestWithStats(ctx, []string{name})
			return err
		})
	}
	if err != nil {
		_ = s.fs.Remove(name)
		return fmt.Errorf("ingest %d chunks: %w", len(entries), err)
	}
	return nil
}

func (s *store) writeTable(name string, entries []tableEntry) error {
	f, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	opt := s.options.MakeWriterOptions(len(s.options.Levels)-1, s.db.TableFormat())
	opt.Compression = block.NoCompression
	opt.FilterPolicy = pebble.NoFilterPolicy
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), opt)
	for _, e := range entries {
		var err error
		if e.value == nil {
			err = w.Delete(e.key)
		} else {
			err = w.Set(e.key, e.value)
		}
		if err != nil {
			_ = w.Close()
			return err
		}
	}
	return w.Close()
}

// removeStrays removes tables that a crash left before they were ingested.
func (s *store) removeStrays() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "ingest-") && strings.HasSuffix(name, ".sst") {
			if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// close closes Pebble and frees the directory. If the log has failed, Pebble may not come to an end;
// then the directory stays locked until the process ends, for it may still be written to.
func (s *store) close() error {
	failure := s.err()
	if s.closed.Swap(true) {
		return ErrClosed
	}
	defer close(s.guards.ended)
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				closed <- fmt.Errorf("close: %v", p)
			}
		}()
		s.waitIdle()
		closed <- s.db.Close()
	}()
	var patience <-chan time.Time
	if failure != nil {
		patience = time.After(closePatience)
	}
	select {
	case err := <-closed:
		if lockErr := s.lock.Close(); err == nil {
			err = lockErr
		}
		if failure != nil {
			return failure
		}
		return err
	case <-patience:
		return fmt.Errorf("%w; it could not be closed either and stays locked until the process ends", failure)
	}
}

// closePatience is how long a failed store may take to close.
const closePatience = 5 * time.Second
