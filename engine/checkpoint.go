package engine

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint makes a copy of the directory at dir, which must not exist, that holds every event
// acknowledged before. Files are linked where the file system can, so it takes milliseconds and,
// at first, no space; copy it elsewhere for a backup. It is opened like any directory.
func (db *DB) Checkpoint(dir string) error {
	if err := db.store.err(); err != nil {
		return err
	}
	fs := db.opt.FS
	if _, err := fs.Stat(dir); err == nil {
		return fmt.Errorf("engine: checkpoint: %s exists", dir)
	}
	if err := makeDir(fs, dir); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	// Pebble lists the tables first and copies its log afterwards: a segment installed in between would
	// have its manifest entry in the copy, and its chunks not.
	db.installing.Lock()
	defer db.installing.Unlock()
	err := db.store.guarded(func() error {
		return db.store.db.Checkpoint(fs.PathJoin(dir, storeDir), pebble.WithFlushedWAL())
	})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	// The format file comes last: a checkpoint that was cut short cannot be opened.
	if err := writeFile(fs, dir, formatFile, fmt.Appendf(nil, "%s%d\n", formatPrefix, FormatVersion)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// Sequence is that of the newest frame of any tenant; see Result.Sequence. A checkpoint made afterwards has
// all frames up to it.
func (db *DB) Sequence() uint64 { return db.sequence.Load() }
