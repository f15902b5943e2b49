package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// newFaultFS returns a file system on which the write operation number at fails, counted from 0, and,
// if it fails for good, all after it.
func newFaultFS(fs vfs.FS, at int64, forGood bool) *faultFS {
	f := &faultFS{at: at, forGood: forGood}
	f.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(f.inject))
	return f
}

type faultFS struct {
	vfs.FS
	at      int64
	forGood bool
	count   atomic.Int64
	off     atomic.Bool
}

func (f *faultFS) inject(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || f.off.Load() {
		return nil
	}
	n := f.count.Add(1) - 1
	if n == f.at || f.forGood && n > f.at {
		return errInjected
	}
	return nil
}

// copyFS returns a copy of the files in the directory data.
func copyFS(t testing.TB, fs *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	out := vfs.NewMem()
	_, err := vfs.Clone(fs, out, "data", "data", vfs.CloneSkip(func(name string) bool { return strings.HasSuffix(name, "LOCK") }))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
