package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// garbage is a segment that is in no view any more, or not yet. A key for it is written before its
// chunks are ingested and again when it leaves the manifest; a crash leaves at most keys, from which
// the next open removes the chunks.
type garbage struct {
	key   keys.ManifestKey
	bytes int
	epoch uint64 // of the last view that had it
}

// exciseBytes is the size from which chunks are cut out of the store's files at once rather than
// covered by a range deletion.
const exciseBytes = 1 << 20

// setGarbage notes in the batch that the chunks of a segment are to be removed.
func setGarbage(b *pebble.Batch, k keys.ManifestKey, bytes int) error {
	value := binary.BigEndian.AppendUint32(nil, uint32(k.Tenant))
	value = binary.BigEndian.AppendUint16(value, uint16(k.Partition))
	value = binary.BigEndian.AppendUint64(value, uint64(k.Day))
	value = binary.AppendUvarint(value, uint64(bytes))
	return b.Set(keys.Garbage(k.Segment), value, nil)
}

func parseGarbage(key, value []byte) (garbage, error) {
	s, err := keys.ParseGarbage(key)
	if err != nil {
		return garbage{}, err
	}
	if len(value) < 15 {
		return garbage{}, fmt.Errorf("garbage entry of %d bytes", len(value))
	}
	bytes, n := binary.Uvarint(value[14:])
	if n <= 0 {
		return garbage{}, fmt.Errorf("garbage entry")
	}
	return garbage{
		key: keys.ManifestKey{
			Tenant:    keys.Tenant(binary.BigEndian.Uint32(value)),
			Partition: keys.Partition(binary.BigEndian.Uint16(value[4:])),
			Day:       int64(binary.BigEndian.Uint64(value[6:])),
			Segment:   s,
		},
		bytes: int(bytes),
	}, nil
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
		db.mu.nextSegment = max(db.mu.nextSegment, g.key.Segment+1)
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
		k := g.key
		span := keys.ChunkSpan(k.Tenant, k.Partition, k.Day, k.Segment)
		if g.bytes >= exciseBytes {
			err := db.store.guarded(func() error {
				return db.store.db.Excise(ctx, pebble.KeyRange{Start: span.Start, End: span.End})
			})
			if err != nil {
				return fmt.Errorf("remove chunks of segment %d: %w", k.Segment, err)
			}
		} else if err := b.DeleteRange(span.Start, span.End, nil); err != nil {
			return err
		}
		if err := b.Delete(keys.Garbage(k.Segment), nil); err != nil {
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
