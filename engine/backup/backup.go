// Package backup makes copies of a data directory that can be verified, carried elsewhere and restored.
//
// A backup is a folder: a checkpoint of the directory, which holds all that was acknowledged before it
// was begun, and beside it a list of its files with their sizes and checksums. The list is written last,
// so a folder without one is a backup that was cut short:
//
//	backup.json   {"format":1,"created":"…","sequence":…,"files":[{"name":"store/000012.sst","bytes":…,"sha256":"…"},…]}
//	CAIRN         the format of the directory
//	store/…       the key-value store
//
// On one file system the files are links to those of the directory, so a backup takes milliseconds and,
// at first, no space. As a stream it is a tar file of the folder, the list first.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cairn/engine"
)

// listName is the file that lists the others.
const listName = "backup.json"

// formatVersion is the version of the list.
//
//	1  first version
const formatVersion = 1

// listBytesMax bounds the list of a stream, which is read whole.
const listBytesMax = 64 << 20

// ErrDamaged is in every error about a backup that is not as it was made.
var ErrDamaged = errors.New("the backup is damaged")

// List is what a backup says of itself.
type List struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	// Sequence is of the newest frame that is surely in it.
	Sequence uint64 `json:"sequence"`
	Files    []File `json:"files"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"` // with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes returns the size of all files.
func (l *List) Bytes() int64 {
	n := int64(0)
	for _, f := range l.Files {
		n += f.Bytes
	}
	return n
}

// Progress is told how many bytes of how many are done. It may be nil.
type Progress func(done, total int64)

// Make makes a backup of an open store in dir, which must not exist. It may run beside appends and
// queries. What a failure leaves behind is removed.
func Make(ctx context.Context, db *engine.DB, dir string, now time.Time, progress Progress) (list *List, err error) {
	list = &List{Format: formatVersion, Created: now.UTC().Truncate(time.Second), Sequence: db.Sequence()}
	if err := db.Checkpoint(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	names, total, err := walk(dir)
	if err != nil {
		return nil, err
	}
	done := int64(0)
	for _, name := range names {
		sum, size, err := sumFile(ctx, filepath.Join(dir, filepath.FromSlash(name)), func(n int64) { report(progress, done+n, total) })
		if err != nil {
			return nil, err
		}
		done += size
		list.Files = append(list.Files, File{name, size, sum})
	}
	return list, writeList(dir, list)
}

func report(p Progress, done, total int64) {
	if p != nil {
		p(done, total)
	}
}

// walk returns the files below a folder, with slashes and sorted, and their size.
func walk(dir string) (names []string, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); name != listName {
			names, bytes = append(names, name), bytes+info.Size()
		}
		return nil
	})
	slices.Sort(names)
	return names, bytes, err
}

func sumFile(ctx context.Context, path string, progress func(int64)) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	hash := sha256.New()
	size, err = copyAll(ctx, hash, f, progress)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// copyAll copies in pieces, between which it looks whether ctx has ended.
func copyAll(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) (int64, error) {
	buf := make([]byte, 1<<20)
	done := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return done, err
			}
			done += int64(n)
			progress(done)
		}
		if err == io.EOF {
			return done, nil
		}
		if err != nil {
			return done, err
		}
	}
}

// writeList writes the list so that it is there whole or not at all.
func writeList(dir string, list *List) error {
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, listName)
	if err := writeSynced(name+".new", strings.NewReader(string(text))); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Read returns the list of the backup in dir. A folder without one is not a whole backup.
func Read(dir string) (*List, error) {
	text, err := os.ReadFile(filepath.Join(dir, listName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a whole backup: it has no %s", dir, listName)
	}
	if err != nil {
		return nil, err
	}
	return decodeList(text)
}

func decodeList(text []byte) (*List, error) {
	list := &List{}
	if err := json.Unmarshal(text, list); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, listName, err)
	}
	if list.Format != formatVersion {
		return nil, fmt.Errorf("the backup has format %d, this program knows %d", list.Format, formatVersion)
	}
	seen := make(map[string]bool)
	for _, f := range list.Files {
		if !safeName(f.Name) || seen[f.Name] || f.Bytes < 0 || len(f.SHA256) != 2*sha256.Size {
			return nil, fmt.Errorf("%w: %s lists %q", ErrDamaged, listName, f.Name)
		}
		seen[f.Name] = true
	}
	return list, nil
}

// safeName reports whether a name stays in the folder that it is put into.
func safeName(name string) bool {
	return fs.ValidPath(name) && name != "." && name != listName && !strings.ContainsAny(name, "\\:\x00")
}

// Verify compares every file of a backup with the list: a byte that has changed, a file that is missing
// and one too many are errors that name the file.
func Verify(ctx context.Context, dir string, progress Progress) (*List, error) {
	list, err := Read(dir)
	if err != nil {
		return nil, err
	}
	names, _, err := walk(dir)
	if err != nil {
		return nil, err
	}
	listed := make(map[string]bool)
	done, total := int64(0), list.Bytes()
	for _, f := range list.Files {
		listed[f.Name] = true
		sum, size, err := sumFile(ctx, filepath.Join(dir, filepath.FromSlash(f.Name)), func(n int64) { report(progress, done+n, total) })
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: the file %s is missing", ErrDamaged, f.Name)
		}
		if err != nil {
			return nil, err
		}
		if err := f.check(sum, size); err != nil {
			return nil, err
		}
		done += size
	}
	for _, name := range names {
		if !listed[name] {
			return nil, fmt.Errorf("%w: the file %s is not of the backup", ErrDamaged, name)
		}
	}
	return list, nil
}

func (f *File) check(sum string, size int64) error {
	switch {
	case size != f.Bytes:
		return fmt.Errorf("%w: the file %s has %d bytes, it had %d", ErrDamaged, f.Name, size, f.Bytes)
	case sum != f.SHA256:
		return fmt.Errorf("%w: the file %s has other bytes than it had", ErrDamaged, f.Name)
	}
	return nil
}

// WriteTar writes the backup in dir as a tar stream.
func WriteTar(ctx context.Context, dir string, w io.Writer, progress Progress) error {
	list, err := Read(dir)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	add := func(name string, size int64, r io.Reader, progress func(int64)) error {
		err := out.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, ModTime: list.Created, Format: tar.FormatPAX})
		if err != nil {
			return err
		}
		_, err = copyAll(ctx, out, r, progress)
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, listName))
	if err != nil {
		return err
	}
	if err := add(listName, int64(len(text)), strings.NewReader(string(text)), func(int64) {}); err != nil {
		return err
	}
	done, total := int64(0), list.Bytes()
	for _, f := range list.Files {
		file, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Name)))
		if err != nil {
			return err
		}
		err = add(f.Name, f.Bytes, io.LimitReader(file, f.Bytes), func(n int64) { report(progress, done+n, total) })
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		done += f.Bytes
	}
	return out.Close()
}

// RestoreTar makes a data directory of a tar stream, in dir, which must not exist or be empty. Every
// file is verified while it is written; a stream that is cut short, altered or has other files leaves
// nothing behind.
func RestoreTar(ctx context.Context, r io.Reader, dir string, progress Progress) (list *List, err error) {
	if err := mustBeFree(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	in := tar.NewReader(r)
	header, err := in.Next()
	if err != nil || header.Name != listName || header.Size > listBytesMax {
		return nil, fmt.Errorf("%w: a tar file that begins with %s was expected", ErrDamaged, listName)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if list, err = decodeList(text); err != nil {
		return nil, err
	}
	done, total := int64(0), list.Bytes()
	for _, f := range list.Files {
		header, err := in.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: the file %s is missing: %w", ErrDamaged, f.Name, err)
		}
		if header.Name != f.Name || header.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%w: the file %s was expected, found %s", ErrDamaged, f.Name, header.Name)
		}
		if err := f.write(ctx, in, dir, func(n int64) { report(progress, done+n, total) }); err != nil {
			return nil, err
		}
		done += f.Bytes
	}
	switch header, err := in.Next(); {
	case err == nil:
		return nil, fmt.Errorf("%w: the file %s is not of the backup", ErrDamaged, header.Name)
	case err != io.EOF:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return list, syncDirs(dir)
}

// Unpack makes the folder of a backup again of its tar stream, in dir, which must not exist or be empty.
// It verifies as RestoreTar does.
func Unpack(ctx context.Context, r io.Reader, dir string, progress Progress) (*List, error) {
	list, err := RestoreTar(ctx, r, dir, progress)
	if err != nil {
		return nil, err
	}
	return list, writeList(dir, list)
}

// Restore makes a data directory of the backup in from, in dir, which must not exist or be empty. Every
// file is verified while it is copied; a failure leaves nothing behind.
func Restore(ctx context.Context, from, dir string, progress Progress) (list *List, err error) {
	if list, err = Read(from); err != nil {
		return nil, err
	}
	if err := mustBeFree(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	done, total := int64(0), list.Bytes()
	for _, f := range list.Files {
		file, err := os.Open(filepath.Join(from, filepath.FromSlash(f.Name)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: the file %s is missing", ErrDamaged, f.Name)
		}
		if err != nil {
			return nil, err
		}
		err = f.write(ctx, file, dir, func(n int64) { report(progress, done+n, total) })
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		done += f.Bytes
	}
	return list, syncDirs(dir)
}

// write copies a file into dir and checks it.
func (f *File) write(ctx context.Context, r io.Reader, dir string, progress func(int64)) error {
	path := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	hash := sha256.New()
	// One byte more than there should be shows that there is too much.
	size, err := copyAll(ctx, io.MultiWriter(out, hash), io.LimitReader(r, f.Bytes+1), progress)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return f.check(hex.EncodeToString(hash.Sum(nil)), size)
}

// mustBeFree refuses a folder that has files: a restore never mixes with, or replaces, what is there.
func mustBeFree(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o755)
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: restore into a new directory", dir)
	}
	return nil
}

func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
