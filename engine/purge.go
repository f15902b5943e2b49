package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/keys"
	"cairn/engine/segment"
)

// purgePause is how long after removing the rows of erased users the worker waits before it does so again,
// so that a series of erasures is not a rewriting for each.
const purgePause = time.Minute

// purge removes what is stored of erased users of the tenants, and notes in the receipts which erasures
// are complete. What cannot be read is left, and keeps them incomplete. The caller holds merging.
func (db *DB) purge(ctx context.Context, tenants []*Tenant) error {
	var failed []error
	for _, t := range tenants {
		err := t.rewriteErased(ctx)
		if err == nil {
			err = t.collect(ctx)
		}
		if err == nil && t.erasuresDone() > 0 {
			if err = db.compactTenant(ctx, t); err == nil {
				err = db.finishErasures(ctx, []*Tenant{t})
			}
		}
		if err != nil && !isContained(err) {
			return errors.Join(append(failed, err)...)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// purgeDue is purge for the worker, from time to time.
func (w *worker) purgeDue(ctx context.Context) error {
	tenants := w.erasing()
	now := w.db.now()
	if len(tenants) == 0 || now-w.lastPurge.Load() < int64(purgePause) && now >= w.lastPurge.Load() {
		return nil
	}
	err := w.db.purge(ctx, tenants)
	w.lastPurge.Store(w.db.now())
	return err
}

// noteErasure notes that the tenant has an erasure that is not complete.
func (w *worker) noteErasure(t *Tenant) {
	w.mu.Lock()
	if w.mu.erasing == nil {
		w.mu.erasing = make(map[*Tenant]struct{})
	}
	w.mu.erasing[t] = struct{}{}
	w.mu.Unlock()
	signal(w.merge)
}

// erasing returns the tenants with erasures that are not complete.
func (w *worker) erasing() []*Tenant {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*Tenant, 0, len(w.mu.erasing))
	for t := range w.mu.erasing {
		out = append(out, t)
	}
	return out
}

func (w *worker) erasingDone(t *Tenant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.erasing, t)
}

// findErasing notes the tenants whose erasures a former process has left incomplete.
func (db *DB) findErasing(tenants map[keys.Tenant]*Tenant) error {
	it, err := db.store.iterate(keys.Space(keys.SpaceErasure))
	if err != nil {
		return fmt.Errorf("iterate erasures: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; {
		k, err := keys.ParseErasure(it.Key())
		if err != nil {
			return &CorruptionError{Key: slices.Clone(it.Key()), Err: err}
		}
		span := keys.ErasureSpan(k.Tenant, keys.ErasurePending)
		if t := tenants[k.Tenant]; t != nil && it.SeekGE(span.Start) && string(it.Key()) < string(span.End) {
			db.erasing = append(db.erasing, t)
		}
		ok = it.SeekGE(keys.TenantSpan(keys.SpaceErasure, k.Tenant).End)
	}
	if err := it.Error(); err != nil {
		return db.store.readError([]byte{keys.SpaceErasure}, err)
	}
	return nil
}

// pendingErasures returns the number of the latest erasure that is not complete, 0 if all are, and the users
// of those.
func (t *Tenant) pendingErasures() (last uint64, users *roaring.Bitmap) {
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	users = roaring.New()
	for _, p := range t.erasures.pending {
		last = max(last, p.number)
		users.AddMany(p.users)
	}
	return last, users
}

// rewriteErased seals all frames and writes the segments that hold rows of erased users again without them.
// The caller holds merging.
func (t *Tenant) rewriteErased(ctx context.Context) error {
	if err := t.ensureLoaded(); err != nil {
		return err
	}
	last, users := t.pendingErasures()
	if last == 0 || last == t.erasures.rewritten || t.isDropped() {
		return nil
	}
	// Frames hold names and values of users in their dictionaries even where they have no row.
	if hot := t.allHot(); len(hot) > 0 {
		if err := t.db.seal(ctx, []sealJob{{tenant: t, spans: hot}}); err != nil {
			return err
		}
	}
	// What is sealed and merged from now on has no row of these users, as they are in the view's hidden ones.
	complete := true
	for _, s := range t.view.Load().spans {
		complete = complete && s.damaged == nil
	}
	failed, err := t.rewriteSegments(ctx, last, users)
	if err != nil {
		return fmt.Errorf("erase from tenant %q: %w", t.name, err)
	}
	if complete && failed == nil {
		t.commitMu.Lock()
		t.erasures.rewritten, t.erasures.rewrittenEpoch, t.erasures.clean = last, t.view.Load().epoch, nil
		t.commitMu.Unlock()
	}
	return failed
}

// rewriteSegments writes the segments with rows of users again without them, many in one installation. failed
// tells of those that cannot be read.
func (t *Tenant) rewriteSegments(ctx context.Context, last uint64, users *roaring.Bitmap) (failed, err error) {
	clean := maps.Clone(t.erasures.clean)
	if clean == nil {
		clean = make(map[keys.Segment]uint64)
	}
	var changes []*change
	bytes := 0
	install := func() error {
		if len(changes) == 0 {
			return nil
		}
		err := t.db.install(ctx, changes)
		changes, bytes = nil, 0
		return err
	}
	for _, s := range t.view.Load().spans {
		for _, h := range s.sealed {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if clean[h.Segment] == last {
				continue
			}
			c, err := t.db.containChange(func() (*change, error) { return t.rewriteSegment(h, users) })
			switch {
			case isContained(err):
				failed = errors.Join(failed, fmt.Errorf("erase from tenant %q: %w", t.name, err))
			case err != nil:
				return nil, err
			case c == nil:
				clean[h.Segment] = last
			default:
				changes = append(changes, c)
				for _, e := range c.encoded {
					bytes += e.SizeBytes()
				}
				if bytes >= installBytes || len(changes) >= installChanges {
					if err := install(); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	if err := install(); err != nil {
		return nil, err
	}
	t.commitMu.Lock()
	t.erasures.clean = clean
	t.commitMu.Unlock()
	return failed, nil
}

// allHot returns the spans that have frames.
func (t *Tenant) allHot() []spanKey {
	var out []spanKey
	for _, s := range t.view.Load().spans {
		if len(s.hot) > 0 {
			out = append(out, s.key())
		}
	}
	return out
}

// rewriteSegment makes the change that leaves erased users out of a segment, nil if none is in it. It stays
// in its sorted run.
func (t *Tenant) rewriteSegment(h *segmentHandle, users *roaring.Bitmap) (*change, error) {
	r, err := h.openOnce()
	if err != nil {
		return nil, err
	}
	rows, err := r.Without(users).HiddenRows()
	if err != nil || rows == nil {
		return nil, err
	}
	c := &change{
		tenant: t, target: h.span(), removed: []*segmentHandle{h}, cold: h.Cold, merged: h.Merged, run: h.Run,
		seqMin: h.SeqMin, seqMax: h.SeqMax,
	}
	return c, c.merge([]*segment.Reader{r})
}

// merge encodes the rows of the removed segments, but for those of erased users.
func (c *change) merge(readers []*segment.Reader) error {
	t := c.tenant
	hidden := t.view.Load().hidden
	opt := t.db.buildOptions(c.cold)
	opt.Pace = t.db.mergePacer()
	opt.DropUsers = hidden
	var err error
	if c.encoded, err = segment.Merge(readers, opt); err != nil {
		return fmt.Errorf("merge %d segments of tenant %q: %w", len(readers), t.name, err)
	}
	if hidden == nil {
		return nil
	}
	arrivedFrom := t.db.now() - int64(t.db.opt.DedupWindow)
	for i, h := range c.removed {
		gone, err := readers[i].Without(hidden).HiddenRows()
		if err != nil {
			return err
		}
		if gone == nil {
			continue
		}
		wanted := func(row uint32, _ int64) bool { return gone.Contains(row) }
		if c.droppedIDs, err = collectIDs(c.droppedIDs, h, readers[i], wanted, arrivedFrom); err != nil {
			return err
		}
	}
	c.droppedIDs = newestIDs(c.droppedIDs)
	return nil
}

// hotIDsOf returns the insert ids of hot rows of some users that have arrived since arrivedFrom.
func hotIDsOf(inputs []segment.Input, users *roaring.Bitmap, arrivedFrom int64) []droppedID {
	var out []droppedID
	for i := range inputs {
		in := &inputs[i]
		ids, user := &in.Batch.ID, &in.Batch.User
		if len(ids.Bits) == 0 || !slices.ContainsFunc(in.Users, users.Contains) {
			continue
		}
		gone := make(map[uint32]bool)
		for i, code := range user.Bits {
			if users.Contains(in.Users[code]) {
				gone[uint32(user.Row(i))] = true
			}
		}
		stored := rowSet{rows: in.Rows}
		for i, code := range ids.Bits {
			row, received := uint32(ids.Row(i)), in.Received
			if in.Batch.Received != nil {
				received = in.Batch.Received[row]
			}
			if stored.has(row) && gone[row] && received >= arrivedFrom {
				out = append(out, droppedID{string(ids.Dict.Bytes(uint32(code))), received})
			}
		}
	}
	return newestIDs(out)
}

// compactTenant takes what is deleted of a tenant off the disk.
func (db *DB) compactTenant(ctx context.Context, t *Tenant) error {
	if err := db.store.flush(); err != nil {
		return err
	}
	return db.store.guarded(func() error {
		for _, space := range tenantSpaces {
			span := keys.TenantSpan(space, t.id)
			if err := db.store.db.Compact(ctx, span.Start, span.End, false); err != nil {
				return fmt.Errorf("compact: %w", err)
			}
		}
		return db.store.waitForDeletions(ctx)
	})
}

// erasuresDone returns how many of the pending erasures are complete: their rows are nowhere, and no snapshot
// needs the files of before.
func (t *Tenant) erasuresDone() int {
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	return t.erasuresDoneLocked()
}

func (t *Tenant) erasuresDoneLocked() int {
	done := slices.IndexFunc(t.erasures.pending, func(p pendingErasure) bool { return p.number > t.erasures.rewritten })
	if done < 0 {
		done = len(t.erasures.pending)
	}
	if done > 0 && t.hasGarbageBefore(t.erasures.rewrittenEpoch) {
		return 0
	}
	return done
}

// finishErasures completes what is complete of the tenants' erasures, after the bytes of removed chunks are gone
// as well.
func (db *DB) finishErasures(ctx context.Context, tenants []*Tenant) error {
	ready := slices.DeleteFunc(slices.Clone(tenants), func(t *Tenant) bool { return t.erasuresDone() == 0 })
	if len(ready) == 0 {
		return nil
	}
	done, err := db.rewritePartial(ctx)
	if err == nil && done {
		err = db.store.guarded(func() error { return db.store.waitForDeletions(ctx) })
	}
	if err != nil || !done {
		return err
	}
	for _, t := range ready {
		if err := t.finishErasures(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finishErasures notes in the receipts which erasures are complete, and forgets their users.
func (t *Tenant) finishErasures(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.commitMu.Lock()
	defer t.commitMu.Unlock()
	if t.isDropped() {
		t.db.worker.erasingDone(t)
		return nil
	}
	done := t.erasuresDoneLocked()
	if done == 0 {
		return nil
	}
	b := t.db.store.db.NewBatch()
	for _, p := range t.erasures.pending[:done] {
		e, err := t.Erasure(p.number)
		if err != nil {
			if !isContained(err) {
				return err
			}
			t.db.opt.Logger.Error("an erasure is complete, but its receipt cannot be read", "tenant", t.name, "error", err)
		}
		if e != nil {
			e.State, e.Erased = ErasureErased, time.Unix(0, t.db.now()).UTC()
			if err := t.writeReceipt(b, e); err != nil {
				return err
			}
		}
		if err := b.Delete(keys.ErasureKey{Tenant: t.id, Kind: keys.ErasurePending, Number: p.number}.Bytes(), nil); err != nil {
			return err
		}
	}
	if err := t.db.store.commit(b, true); err != nil {
		return fmt.Errorf("receipts of tenant %q: %w", t.name, err)
	}
	t.erasures.pending = slices.Clone(t.erasures.pending[done:])
	hidden := hiddenOf(t.erasures.pending)
	t.update(func(v *view) { v.hidden = hidden })
	if len(t.erasures.pending) == 0 {
		t.db.worker.erasingDone(t)
	}
	return nil
}

// hiddenOf returns the users of erasures, nil if there are none.
func hiddenOf(pending []pendingErasure) *roaring.Bitmap {
	var out *roaring.Bitmap
	for _, p := range pending {
		if len(p.users) == 0 {
			continue
		}
		if out == nil {
			out = roaring.New()
		}
		out.AddMany(p.users)
	}
	return out
}

// hasGarbageBefore reports whether files wait to be removed that no view from an epoch on needs.
func (t *Tenant) hasGarbageBefore(epoch uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.mu.garbage, func(g garbage) bool { return g.epoch < epoch })
}
