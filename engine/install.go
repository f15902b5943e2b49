package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
	"cairn/engine/segment"
)

// change is one replacement in a tenant's view: segments come in, and hot blocks or other segments
// with the same events go.
type change struct {
	tenant  *Tenant
	target  spanKey
	encoded []*segment.Encoded
	cold    bool
	merged  uint64 // see summary.Merged
	run     uint64 // of the new segments, 0 for one of their own
	seqMin  uint64
	seqMax  uint64

	sealed  []sealedHot
	removed []*segmentHandle
	// damaged are the keys of the target that cannot be read and go too.
	damaged [][]byte
	// expired are users of dropped days, by event name.
	expired []expiredUsers
	// droppedIDs are insert ids of dropped days and of erased users.
	droppedIDs []droppedID

	added []*segmentHandle
	bytes int
	// drops says that events go with the change, and renamed is what Tenant.rename then gave.
	drops   bool
	renamed uint64
}

// sealedHot are the first blocks of a span, which the change seals.
type sealedHot struct {
	span   spanKey
	blocks int
	last   uint64 // sequence of the last frame
	rows   int
	bytes  int64
	// unreadable are the sequences of frames that stay in the hot log, for they are in no block.
	unreadable []uint64
}

// install writes the changes: chunks as one ingested table, then all else as one synced batch, and
// then puts the new views in place. Either all changes come about or none.
func (db *DB) install(ctx context.Context, changes []*change) error {
	db.installing.Lock()
	defer db.installing.Unlock()
	if err := db.number(changes); err != nil {
		return err
	}
	if err := db.ingestChunks(ctx, changes); err != nil {
		return err
	}
	b := db.store.db.NewBatch()
	for _, c := range changes {
		if err := c.write(b); err != nil {
			return err
		}
	}
	if err := db.setCounters(b); err != nil {
		return err
	}
	if err := db.store.commit(b, true); err != nil {
		return fmt.Errorf("install segments: %w", err)
	}
	for _, c := range changes {
		c.publish()
	}
	return nil
}

func (db *DB) setCounters(b *pebble.Batch) error {
	db.mu.Lock()
	next := db.mu.nextSegment
	db.mu.Unlock()
	if err := setCounter(b, counterSegment, uint64(next)); err != nil {
		return err
	}
	return setCounter(b, counterSequence, db.sequence.Load())
}

// number gives the new segments their numbers and summaries.
func (db *DB) number(changes []*change) error {
	n := 0
	for _, c := range changes {
		n += len(c.encoded)
	}
	db.mu.Lock()
	next := db.mu.nextSegment
	db.mu.nextSegment += keys.Segment(n)
	db.mu.Unlock()
	for _, c := range changes {
		run := c.run
		if run == 0 {
			run = uint64(next)
		}
		c.added, c.bytes = nil, 0
		for _, e := range c.encoded {
			r, err := e.Reader()
			if err != nil {
				return fmt.Errorf("open a new segment: %w", err)
			}
			info := r.Info()
			c.bytes += e.SizeBytes()
			c.added = append(c.added, &segmentHandle{
				ManifestKey: keys.ManifestKey{Tenant: c.tenant.id, Day: c.target.from, Segment: next},
				tenant:      c.tenant,
				summary: summary{
					Cold: c.cold, IDs: r.ID() != nil, Run: run, To: c.target.to,
					Rows: info.Rows, Users: info.Users, TimeMin: info.TimeMin, TimeMax: info.TimeMax,
					RecvMin: info.ReceivedMin, RecvMax: info.ReceivedMax,
					Bytes: e.SizeBytes(), Chunks: len(e.Chunks), SeqMin: c.seqMin, SeqMax: c.seqMax, Merged: c.merged,
				},
			})
			next++
		}
	}
	return nil
}

// ingestChunks writes the chunks of all changes as one table. A garbage key for each segment is on
// disk before, so that a crash leaves nothing that is not found again.
func (db *DB) ingestChunks(ctx context.Context, changes []*change) error {
	var entries []tableEntry
	b := db.store.db.NewBatch()
	for _, c := range changes {
		for i, h := range c.added {
			e := c.encoded[i]
			if len(e.Chunks) == 0 {
				continue
			}
			if err := segmentGarbage(h.ManifestKey, 0).write(b); err != nil {
				return err
			}
			for _, chunk := range e.Chunks {
				entries = append(entries, tableEntry{keys.Chunk(h.Tenant, h.Partition, h.Day, h.Segment, uint32(chunk.ID)), chunk.Data})
			}
		}
	}
	if len(entries) == 0 {
		return b.Close()
	}
	if err := db.setCounters(b); err != nil {
		return err
	}
	if err := db.store.commit(b, true); err != nil {
		return fmt.Errorf("announce segments: %w", err)
	}
	slices.SortFunc(entries, func(a, b tableEntry) int { return slices.Compare(a.key, b.key) })
	return db.store.ingest(ctx, entries)
}

// write puts the manifest's part of the change into the batch.
func (c *change) write(b *pebble.Batch) error {
	for i, h := range c.added {
		value := encodeManifest(&h.summary, c.encoded[i].Directory)
		if err := b.Set(h.manifestKey(), value, nil); err != nil {
			return err
		}
		if h.Chunks > 0 {
			if err := b.Delete(keys.Garbage(h.Segment), nil); err != nil {
				return err
			}
		}
	}
	for _, h := range c.removed {
		if err := h.keepDirectory(); err != nil && !isContained(err) { // a corrupt one is of no use to a view
			return err
		}
		if err := b.Delete(h.manifestKey(), nil); err != nil {
			return err
		}
		if h.Chunks > 0 {
			if err := segmentGarbage(h.ManifestKey, 0).write(b); err != nil {
				return err
			}
		}
	}
	for _, key := range c.damaged {
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	for _, g := range c.damagedChunks(0) {
		if err := g.write(b); err != nil {
			return err
		}
	}
	for _, s := range c.sealed {
		if err := s.deleteFrames(b, c.tenant.id); err != nil {
			return err
		}
	}
	for i := range c.expired {
		if err := c.expired[i].write(b, c.tenant); err != nil {
			return err
		}
	}
	if c.drops || len(c.added) == 0 {
		var err error
		if c.renamed, err = c.tenant.rename(b); err != nil {
			return err
		}
	}
	for i := range c.droppedIDs {
		if err := c.droppedIDs[i].write(b, c.tenant); err != nil {
			return err
		}
	}
	return nil
}

// damagedChunks are the chunks of the segments whose manifest entries are among the damaged keys.
func (c *change) damagedChunks(epoch uint64) []garbage {
	var out []garbage
	for _, key := range c.damaged {
		if k, err := keys.ParseManifest(key); err == nil {
			out = append(out, segmentGarbage(k, epoch))
		}
	}
	return out
}

// deleteFrames removes the sealed frames from the hot log.
func (s *sealedHot) deleteFrames(b *pebble.Batch, t keys.Tenant) error {
	first := uint64(0)
	for _, sequence := range s.unreadable {
		if sequence > s.last {
			break
		}
		if sequence > first {
			if err := b.DeleteRange(keys.Hot(t, 0, s.span.from, first), keys.Hot(t, 0, s.span.from, sequence), nil); err != nil {
				return err
			}
		}
		first = sequence + 1
	}
	if first > s.last {
		return nil
	}
	return b.DeleteRange(keys.Hot(t, 0, s.span.from, first), keys.Hot(t, 0, s.span.from, s.last+1), nil)
}

// publish puts the tenant's new view in place.
func (c *change) publish() {
	t := c.tenant
	var freed int64
	// No commit may look for insert ids between the old view and the new.
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	t.update(func(v *view) {
		gone := make(map[keys.Segment]bool, len(c.removed))
		spans := make(map[spanKey]bool)
		for _, h := range c.removed {
			gone[h.Segment], spans[h.span()] = true, true
		}
		for key := range spans {
			v.edit(key, func(s *span) { s.removeSealed(gone) })
		}
		v.edit(c.target, func(s *span) {
			s.addSealed(c.added...)
			if len(c.damaged) > 0 {
				s.damaged, s.damagedKeys = nil, nil
			}
		})
		t.mu.garbage = append(t.mu.garbage, c.damagedChunks(v.epoch-1)...)
		for _, hot := range c.sealed {
			v.edit(hot.span, func(s *span) { freed += s.cutHot(hot.blocks) })
		}
		for _, h := range c.removed {
			if h.Chunks > 0 {
				t.mu.garbage = append(t.mu.garbage, segmentGarbage(h.ManifestKey, v.epoch-1))
			}
		}
		v.sealedEpoch++
		v.renamed = max(v.renamed, c.renamed)
	})
	t.db.addHotBytes(t, -freed)
	for _, d := range c.droppedIDs {
		t.dedup.droppedUntil = max(t.dedup.droppedUntil, d.received)
	}
	for _, hot := range c.sealed {
		t.dedup.hot.drop(hot.span, hot.last)
	}
}

// cutHot takes the first blocks away and returns their bytes.
func (s *span) cutHot(blocks int) int64 {
	rest := slices.Clone(s.hot[blocks:])
	freed, chunks := s.hotBytes, s.chunks
	s.hot, s.hotRows, s.hotBytes, s.chunks, s.sealing = nil, 0, 0, nil, 0
	for _, b := range rest {
		s.addHot(b)
	}
	if chunks != nil && len(s.hot) > 0 && len(s.hot) == len(rest) {
		s.chunks = chunks.behind(blocks)
	}
	return freed - s.hotBytes
}
