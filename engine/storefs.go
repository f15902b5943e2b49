package engine

import (
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeFS is the file system under Pebble. It differs from the one below in two points.
//
// When Pebble meets an error that it cannot live with, it tells its logger to end the process. The
// engine's logger does not, so from then on storeFS lets nothing more be written: what is on disk is
// what the end of the process would have left.
//
// With its default cleaner Pebble keeps up to five old logs to write over, at their full size, as
// long as the directory is open, and leaves them behind when it is closed. The archiving cleaner,
// which would rather move what is obsolete into a folder, never does that; so Pebble is given that
// one, and what would be moved is removed.
type storeFS struct {
	vfs.FS
	store *store
}

const archiveDir = "archive"

// fence returns the error of writes after a failure.
func (fs storeFS) fence() error {
	if err := fs.store.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Create implements vfs.FS.
func (fs storeFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.fence(); err != nil {
		return nil, err
	}
	f, err := fs.FS.Create(name, category)
	return fs.wrap(f, err)
}

// OpenReadWrite implements vfs.FS.
func (fs storeFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.fence(); err != nil {
		return nil, err
	}
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	return fs.wrap(f, err)
}

// ReuseForWrite implements vfs.FS.
func (fs storeFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.fence(); err != nil {
		return nil, err
	}
	f, err := fs.FS.ReuseForWrite(from, to, category)
	return fs.wrap(f, err)
}

// OpenDir implements vfs.FS. Syncing a directory to which nothing can be written succeeds: Pebble
// panics when it does not.
func (fs storeFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return storeDirectory{f, fs}, nil
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

func (fs storeFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return storeFile{f, fs}, nil
}

// storeFile is a file that Pebble writes.
type storeFile struct {
	vfs.File
	fs storeFS
}

// Write implements vfs.File.
func (f storeFile) Write(p []byte) (int, error) {
	if err := f.fs.fence(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt implements vfs.File.
func (f storeFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.fs.fence(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, offset)
}

// storeDirectory is a directory that Pebble syncs.
type storeDirectory struct {
	vfs.File
	fs storeFS
}

// Sync implements vfs.File.
func (d storeDirectory) Sync() error {
	if d.fs.fence() != nil {
		return nil
	}
	return d.File.Sync()
}
