package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cairn/engine/keys"
)

// settleRounds bounds how often Settle looks for more to merge.
const settleRounds = 4

// Settle brings everything into its final form: all events sealed, every day one sorted run, small
// closed days in wider partitions, days past retention dropped, erased users off the disk, and the files
// of what was replaced removed. Appends may go on meanwhile; what they add later need not be settled. Without concurrent
// appends a second Settle has nothing to do.
func (db *DB) Settle(ctx context.Context) error {
	if err := db.store.err(); err != nil {
		return err
	}
	err := db.mustEnd("settling", "", func() error { return db.settle(ctx) })
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if err == nil || isContained(err) {
		db.worker.settled()
	}
	if err != nil {
		if errors.Is(err, ErrFailed) || errors.Is(err, ErrClosed) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrBackground, err)
	}
	return nil
}

func (db *DB) settle(ctx context.Context) error {
	db.merging.Lock()
	defer db.merging.Unlock()
	spans, err := db.hotSpans()
	failed := []error{err}
	if err := db.seal(ctx, sealJobs(spans)); err != nil {
		if !isContained(err) {
			return err
		}
		failed = append(failed, err)
	}
	if err := db.expireTenants(ctx); err != nil {
		if !isContained(err) {
			return err
		}
		failed = append(failed, err)
	}
	erasing := db.worker.erasing()
	for _, t := range erasing {
		if err := t.rewriteErased(ctx); err != nil {
			if !isContained(err) {
				return err
			}
			failed = append(failed, err)
		}
	}
	tenants := db.storedTenants()
	for range settleRounds {
		before := db.counters.merges.Load()
		if err := db.mergeTenants(ctx, tenants, true); err != nil {
			if !isContained(err) {
				return err
			}
			failed = append(failed, err)
			break
		}
		if db.counters.merges.Load() == before {
			break
		}
	}
	for _, t := range tenants {
		if err := t.collect(ctx); err != nil {
			return err
		}
	}
	if err := db.tidyStore(ctx); err != nil {
		return err
	}
	if err := db.finishErasures(ctx, erasing); err != nil {
		if !isContained(err) {
			return err
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// tidyStore flushes the write buffers and compacts what lies above the chunks, so that deleted frames
// leave the disk.
func (db *DB) tidyStore(ctx context.Context) error {
	if err := db.store.flush(); err != nil {
		return err
	}
	return db.store.guarded(func() error {
		if err := db.store.db.Compact(ctx, []byte{keys.SpaceMeta}, []byte{keys.SpaceExpired + 1}, false); err != nil {
			return fmt.Errorf("compact: %w", err)
		}
		return db.store.waitForDeletions(ctx)
	})
}

// deletionPatience is how long Settle waits for files to be gone that nothing needs any more.
const deletionPatience = 2 * time.Second

// waitForDeletions waits until obsolete files are deleted, which Pebble does in the background.
func (s *store) waitForDeletions(ctx context.Context) error {
	for start := time.Now(); time.Since(start) < deletionPatience; {
		m := s.db.Metrics()
		if m.Table.ObsoleteCount == 0 && m.WAL.ObsoleteFiles == 0 && m.BlobFiles.ObsoleteCount == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
