package engine

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Sync returns when every append acknowledged before, unsynced ones included, is on disk.
func (db *DB) Sync() error {
	if err := db.store.err(); err != nil {
		return err
	}
	err := db.store.guarded(func() error { return db.store.db.LogData(nil, pebble.Sync) })
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
