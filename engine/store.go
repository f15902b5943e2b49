package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cairn/engine/keys"
)

// FormatVersion is the version of everything in a data directory.
//
//	1  first version
const FormatVersion = 1

const (
	formatFile   = "CAIRN"
	storeDir     = "store"
	formatPrefix = "cairn format "
)

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
	stuck    struct { // flushes or compactions fail, and are tried again and again
		sync.Mutex
		since time.Time // zero: they do not
		err   error
	}
	sstables atomic.Uint64 // numbers for tables on their way in
}

func openStore(dir string, o Options) (*store, error) {
	s := &store{fs: o.FS, dir: dir, log: o.Logger, failed: make(chan struct{})}
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

// checkFormat reads the format file, or writes it into an empty directory.
func (s *store) checkFormat() error {
	name := s.fs.PathJoin(s.dir, formatFile)
	data, err := readFile(s.fs, name)
	if err == nil {
		var version int
		if _, err := fmt.Sscanf(string(data), formatPrefix+"%d\n", &version); err != nil {
			return fmt.Errorf("%w: %s says %q", ErrNotCairn, formatFile, data)
		}
		if version > FormatVersion {
			return fmt.Errorf("%w: format %d, this program knows up to %d: use the newer program", ErrNewerFormat, version, FormatVersion)
		}
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "LOCK" && name != formatFile+".new" {
			return fmt.Errorf("%w: it has %s but no file %s", ErrNotCairn, name, formatFile)
		}
	}
	return writeFile(s.fs, s.dir, formatFile, []byte(fmt.Sprintf("%s%d\n", formatPrefix, FormatVersion)))
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, stat.Size())
	if _, err := f.ReadAt(data, 0); err != nil && stat.Size() > 0 {
		return nil, err
	}
	return data, nil
}

// writeFile makes a small file appear whole or not at all, for good.
func writeFile(fs vfs.FS, dir, name string, data []byte) error {
	path := fs.PathJoin(dir, name)
	f, err := fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := fs.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// makeDir makes a directory, and those above it, for good.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "" {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

func pebbleOptions(o Options, cache *pebble.Cache, s *store) *pebble.Options {
	p := &pebble.Options{
		Cache:                       cache,
		FS:                          storeFS{o.FS, s},
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                4096,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             512 << 10,
		FlushDelayDeleteRange:       10 * time.Second,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      pebbleLogger{s},
		Cleaner:                     pebble.ArchiveCleaner{},
	}
	p.Experimental.EnableColumnarBlocks = func() bool { return true }
	p.Experimental.FileCacheShards = 2
	// Frames are written once and range-deleted within minutes: kept out of the tables, a
	// compaction does not move them.
	p.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: 4 << 10, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.3,
		}
	}
	p.Experimental.SpanPolicyFunc = separateFrames
	p.TargetFileSizes[0] = 16 << 20
	for i := range p.Levels {
		p.Levels[i].BlockSize = 32 << 10
		p.Levels[i].IndexBlockSize = 256 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	last := len(p.Levels) - 1
	p.Levels[last].FilterPolicy = pebble.NoFilterPolicy
	p.Levels[last].Compression = func() *sstable.CompressionProfile { return block.ZstdCompression }
	p.EventListener = &pebble.EventListener{
		BackgroundError: s.backgroundError,
		FlushEnd: func(i pebble.FlushInfo) {
			if i.Err == nil {
				s.backgroundError(nil)
			}
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) { o.Logger.Warn("store write stall", "reason", i.Reason) },
	}
	return p
}

// separateFrames keeps all values but frames in the tables: one of them beside frames would keep the
// file of both.
func separateFrames(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	hot := keys.Space(keys.SpaceHot)
	inTable := pebble.SpanPolicy{ValueStoragePolicy: pebble.ValueStorageLowReadLatency}
	switch {
	case bytes.Compare(start, hot.Start) < 0:
		return inTable, hot.Start, nil
	case bytes.Compare(start, hot.End) < 0:
		return pebble.SpanPolicy{}, hot.End, nil
	}
	return inTable, nil, nil
}

// pebbleLogger receives what Pebble would print, and what it would end the process for.
type pebbleLogger struct{ s *store }

func (pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Warn("store", "message", fmt.Sprintf(format, args...))
}

// Fatalf is called when a commit failed in the log. It returns, and the store takes no more writes.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.s.fail(fmt.Errorf(format, args...))
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

// guarded runs a call into Pebble that may panic, or never return, once the log has failed.
func (s *store) guarded(call func() error) error {
	if err := s.err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				s.fail(fmt.Errorf("%v", p))
			}
		}()
		done <- call()
	}()
	tick := time.NewTicker(stuckPatience / 10)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err == nil {
				err = s.err()
			}
			return err
		case <-s.failed:
			return s.err()
		case <-tick.C:
			if err := s.stuckError(stuckPatience); err != nil {
				s.fail(err) // whether the call comes about is not known
			}
		}
	}
}

// commit writes the batch; with sync it is on disk when commit returns. The batch is closed, unless
// the store fails.
func (s *store) commit(b *pebble.Batch, sync bool) error {
	opt := pebble.NoSync
	if sync {
		opt = pebble.Sync
	}
	return s.guarded(func() error {
		err := b.Commit(opt)
		if s.err() == nil {
			_ = b.Close()
		}
		return err
	})
}

// get returns a copy of a value, or nil if there is none.
func (s *store) get(key []byte) ([]byte, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.readError(key, err)
	}
	out := append(make([]byte, 0, len(value)), value...)
	return out, closer.Close()
}

func (s *store) readError(key []byte, err error) error {
	if pebble.IsCorruptionError(err) {
		return &CorruptionError{Key: key, Err: err}
	}
	return fmt.Errorf("read %s: %w", keys.Format(key), err)
}

// scan calls visit for every key of the span in order; key and value are valid during the call.
func (s *store) scan(span keys.Span, visit func(key, value []byte) error) error {
	it, err := s.iterate(span)
	if err != nil {
		return fmt.Errorf("iterate: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = visit(it.Key(), value)
		} else {
			err = s.readError(append([]byte(nil), it.Key()...), err)
		}
		if err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return s.readError(span.Start, err)
	}
	return it.Close()
}

// table is one key and value of a table to be ingested.
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
		if err := w.Set(e.key, e.value); err != nil {
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
	closed := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				closed <- fmt.Errorf("close: %v", p)
			}
		}()
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

// scanSizes calls visit for every key of the span with the size of its value, which is not read.
func (s *store) scanSizes(span keys.Span, visit func(key []byte, size int) error) error {
	it, err := s.iterate(span)
	if err != nil {
		return fmt.Errorf("iterate: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		lazy := it.LazyValue()
		if err := visit(it.Key(), lazy.Len()); err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return s.readError(span.Start, err)
	}
	return it.Close()
}

func (s *store) iterate(span keys.Span) (*pebble.Iterator, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	return s.db.NewIter(&pebble.IterOptions{LowerBound: span.Start, UpperBound: span.End})
}
