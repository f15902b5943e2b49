package engine

import (
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeFS is the file system under Pebble. It differs from the one below in three points.
//
// Pebble ends the process, or panics with its locks held, when its log, its manifest or a directory
// cannot be written: on a full disk, that is. Here such an error marks the store as failed instead, and
// Pebble is told that all is well. From then on nothing more is written, so that the disk stays as the
// end of the process would have left it; every commit that had not returned before returns ErrFailed;
// and reading goes on. Errors with tables are passed on: Pebble lives with them.
//
// With its default cleaner Pebble keeps up to five old logs to write over, at their full size, as
// long as the directory is open, and leaves them behind when it is closed. The archiving cleaner,
// which would rather move what is obsolete into a folder, never does that; so Pebble is given that
// one, and what would be moved is removed.
//
// A log is filled with zeros some way ahead of what is written (logTail): a sync then has data to write and no
// new size of the file, for which many file systems commit their journal.
type storeFS struct {
	vfs.FS
	store *store
}

const (
	archiveDir = "archive"
	// fencePause keeps Pebble from trying without rest what cannot succeed any more.
	fencePause = 20 * time.Millisecond
)

// critical reports whether Pebble cannot live with errors of a file.
func (fs storeFS) critical(name string) bool {
	base := fs.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST") || strings.HasPrefix(base, "marker.")
}

// fence returns the error of writes after a failure.
func (fs storeFS) fence() error {
	if err := fs.store.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// create opens a file for writing. A critical one that cannot be opened is stood in for.
func (fs storeFS) create(name string, open func() (vfs.File, error)) (vfs.File, error) {
	critical := fs.critical(name)
	err := fs.fence()
	var f vfs.File
	if err == nil {
		if f, err = open(); err == nil {
			return fs.storeFile(f, name, critical), nil
		}
	}
	if !critical {
		time.Sleep(fencePause)
		return nil, err
	}
	fs.store.fail(err)
	if f, err = vfs.NewMem().Create(fs.PathBase(name), vfs.WriteCategoryUnspecified); err != nil {
		return nil, err
	}
	return fs.storeFile(f, name, critical), nil
}

func (fs storeFS) storeFile(f vfs.File, name string, critical bool) vfs.File {
	out := storeFile{File: f, fs: fs, critical: critical}
	if strings.HasSuffix(name, ".log") {
		out.tail = &logTail{}
	}
	return out
}

// Create implements vfs.FS.
func (fs storeFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.create(name, func() (vfs.File, error) { return fs.FS.Create(name, category) })
}

// OpenReadWrite implements vfs.FS.
func (fs storeFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.create(name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, category, opts...) })
}

// ReuseForWrite implements vfs.FS.
func (fs storeFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.create(to, func() (vfs.File, error) { return fs.FS.ReuseForWrite(from, to, category) })
}

// OpenDir implements vfs.FS.
func (fs storeFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return storeFile{File: f, fs: fs, critical: true}, nil
}

// Link implements vfs.FS.
func (fs storeFS) Link(from, to string) error {
	if err := fs.fence(); err != nil {
		return err
	}
	return fs.FS.Link(from, to)
}

// Remove implements vfs.FS.
func (fs storeFS) Remove(name string) error {
	if err := fs.fence(); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (fs storeFS) RemoveAll(name string) error {
	if err := fs.fence(); err != nil {
		return err
	}
	return fs.FS.RemoveAll(name)
}

// Rename implements vfs.FS.
func (fs storeFS) Rename(from, to string) error {
	if fs.isArchive(fs.PathDir(to)) {
		return fs.Remove(from)
	}
	if err := fs.fence(); err != nil {
		return err
	}
	return fs.FS.Rename(from, to)
}

// MkdirAll implements vfs.FS.
func (fs storeFS) MkdirAll(dir string, perm os.FileMode) error {
	if fs.isArchive(dir) {
		return nil
	}
	if err := fs.fence(); err != nil {
		return err
	}
	return fs.FS.MkdirAll(dir, perm)
}

func (fs storeFS) isArchive(dir string) bool {
	return strings.HasSuffix(dir, fs.PathJoin(storeDir, archiveDir))
}

// Unwrap implements vfs.FS.
func (fs storeFS) Unwrap() vfs.FS { return fs.FS }

// storeFile is a file, or a directory, that Pebble writes.
type storeFile struct {
	vfs.File
	fs       storeFS
	critical bool
	tail     *logTail // nil: not a log
}

// logTail knows how far a log is filled with zeros. Pebble reads them as its end.
type logTail struct {
	written, filled int64 // bytes from the beginning
}

const (
	// What is filled at a time is a quarter of the log, within these bounds.
	logFillMin = 64 << 10
	logFillMax = 1 << 20
	// logFillWrite is the size of writes before which nothing is filled: they take longer than a journal does.
	logFillWrite = 64 << 10
)

var zeros [logFillMax]byte

// before is called before n bytes are appended to the log.
func (t *logTail) before(f vfs.File, n int) {
	t.written += int64(n)
	if t.written <= t.filled {
		return
	}
	t.filled = t.written
	if n < logFillWrite {
		filled, _ := f.WriteAt(zeros[:min(max(t.written/4, logFillMin), logFillMax)], t.written) // if it fails, nothing is lost
		t.filled += int64(filled)
	}
}

// do calls a writing operation unless the store has failed, and fails it if that goes wrong with a
// critical file.
func (f storeFile) do(write func() error) error {
	if f.fs.store.failure.Load() != nil {
		if f.critical {
			return nil
		}
		return f.fs.fence()
	}
	err := write()
	if err != nil && f.critical {
		f.fs.store.fail(err)
		return nil
	}
	return err
}

// Write implements vfs.File.
func (f storeFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.do(func() error {
		if f.tail != nil {
			f.tail.before(f.File, n)
		}
		n, err = f.File.Write(p)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

// WriteAt implements vfs.File.
func (f storeFile) WriteAt(p []byte, offset int64) (n int, err error) {
	n = len(p)
	err = f.do(func() error { n, err = f.File.WriteAt(p, offset); return err })
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Preallocate implements vfs.File. It does nothing: Pebble would claim the size of a write buffer for
// each log, and leave it claimed when the directory is closed.
func (storeFile) Preallocate(offset, length int64) error { return nil }

// Sync implements vfs.File.
func (f storeFile) Sync() error { return f.do(f.File.Sync) }

// SyncData implements vfs.File.
func (f storeFile) SyncData() error { return f.do(f.File.SyncData) }

// SyncTo implements vfs.File.
func (f storeFile) SyncTo(length int64) (full bool, err error) {
	err = f.do(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close implements vfs.File.
func (f storeFile) Close() error {
	err := f.File.Close()
	if err != nil && f.critical {
		f.fs.store.fail(err)
		return nil
	}
	return err
}
