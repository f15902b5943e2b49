package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// garbage is a span of chunks that is in no view any more, or not yet: those of a segment, or of a
// dropped tenant. A key for it is written before the chunks of a segment are ingested and again when it
// leaves the manifest; a crash leaves at most keys, from which the next open removes the chunks.
type garbage struct {
	id    keys.Segment // the segment's number, or dropped | the tenant's
	span  keys.Span
	epoch uint64 // of the last view that had it
}

// dropped is set in the number of the garbage of a tenant.
const dropped = keys.Segment(1) << 63

func segmentGarbage(k keys.ManifestKey, epoch uint64) garbage {
	return garbage{k.Segment, keys.ChunkSpan(k.Tenant, k.Partition, k.Day, k.Segment), epoch}
}

// write notes in the batch that the chunks are to be removed.
func (g garbage) write(b *pebble.Batch) error {
	value := binary.AppendUvarint(nil, uint64(len(g.span.Start)))
	value = append(value, g.span.Start...)
	value = append(value, g.span.End...)
	return b.Set(keys.Garbage(g.id), value, nil)
}

func parseGarbage(key, value []byte) (garbage, error) {
	id, err := keys.ParseGarbage(key)
	if err != nil {
		return garbage{}, err
	}
	size, n := binary.Uvarint(value)
	if n <= 0 || size == 0 || size >= uint64(len(value)-n) {
		return garbage{}, fmt.Errorf("garbage entry of %d bytes", len(value))
	}
	value = slices.Clone(value[n:])
	g := garbage{id: id, span: keys.Span{Start: value[:size:size], End: value[size:]}}
	if g.span.Start[0] != keys.SpaceChunk || slices.Compare(g.span.Start, g.span.End) >= 0 {
		return garbage{}, fmt.Errorf("garbage entry that is not a span of chunks")
	}
	return g, nil
}

// removeOrphans removes chunks that a crash has left without, or no longer with, a manifest entry.
func (db *DB) removeOrphans() error {
	var all []garbage
	err := db.store.scan(keys.Space(keys.SpaceGarbage), func(key, value []byte) error {
		g, err := parseGarbage(key, value)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		all = append(all, g)
		if g.id&dropped == 0 {
			db.mu.nextSegment = max(db.mu.nextSegment, g.id+1)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	return db.removeChunks(context.Background(), all)
}

// removeChunks removes the chunks of segments that nobody reads, and their garbage keys.
func (db *DB) removeChunks(ctx context.Context, all []garbage) error {
	b := db.store.db.NewBatch()
	for _, g := range all {
		// Not a range deletion: nothing is written to the space of chunks but tables.
		err := db.store.guarded(func() error {
			return db.store.db.Excise(ctx, pebble.KeyRange{Start: g.span.Start, End: g.span.End})
		})
		if err != nil {
			return fmt.Errorf("remove chunks: %w", err)
		}
		if err := b.Delete(keys.Garbage(g.id), nil); err != nil {
			return err
		}
	}
	if err := db.store.commit(b, false); err != nil {
		return fmt.Errorf("remove chunks: %w", err)
	}
	return nil
}

// collect removes the garbage of the tenant that no open snapshot can see.
func (t *Tenant) collect(ctx context.Context) error {
	t.mu.Lock()
	oldest := ^uint64(0)
	for epoch := range t.mu.snapshots {
		oldest = min(oldest, epoch)
	}
	var ready, kept []garbage
	for _, g := range t.mu.garbage {
		if g.epoch < oldest {
			ready = append(ready, g)
		} else {
			kept = append(kept, g)
		}
	}
	t.mu.garbage = kept
	t.mu.Unlock()
	if len(ready) == 0 {
		return nil
	}
	err := t.db.removeChunks(ctx, ready)
	if err != nil {
		t.mu.Lock()
		t.mu.garbage = append(t.mu.garbage, ready...)
		t.mu.Unlock()
	}
	return err
}
