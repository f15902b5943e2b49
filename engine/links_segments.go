package engine

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/segment"
)

// The rows of a segment keep the ids that they came with. Where some of these stand for others, a canonical
// snapshot reads the segment without the rows of the former, and beside it a copy of just these rows under the
// canonical numbers. The copy is made when it is first asked for and kept by the cache; new links make another
// one only where they change what the users of the segment stand for.

// linkedChunk is the number under which the cache keeps the linked form of a segment.
const linkedChunk = readerChunk - 1

// linkedNumber is the first number under which the cache knows copies, far from those of segments.
const linkedNumber = 1 << 63

// linkedSegment is what links make of a segment. It does not change but for what mu guards.
type linkedSegment struct {
	fingerprint uint64
	moved       *roaring.Bitmap
	copies      []*segment.Reader

	mu struct {
		sync.Mutex
		base, without *segment.Reader // the segment with and without the moved rows
	}
}

// linkMemo remembers what links were found to do to a segment.
type linkMemo struct {
	sequence    uint64 // of the links
	base        *segment.Reader
	fingerprint uint64
	moved       *roaring.Bitmap // nil: nothing
}

// linkedState is kept with the handle of a segment.
type linkedState struct {
	memo     atomic.Pointer[linkMemo]
	building sync.Mutex
}

// mix spreads a link over 64 bits.
func mix(id, canonical uint32) uint64 {
	h := (uint64(id)<<32 | uint64(canonical)) * 0x9e3779b97f4a7c15
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// fingerprint tells two resolutions of users apart; 0 is that none of them moves.
func (v *linkView) fingerprint(moved *roaring.Bitmap) uint64 {
	sum := uint64(0)
	for it := moved.Iterator(); it.HasNext(); {
		id := it.Next()
		sum = sum*3 + mix(id, v.of(id))
	}
	if sum == 0 && !moved.IsEmpty() {
		return 1
	}
	return sum
}

// linkMemo returns what links do to the segment, which r reads.
func (h *segmentHandle) linkMemo(v *linkView, r *segment.Reader) (*linkMemo, error) {
	if memo := h.links.memo.Load(); memo != nil && memo.sequence == v.sequence && memo.base == r {
		return memo, nil
	}
	users, err := r.AllUsers()
	if err != nil {
		return nil, err
	}
	memo := &linkMemo{sequence: v.sequence, base: r}
	if users.Intersects(v.moved) {
		memo.moved = roaring.And(users, v.moved)
		memo.fingerprint = v.fingerprint(memo.moved)
	}
	h.links.memo.Store(memo)
	return memo, nil
}

// kept returns the linked form of the segment if the cache has it.
func (h *segmentHandle) kept(memo *linkMemo) *linkedSegment {
	if memo.moved == nil {
		return nil
	}
	l, ok := h.tenant.cache.Get(uint64(h.Segment), linkedChunk, int(int32(memo.fingerprint)))
	if !ok || l.(*linkedSegment).fingerprint != memo.fingerprint {
		return nil
	}
	return l.(*linkedSegment)
}

// readers appends readers over the rows of r, the segment's, under canonical numbers.
func (l *linkedSegment) readers(dst []*segment.Reader, r *segment.Reader) []*segment.Reader {
	l.mu.Lock()
	if l.mu.base != r {
		l.mu.base, l.mu.without = r, r.Without(l.moved)
	}
	dst = append(dst, l.mu.without)
	l.mu.Unlock()
	return append(dst, l.copies...)
}

// linkedCopy is a linked form on its way.
type linkedCopy struct {
	handle *segmentHandle
	memo   *linkMemo
	made   *linkedSegment
}

// copyLinked makes the copies, several at a time.
func (v *linkView) copyLinked(ctx context.Context, list []linkedCopy) error {
	if len(list) == 0 {
		return nil
	}
	return list[0].handle.tenant.db.parallel(ctx, runtime.GOMAXPROCS(0), len(list), func(i int) (err error) {
		c := &list[i]
		c.made, err = c.handle.copyLinked(v, c.memo)
		return err
	})
}

func (h *segmentHandle) copyLinked(v *linkView, memo *linkMemo) (*linkedSegment, error) {
	h.links.building.Lock() // once is enough
	defer h.links.building.Unlock()
	if l := h.kept(memo); l != nil {
		return l, nil
	}
	encoded, err := memo.base.Renumber(memo.moved, v.of, h.tenant.db.buildOptions(false))
	if err != nil {
		return nil, fmt.Errorf("copy linked users: %w", err)
	}
	l := &linkedSegment{fingerprint: memo.fingerprint, moved: memo.moved}
	size := int(memo.moved.GetSizeInBytes()) + 256
	for _, e := range encoded {
		r, err := segment.Open(e.Directory, e, h.tenant.cache, linkedNumber|h.tenant.db.linkedCopies.Add(1))
		if err != nil {
			return nil, fmt.Errorf("copy linked users: %w", err)
		}
		l.copies = append(l.copies, r)
		size += e.SizeBytes() + 2*len(e.Directory) + 1024
	}
	h.tenant.cache.Put(uint64(h.Segment), linkedChunk, int(int32(memo.fingerprint)), l, size)
	return l, nil
}

// linkedUsers returns the canonical numbers of users.
func (v *linkView) linkedUsers(users []uint32) []uint32 {
	out := make([]uint32, len(users))
	for i, user := range users {
		out[i] = v.of(user)
	}
	return out
}

// move puts canonical numbers in place of others.
func (v *linkView) move(users *roaring.Bitmap) {
	moved := roaring.And(users, v.moved)
	users.AndNot(moved)
	for it := moved.Iterator(); it.HasNext(); {
		users.Add(v.of(it.Next()))
	}
}

// ids returns the numbers of all ids that stand for a canonical number, with it. Of later links it takes none.
func (l *linkLog) ids(v *linkView, canonical uint32) []uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	seen := make(map[uint32]bool)
	l.component(nil, canonical, seen)
	var out []uint32
	for id := range seen {
		if v.of(id) == canonical {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// cluster returns the links within the cluster of a canonical number that the view has and that were not taken
// away, in the order of their meaning but for names.
func (l *linkLog) cluster(v *linkView, canonical uint32) []linkRow {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := l.component(nil, canonical, make(map[uint32]bool))
	gone := make(map[[2]uint32]int64)
	for i := range all {
		r := &all[i]
		if r.kind != linkUnlink || r.sequence > v.sequence {
			continue
		}
		pair := pairOf(r.user, r.id)
		before, ok := gone[pair]
		if !ok {
			before = math.MinInt64
		}
		gone[pair] = max(before, r.time)
	}
	return slices.DeleteFunc(all, func(r linkRow) bool {
		at, unlinked := gone[pairOf(r.user, r.id)]
		return r.kind == linkUnlink || r.sequence > v.sequence || unlinked && at >= r.time ||
			v.of(r.user) != canonical || v.of(r.id) != canonical
	})
}
