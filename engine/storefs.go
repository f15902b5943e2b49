package engine

import (
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeFS is the file system under Pebble. With its default cleaner Pebble keeps up to five old logs to
// write over, at their full size, as long as the directory is open, and leaves them behind when it is
// closed. The archiving cleaner, which would rather move what is obsolete into a folder, never does
// that; so Pebble is given that one, and what would be moved is removed.
type storeFS struct{ vfs.FS }

const archiveDir = "archive"

// Rename implements vfs.FS.
func (fs storeFS) Rename(from, to string) error {
	if fs.isArchive(fs.PathDir(to)) {
		return fs.FS.Remove(from)
	}
	return fs.FS.Rename(from, to)
}

// MkdirAll implements vfs.FS.
func (fs storeFS) MkdirAll(dir string, perm os.FileMode) error {
	if fs.isArchive(dir) {
		return nil
	}
	return fs.FS.MkdirAll(dir, perm)
}

func (fs storeFS) isArchive(dir string) bool {
	return strings.HasSuffix(dir, fs.PathJoin(storeDir, archiveDir))
}

// Unwrap implements vfs.FS.
func (fs storeFS) Unwrap() vfs.FS { return fs.FS }
