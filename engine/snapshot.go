package engine

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/event"
	"cairn/engine/keys"
	"cairn/engine/segment"
)

// Snapshot is what a tenant held at one moment: whatever is appended, sealed, merged or dropped
// afterwards does not change it. It is safe for concurrent use. Close it soon: until then the disk
// space of merged segments is not freed.
//
// Users are canonical: ids that links have put to another one are that one, in Segments as well as where users
// are asked for by name. Raw has them as they were sent, and so has Scan.
type Snapshot struct {
	tenant *Tenant
	view   *view
	raw    bool
	err    error // why the tenant could not be loaded
	unpin  func()
	closed atomic.Bool
}

// Snapshot returns the present state of the tenant. If that cannot be read, the methods of the
// snapshot that return an error return it.
func (t *Tenant) Snapshot() *Snapshot {
	if err := t.ensureLoaded(); err != nil {
		return &Snapshot{tenant: t, view: t.view.Load(), err: err}
	}
	v, unpin := t.pin()
	return &Snapshot{tenant: t, view: v, unpin: unpin}
}

// pin returns the present view; what its segments need stays on disk until unpin is called.
func (t *Tenant) pin() (v *view, unpin func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v = t.view.Load()
	if t.mu.snapshots == nil {
		t.mu.snapshots = make(map[uint64]int)
	}
	t.mu.snapshots[v.epoch]++
	return v, func() { t.unpin(v.epoch) }
}

func (t *Tenant) unpin(epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.snapshots[epoch]--; t.mu.snapshots[epoch] == 0 {
		delete(t.mu.snapshots, epoch)
	}
}

// Raw returns the snapshot with users as they were sent, whatever is linked. It need not be closed and may be used
// until s is.
func (s *Snapshot) Raw() *Snapshot {
	return &Snapshot{tenant: s.tenant, view: s.view, raw: true, err: s.err}
}

// links returns what users are resolved by, nil for nothing.
func (s *Snapshot) links() *linkView {
	if s.raw {
		return nil
	}
	return s.view.links
}

// linksRead returns why the links cannot be known.
func (s *Snapshot) linksRead() error {
	if s.err == nil && s.links() != nil {
		return s.links().damaged
	}
	return s.err
}

// Close ends the use of the snapshot and of everything got from it.
func (s *Snapshot) Close() {
	if !s.closed.Swap(true) && s.unpin != nil {
		s.unpin()
	}
}

// Segments returns readers over every stored event in the range, each event in exactly one reader.
// The readers may hold events outside the range. Segments of one user and time may overlap: the rows of
// a user in time order are the merge of the readers. Rows of erased users that are stored still are hidden:
// see segment.Reader.Without.
func (s *Snapshot) Segments(ctx context.Context, r event.TimeRange) ([]*segment.Reader, error) {
	if err := s.linksRead(); err != nil {
		return nil, err
	}
	links := s.links()
	var out []*segment.Reader
	var unlinked []linkedCopy
	fresh := false
	defer func() { s.tenant.hotAsked(fresh) }()
	for _, span := range s.view.spans {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if span.damaged != nil && r.Overlaps(span.from, span.to-1) {
			return nil, span.damaged
		}
		for _, h := range span.sealed {
			if !r.Overlaps(h.TimeMin, h.TimeMax) {
				continue
			}
			reader, err := h.reader()
			if err != nil {
				return nil, err
			}
			reader = reader.Without(s.view.hidden)
			if links == nil {
				out = append(out, reader)
				continue
			}
			memo, err := h.linkMemo(links, reader)
			if err != nil {
				return nil, err
			}
			switch l := h.kept(memo); {
			case memo.moved == nil:
				out = append(out, reader)
			case l == nil:
				unlinked = append(unlinked, linkedCopy{handle: h, memo: memo})
			default:
				out = l.readers(out, reader)
			}
		}
		if len(span.hot) > 0 && r.Overlaps(span.hotFrom, span.hotTo) {
			readers, built := span.chunks.readers(span.hot, links)
			fresh = fresh || built
			for _, reader := range readers {
				out = append(out, reader.Without(s.view.hidden))
			}
		}
	}
	if err := links.copyLinked(ctx, unlinked); err != nil {
		return nil, err
	}
	for _, c := range unlinked {
		out = c.made.readers(out, c.memo.base)
	}
	return out, nil
}

// UserID returns the dense number of a user, from 1 on; false if the snapshot knows none of that name. For an id
// that stands for another one it is the number of that.
func (s *Snapshot) UserID(name string) (uint32, bool, error) {
	if err := s.linksRead(); err != nil || s.view.users == 0 {
		return 0, false, err
	}
	id, ok, err := s.tenant.users.lookup([]byte(name))
	return s.links().of(id), ok && s.view.shows(id), err
}

// Canonical returns the user whom an id stands for: itself, if it is not linked, or not known.
func (s *Snapshot) Canonical(id string) (string, error) {
	if s.links() == nil {
		return id, s.err
	}
	number, ok, err := s.tenant.users.lookup([]byte(id))
	if err == nil {
		err = s.linksRead()
	}
	if err != nil || !ok || s.links().of(number) == number {
		return id, err
	}
	names, err := s.tenant.users.names([]uint32{s.links().of(number)})
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// UserNames returns the users with the given numbers; "" stands for 0, for numbers never given, and for
// users who were erased, be it after the snapshot was opened.
func (s *Snapshot) UserNames(ids []uint32) ([]string, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.view.users == 0 {
		return make([]string, len(ids)), nil
	}
	return s.tenant.users.names(ids)
}

// UserCount returns the highest number of a user. Numbers have no gaps, but a user may have no event
// left, or be erased.
func (s *Snapshot) UserCount() uint32 { return s.view.users }

// Location returns the tenant's time zone.
func (s *Snapshot) Location() *time.Location { return s.view.settings.calendar.current() }

// WeekStart returns the tenant's first day of a week.
func (s *Snapshot) WeekStart() time.Weekday { return s.view.settings.record.WeekStart }

// RetentionDays returns the number of whole days that are kept besides the running one; 0: all.
func (s *Snapshot) RetentionDays() int { return s.view.settings.record.RetentionDays }

// ID names what answers depend on: two snapshots of a tenant with the same ID hold the same events, links
// and settings, whenever they were taken, also before and after a restart. Commits, links, erasures,
// retention and Configure change it; sealing and merging do not.
func (s *Snapshot) ID() string {
	id := fmt.Sprintf("s_%x", s.view.sequence)
	if s.view.renamed != 0 {
		id = fmt.Sprintf("%s.%x", id, s.view.renamed)
	}
	if s.view.links != nil {
		id = fmt.Sprintf("%s_%x", id, s.view.links.sequence)
	}
	return id
}

// Sequence is that of the newest frame or erasure in the snapshot; see Result.Sequence.
func (s *Snapshot) Sequence() uint64 { return s.view.sequence }

// CompleteUntil returns the newest arrival in the snapshot in Unix nanoseconds, 0 if it is empty:
// every event acknowledged up to then is in.
func (s *Snapshot) CompleteUntil() int64 { return s.view.received }

// Rows returns the number of stored events. While some are hidden it has to count those.
func (s *Snapshot) Rows() int {
	n := -s.view.hiddenRows()
	for _, span := range s.view.spans {
		n += span.rows()
	}
	return n
}

// TimeRange returns the range from the oldest event to just behind the newest; it is empty if there
// are none.
func (s *Snapshot) TimeRange() event.TimeRange {
	var out event.TimeRange
	first := true
	add := func(from, to int64) {
		if first || from < out.From {
			out.From = from
		}
		if first || to >= out.To {
			out.To = to + 1
		}
		first = false
	}
	if s.view.hidden != nil {
		s.view.visibleTimes(add)
		return out
	}
	for _, span := range s.view.spans {
		for _, h := range span.sealed {
			add(h.TimeMin, h.TimeMax)
		}
		if len(span.hot) > 0 {
			add(span.hotFrom, span.hotTo)
		}
	}
	return out
}

// ExpiredUsers returns the users who did an event in the days that retention has dropped: they are
// not new when they do it again. The bitmap is the caller's.
func (s *Snapshot) ExpiredUsers(eventName string) (*roaring.Bitmap, error) {
	if err := s.linksRead(); err != nil {
		return nil, err
	}
	if !s.tenant.stored() {
		return roaring.New(), nil
	}
	out, err := s.tenant.db.store.expiredUsers(keys.Expired(s.tenant.id, 0, eventName))
	if err == nil && s.view.hidden != nil {
		out.AndNot(s.view.hidden)
	}
	if err == nil && s.links() != nil {
		s.links().move(out)
	}
	return out, err
}

func (s *store) expiredUsers(key []byte) (*roaring.Bitmap, error) {
	value, err := s.get(key)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return roaring.New(), nil
	}
	return decodeExpired(key, value)
}

func decodeExpired(key, value []byte) (*roaring.Bitmap, error) {
	out := roaring.New()
	_, err := out.ReadFrom(bytes.NewReader(value))
	if err == nil {
		err = out.Validate()
	}
	if err != nil {
		return nil, &CorruptionError{Key: bytes.Clone(key), Err: err}
	}
	return out, nil
}
