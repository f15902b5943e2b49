package engine

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/column"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

// expiredUsers are the users who did an event in days that are dropped.
type expiredUsers struct {
	event string
	users *roaring.Bitmap
}

// write adds the users to those of days dropped before.
func (e *expiredUsers) write(b *pebble.Batch, t *Tenant) error {
	key := keys.Expired(t.id, 0, e.event)
	before, err := t.db.store.expiredUsers(key)
	if err != nil {
		return err
	}
	before.Or(e.users)
	if hidden := t.view.Load().hidden; hidden != nil {
		before.AndNot(hidden)
	}
	if before.IsEmpty() {
		return b.Delete(key, nil)
	}
	before.RunOptimize()
	value, err := before.ToBytes()
	if err != nil {
		return err
	}
	return b.Set(key, value, nil)
}

// expire drops the spans of the tenant that retention no longer keeps. A wider partition that has
// kept days too is written again without the others. Of what cannot be read only whole spans are
// dropped, without a trace of their users and insert ids; the error tells those that stay.
func (t *Tenant) expire(ctx context.Context) error {
	if err := t.forgetDropped(); err != nil {
		return err
	}
	cutoff := t.settings.Load().retainedFrom(t.db.now())
	if cutoff == math.MinInt64 {
		return nil
	}
	var failed []error
	for _, s := range t.view.Load().spans {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.from >= cutoff || len(s.sealed) == 0 && s.damaged == nil {
			continue
		}
		if s.to > cutoff && (s.damaged != nil || !hasBefore(s.sealed, cutoff)) {
			continue
		}
		c, err := t.db.containChange(func() (*change, error) { return t.dropBefore(s, cutoff) })
		if err != nil {
			err = fmt.Errorf("retention of tenant %q: %w", t.name, err)
			if !isContained(err) {
				return err
			}
			failed = append(failed, err)
			continue
		}
		if err := t.db.install(ctx, []*change{c}); err != nil {
			return err
		}
		t.db.counters.daysDropped.Add(1)
	}
	return errors.Join(failed...)
}

func hasBefore(handles []*segmentHandle, cutoff int64) bool {
	for _, h := range handles {
		if h.TimeMin < cutoff {
			return true
		}
	}
	return false
}

// expiredHot returns the spans with unsealed events that retention no longer keeps.
func (t *Tenant) expiredHot() []spanKey {
	cutoff := t.settings.Load().retainedFrom(t.db.now())
	var out []spanKey
	for _, s := range t.view.Load().spans {
		if s.from < cutoff && len(s.hot) > 0 {
			out = append(out, s.key())
		}
	}
	return out
}

// dropBefore makes the change that leaves only the events of a span from cutoff on.
func (t *Tenant) dropBefore(s *span, cutoff int64) (*change, error) {
	c := &change{tenant: t, target: s.key(), removed: s.sealed, damaged: s.damagedKeys, drops: true, cold: true, seqMin: ^uint64(0)}
	arrivedFrom := t.db.now() - int64(t.db.opt.DedupWindow)
	gone := make(map[string]*roaring.Bitmap)
	var kept column.Builder
	var users []uint32
	for _, h := range s.sealed {
		c.seqMin, c.seqMax = min(c.seqMin, h.SeqMin), max(c.seqMax, h.SeqMax)
		err := func() error {
			r, err := h.openOnce()
			if err != nil {
				return err
			}
			r = r.Without(t.view.Load().hidden)
			hidden, err := r.HiddenRows()
			if err != nil {
				return err
			}
			past := func(row uint32, at int64) bool { return at < cutoff || hidden != nil && hidden.Contains(row) }
			ids, err := collectIDs(c.droppedIDs, h, r, past, arrivedFrom)
			if err != nil {
				return err
			}
			c.droppedIDs = ids
			if h.TimeMax < cutoff {
				return expireAll(r, gone)
			}
			users, err = expireSome(r, cutoff, gone, &kept, users)
			return err
		}()
		if err != nil && isContained(err) && h.TimeMax < cutoff {
			t.db.opt.Logger.Error("retention drops what cannot be read", "tenant", t.name, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	if s.damaged != nil {
		t.db.opt.Logger.Error("retention drops what cannot be read", "tenant", t.name, "error", s.damaged)
	}
	c.droppedIDs = newestIDs(c.droppedIDs)
	for name, bitmap := range gone {
		c.expired = append(c.expired, expiredUsers{name, bitmap})
	}
	if kept.Len() > 0 {
		var err error
		batch := kept.Finish()
		c.encoded, err = segment.Build([]segment.Input{{Batch: batch, Users: users}}, t.db.buildOptions(true))
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// expireAll notes the users of every event of a segment.
func expireAll(r *segment.Reader, gone map[string]*roaring.Bitmap) error {
	for code, e := range r.Info().Events {
		users, err := r.EventUsers(uint32(code))
		if err != nil {
			return err
		}
		bitmapOf(gone, e.Name).Or(users)
	}
	return nil
}

// expireSome notes the users of events before cutoff and copies the other rows. users are the dense
// numbers of the user strings of the copy, which stand for them there.
func expireSome(r *segment.Reader, cutoff int64, gone map[string]*roaring.Bitmap, kept *column.Builder, users []uint32) ([]uint32, error) {
	rows, err := r.Rows(nil)
	if err != nil {
		return nil, err
	}
	hidden, err := r.HiddenRows()
	if err != nil {
		return nil, err
	}
	var dict column.Dict
	for _, u := range users {
		dict.Intern(userText(u))
	}
	for i := range rows {
		row := &rows[i]
		if hidden != nil && hidden.Contains(uint32(i)) {
			continue // erased
		}
		if row.Event.Time < cutoff {
			if row.User != segment.NoUser {
				bitmapOf(gone, row.Event.Name).Add(row.User)
			}
			continue
		}
		if row.User != segment.NoUser {
			text := userText(row.User)
			if int(dict.Intern(text)) == len(users) {
				users = append(users, row.User)
			}
			row.Event.User = string(text)
		}
		kept.SetReceived(row.Event.Received)
		kept.AppendEvent(&row.Event)
	}
	return users, nil
}

func userText(user uint32) []byte { return fmt.Appendf(nil, "%d", user) }

func bitmapOf(m map[string]*roaring.Bitmap, name string) *roaring.Bitmap {
	b := m[name]
	if b == nil {
		b = roaring.New()
		m[name] = b
	}
	return b
}
