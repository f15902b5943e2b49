package engine

import (
	"cmp"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/keys"
)

// view is all that a query can see of a tenant at one moment. It is immutable; a commit, a seal and a
// merge each put a new one in its place.
type view struct {
	epoch uint64
	// sealedEpoch counts the changes to the sealed segments.
	sealedEpoch uint64
	spans       []*span // by from, then to
	settings    *settings
	users       uint32 // highest user number
	// hidden are users whose rows are left out of everything, though segments and frames have them: they
	// were erased. nil if there are none.
	hidden   *roaring.Bitmap
	received int64     // newest arrival
	sequence uint64    // newest frame or erasure
	links    *linkView // nil: there never was a link
	renamed  uint64    // see Tenant.rename
}

// span is what a view holds of the events in [from, to): a day, or a wider partition of days with few
// events. Spans may overlap: late events of a day stand beside the wider partition around it.
type span struct {
	from, to int64
	sealed   []*segmentHandle // by run, then segment
	hot      []hotBlock
	hotRows  int
	hotBytes int64
	hotFrom  int64 // event times of the hot rows, inclusive
	hotTo    int64
	chunks   *hotChunks
	sealing  int // hot blocks on their way into a segment: they stay as they are
	// damaged is why frames or segments of the day could not be read, and damagedKeys are their keys,
	// which stay for inspection until retention drops the day.
	damaged     error
	damagedKeys [][]byte
}

func compareSpan(s *span, key spanKey) int {
	return cmp.Or(cmp.Compare(s.from, key.from), cmp.Compare(s.to, key.to))
}

// damage notes that what a key holds cannot be read.
func (s *span) damage(key []byte, err error) {
	key = slices.Clone(key)
	s.damaged = errors.Join(s.damaged, &CorruptionError{Key: key, Err: err})
	s.damagedKeys = append(slices.Clip(s.damagedKeys), key)
}

// unreadableFrames returns the sequences of frames of the span that could not be read, ascending.
func (s *span) unreadableFrames() []uint64 {
	var out []uint64
	for _, key := range s.damagedKeys {
		if k, err := keys.ParseHot(key); err == nil {
			out = append(out, k.Sequence)
		}
	}
	slices.Sort(out)
	return out
}

// spanKey names a span of a view.
type spanKey struct{ from, to int64 }

func (s *span) key() spanKey { return spanKey{s.from, s.to} }

func (s *span) empty() bool { return len(s.sealed) == 0 && len(s.hot) == 0 && s.damaged == nil }

func (s *span) rows() int {
	n := s.hotRows
	for _, h := range s.sealed {
		n += h.Rows
	}
	return n
}

// runs returns the sealed segments by run.
func (s *span) runs() [][]*segmentHandle {
	var runs [][]*segmentHandle
	for i, h := range s.sealed {
		if i == 0 || h.Run != s.sealed[i-1].Run {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], h)
	}
	return runs
}

func runRows(run []*segmentHandle) int {
	n := 0
	for _, h := range run {
		n += h.Rows
	}
	return n
}

func (v *view) find(key spanKey) *span {
	if i, ok := slices.BinarySearchFunc(v.spans, key, compareSpan); ok {
		return v.spans[i]
	}
	return nil
}

// edit puts a changed copy of a span into the view, whose list of spans is its own by then. The span
// is made if it is new and taken out if it is left empty.
func (v *view) edit(key spanKey, change func(*span)) {
	i, ok := slices.BinarySearchFunc(v.spans, key, compareSpan)
	next := &span{from: key.from, to: key.to}
	if ok {
		*next = *v.spans[i]
	}
	change(next)
	switch {
	case next.empty() && ok:
		v.spans = slices.Delete(v.spans, i, i+1)
	case next.empty():
	case ok:
		v.spans[i] = next
	default:
		v.spans = slices.Insert(v.spans, i, next)
	}
}

func (s *span) addSealed(handles ...*segmentHandle) {
	s.sealed = slices.Concat(s.sealed, handles)
	slices.SortFunc(s.sealed, func(a, b *segmentHandle) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Segment, b.Segment))
	})
}

func (s *span) removeSealed(gone map[keys.Segment]bool) {
	s.sealed = slices.DeleteFunc(slices.Clone(s.sealed), func(h *segmentHandle) bool { return gone[h.Segment] })
}

// update puts a new view in place of the present one.
func (t *Tenant) update(change func(v *view)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := *t.view.Load()
	next.epoch++
	next.spans = slices.Clone(next.spans)
	change(&next)
	t.view.Store(&next)
}
