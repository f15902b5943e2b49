package engine

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FormatVersion is the version of everything in a data directory.
//
//	1  first version
//	2  erasures, with ids of events that are gone as hashes; identity links
const FormatVersion = 2

const (
	formatFile   = "CAIRN"
	formatPrefix = "cairn format "
)

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
		if version < FormatVersion { // what is written from now on an older program would not understand
			return s.writeFormat()
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
	return s.writeFormat()
}

func (s *store) writeFormat() error {
	return writeFile(s.fs, s.dir, formatFile, fmt.Appendf(nil, "%s%d\n", formatPrefix, FormatVersion))
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
