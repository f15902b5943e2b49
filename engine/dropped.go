package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/event"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

// droppedID is an insert id within the window whose event retention has dropped: a repeat that claims
// another day is a duplicate all the same. There are few, unless a tenant keeps events for less than
// the window. The ids of erased events are among them. What is stored of an id is its hash.
type droppedID struct {
	id       string
	received int64
}

// collectIDs appends the ids of those of the wanted events, by row and time, that have arrived since
// arrivedFrom.
func collectIDs(dst []droppedID, h *segmentHandle, r *segment.Reader, wanted func(row uint32, at int64) bool, arrivedFrom int64) ([]droppedID, error) {
	if r.ID() == nil || h.RecvMax < arrivedFrom {
		return dst, nil
	}
	dict, err := r.ID().Dict()
	if err != nil {
		return nil, err
	}
	var codes []uint32
	var times, arrivals []int64
	for b := range r.Blocks() {
		ids, err := r.ID().Block(b)
		if err != nil {
			return nil, err
		}
		at, err := r.Time().Block(b)
		if err != nil {
			return nil, err
		}
		received, err := r.Received().Block(b)
		if err != nil {
			return nil, err
		}
		first, _ := r.BlockRange(b)
		codes, times, arrivals = ids.Codes(codes[:0], nil), at.Ints(times[:0], nil), received.Ints(arrivals[:0], nil)
		for i, code := range codes {
			if code != segment.AbsentCode && arrivals[i] >= arrivedFrom && wanted(uint32(first+i), times[i]) {
				if v := dict.Value(code); v.Kind() == event.KindString {
					dst = append(dst, droppedID{v.AsString(), arrivals[i]})
				}
			}
		}
	}
	return dst, nil
}

// newestIDs leaves of each id the newest arrival.
func newestIDs(ids []droppedID) []droppedID {
	slices.SortFunc(ids, func(a, b droppedID) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(b.received, a.received))
	})
	return slices.CompactFunc(ids, func(a, b droppedID) bool { return a.id == b.id })
}

// goneID is the key of an id whose event is gone.
func goneID(t keys.Tenant, id []byte) []byte {
	return keys.ErasureKey{Tenant: t, Kind: keys.ErasureID, Hash: sha256.Sum256(id)}.Bytes()
}

// write puts the id into the batch unless a newer arrival of it is stored.
func (d *droppedID) write(b *pebble.Batch, t *Tenant) error {
	key := goneID(t.id, []byte(d.id))
	before, err := t.db.store.get(key)
	if err != nil {
		return err
	}
	if len(before) == 8 && int64(binary.BigEndian.Uint64(before)) >= d.received {
		return nil
	}
	return b.Set(key, binary.BigEndian.AppendUint64(nil, uint64(d.received)), nil)
}

// readDropped finds the newest arrival among the tenant's dropped ids.
func (d *dedup) readDropped() error {
	t := d.tenant
	if err := d.hashIDs(); err != nil {
		return err
	}
	return t.db.store.scan(keys.ErasureSpan(t.id, keys.ErasureID), func(key, value []byte) error {
		if len(value) != 8 {
			return &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("arrival of %d bytes", len(value))}
		}
		d.droppedUntil = max(d.droppedUntil, int64(binary.BigEndian.Uint64(value)))
		return nil
	})
}

// hashIDs replaces ids as format version 1 wrote them, in clear, by their hashes.
func (d *dedup) hashIDs() error {
	t := d.tenant
	b := t.db.store.db.NewBatch()
	span := keys.IDSpan(t.id, 0)
	err := t.db.store.scan(span, func(key, value []byte) error {
		if len(value) != 8 {
			return &CorruptionError{Key: slices.Clone(key), Err: fmt.Errorf("arrival of %d bytes", len(value))}
		}
		return b.Set(goneID(t.id, key[len(span.Start):]), slices.Clone(value), nil)
	})
	if err != nil || b.Empty() {
		return errors.Join(err, b.Close())
	}
	if err := b.DeleteRange(span.Start, span.End, nil); err != nil {
		return err
	}
	if err := t.db.store.commit(b, true); err != nil {
		return fmt.Errorf("hash insert ids: %w", err)
	}
	return nil
}

// wasDropped reports whether the id is that of a dropped or erased event that has arrived since cutoff.
func (d *dedup) wasDropped(id []byte, cutoff int64) (bool, error) {
	if d.droppedUntil < cutoff {
		return false, nil
	}
	key := goneID(d.tenant.id, id)
	value, err := d.tenant.db.store.get(key)
	if err != nil || value == nil {
		return false, err
	}
	if len(value) != 8 {
		return false, &CorruptionError{Key: key, Err: fmt.Errorf("arrival of %d bytes", len(value))}
	}
	return int64(binary.BigEndian.Uint64(value)) >= cutoff, nil
}

// forgetDropped removes the dropped ids once all of them are past the window.
func (t *Tenant) forgetDropped() error {
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	d := t.dedup
	if d == nil || d.droppedUntil == 0 || d.droppedUntil >= t.db.now()-d.window {
		return nil
	}
	b := t.db.store.db.NewBatch()
	span := keys.ErasureSpan(t.id, keys.ErasureID)
	if err := b.DeleteRange(span.Start, span.End, nil); err != nil {
		return err
	}
	if err := t.db.store.commit(b, false); err != nil {
		return fmt.Errorf("forget insert ids: %w", err)
	}
	d.droppedUntil = 0
	return nil
}
