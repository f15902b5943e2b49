package engine

import (
	"math/bits"

	"cairn/engine/column"
	"cairn/engine/segment"
)

// dedup knows the insert ids of a tenant within the window. It is exact: what the filters let through
// is looked up in the hot ids, then in the sealed segments. Guarded by the commit lock.
//
//	filters  every id accepted since the tenant was loaded, by generations of arrival
//	hot      every id not sealed, with the place of its bytes
//	sealed   segments within the window; those with ids from before the filters are always asked
type dedup struct {
	tenant *Tenant
	window int64

	filters []*idGeneration // oldest first
	// coveredFrom is the sequence from which on every id is in the filters.
	coveredFrom uint64
	hot         hotIDs
	// droppedUntil is the newest arrival of an id whose event retention has dropped, 0 without one.
	droppedUntil int64

	// The sealed segments with ids that arrived from sealedFrom on, as of sealedEpoch of the view.
	sealedEpoch uint64
	sealedFrom  int64
	sealed      []sealedIDs
}

type sealedIDs struct {
	handle  *segmentHandle
	covered bool
	filter  *segment.IDFilter
	reader  *segment.Reader
}

// idGeneration is a filter over ids that arrived one after the other.
type idGeneration struct {
	filter   blockFilter
	ids, max int
	first    uint64 // sequence of the first frame
	newest   int64  // newest arrival
}

const (
	generationIDs    = 1 << 10 // ids of the first generation; each next one has four times as many
	generationIDsMax = 1 << 24
	filterBits       = 16 // bits per id: one in some thousand is looked up in vain
	// filterBytesMax bounds the filters of a tenant; beyond it the oldest goes and its segments are
	// asked one by one.
	filterBytesMax = 128 << 20
)

func newDedup(t *Tenant, coveredFrom uint64) *dedup {
	return &dedup{tenant: t, window: int64(t.db.opt.DedupWindow), coveredFrom: coveredFrom, sealedEpoch: ^uint64(0)}
}

// check reports whether the id has arrived since cutoff.
func (d *dedup) check(id []byte, hash uint64, cutoff int64) (bool, error) {
	maybe := false
	for _, g := range d.filters {
		if g.filter.has(hash) {
			maybe = true
			break
		}
	}
	if maybe && d.hot.has(id, hash, cutoff) {
		return true, nil
	}
	for i := range d.sealed {
		s := &d.sealed[i]
		if (s.covered && !maybe) || s.handle.RecvMax < cutoff {
			continue
		}
		found, err := s.has(id, hash, cutoff)
		if found || err != nil {
			return found, err
		}
	}
	return d.wasDropped(id, cutoff)
}

func (s *sealedIDs) has(id []byte, hash uint64, cutoff int64) (bool, error) {
	if s.reader == nil {
		r, err := s.handle.reader()
		if err != nil {
			return false, err
		}
		if s.filter, err = r.IDFilter(); err != nil {
			return false, err
		}
		s.reader = r
	}
	if s.filter != nil && !s.filter.MayContain(hash) {
		return false, nil
	}
	received, ok, err := s.reader.FindID(string(id))
	return ok && received >= cutoff, err
}

// refresh makes check look at the sealed segments of v, which the caller has pinned.
func (d *dedup) refresh(v *view, cutoff int64) {
	if v.sealedEpoch == d.sealedEpoch && cutoff >= d.sealedFrom {
		return
	}
	kept := make(map[*segmentHandle]sealedIDs, len(d.sealed))
	for _, s := range d.sealed {
		kept[s.handle] = s
	}
	d.sealed = nil
	for _, span := range v.spans {
		for _, h := range span.sealed {
			if !h.IDs || h.RecvMax < cutoff {
				continue
			}
			s, ok := kept[h]
			if !ok {
				s = sealedIDs{handle: h}
			}
			s.covered = h.SeqMin >= d.coveredFrom
			d.sealed = append(d.sealed, s)
		}
	}
	d.sealedEpoch, d.sealedFrom = v.sealedEpoch, cutoff
}

// add takes in an id that check has called new. received is the arrival of its row, now that of the
// frame.
func (d *dedup) add(source uint32, code uint32, hash uint64, sequence uint64, received, now int64) {
	n := len(d.filters)
	if n == 0 || d.filters[n-1].ids == d.filters[n-1].max {
		d.rotate(sequence, now)
		n = len(d.filters)
	}
	g := d.filters[n-1]
	g.filter.add(hash)
	g.ids++
	g.newest = max(g.newest, now)
	d.hot.add(source, code, hash)
	if s := &d.hot.sources[source-1]; s.received != nil {
		s.received[code] = received
	}
}

// rotate starts a generation and drops those that are past the window or too many.
func (d *dedup) rotate(sequence uint64, now int64) {
	size := generationIDs
	if n := len(d.filters); n > 0 {
		size = min(4*d.filters[n-1].max, generationIDsMax)
	}
	d.filters = append(d.filters, &idGeneration{
		filter: newBlockFilter(size), max: size, first: sequence, newest: now,
	})
	total := 0
	for _, g := range d.filters {
		total += len(g.filter) * 32
	}
	for len(d.filters) > 1 && (total > filterBytesMax || d.filters[0].newest < now-d.window) {
		total -= len(d.filters[0].filter) * 32
		d.filters = d.filters[1:]
		// The frame that began the generation may have ids in the one before, and a frame read back
		// may be older than what was sealed before it was.
		d.coveredFrom = max(d.coveredFrom, d.filters[0].first+1)
		d.sealedEpoch = ^uint64(0)
	}
}

// hotIDs is a hash table of ids whose bytes are in the dictionaries of batches.
type hotIDs struct {
	slots   []hotID // open addressing; its size is a power of two
	used    int     // slots taken, dead ones included
	sources []idSource
	live    int // sources not dropped
	ids     int // ids of live sources
}

type hotID struct {
	tag    uint32 // upper half of the hash
	source uint32 // index + 1; 0 is free
	code   uint32
}

// idSource is the dictionary of the ids of one frame.
type idSource struct {
	dict     *column.Dict // nil: sealed
	span     spanKey
	sequence uint64
	arrived  int64
	received []int64 // by string: when it arrived; nil: at arrived
	ids      int
}

// newIDSource keeps the ids of a frame and nothing else of it.
func newIDSource(b *column.Batch, span spanKey, sequence uint64, arrived int64) idSource {
	dict := b.ID.Dict
	s := idSource{dict: &dict, span: span, sequence: sequence, arrived: arrived}
	if b.Received != nil {
		s.received = make([]int64, dict.Len())
	}
	return s
}

// arrival returns when the id arrived.
func (s *idSource) arrival(code uint32) int64 {
	if s.received == nil {
		return s.arrived
	}
	return s.received[code]
}

func (h *hotIDs) newSource(s idSource) uint32 {
	h.sources = append(h.sources, s)
	h.live++
	return uint32(len(h.sources))
}

func (h *hotIDs) has(id []byte, hash uint64, cutoff int64) bool {
	if len(h.slots) == 0 {
		return false
	}
	mask, tag := uint32(len(h.slots)-1), uint32(hash>>32)
	for i := uint32(hash) & mask; h.slots[i].source != 0; i = (i + 1) & mask {
		s := &h.slots[i]
		if s.tag != tag {
			continue
		}
		source := &h.sources[s.source-1]
		if source.dict != nil && source.arrival(s.code) >= cutoff && string(source.dict.Bytes(s.code)) == string(id) {
			return true
		}
	}
	return false
}

func (h *hotIDs) add(source, code uint32, hash uint64) {
	if 4*(h.used+1) > 3*len(h.slots) {
		h.grow()
	}
	h.put(hotID{uint32(hash >> 32), source, code}, hash)
	h.sources[source-1].ids++
	h.ids++
}

func (h *hotIDs) put(s hotID, hash uint64) {
	mask := uint32(len(h.slots) - 1)
	i := uint32(hash) & mask
	for h.slots[i].source != 0 {
		i = (i + 1) & mask
	}
	h.slots[i] = s
	h.used++
}

// grow makes room for as many ids again as are live and leaves out those of dropped sources.
func (h *hotIDs) grow() {
	old := h.slots
	h.slots = make([]hotID, 1<<bits.Len(uint(max(1024, 2*h.ids))))
	h.used = 0
	for _, s := range old {
		if s.source == 0 {
			continue
		}
		if dict := h.sources[s.source-1].dict; dict != nil {
			h.put(s, segment.HashID(dict.Bytes(s.code)))
		}
	}
}

// compact gives live sources new numbers, without gaps.
func (h *hotIDs) compact() {
	h.grow()
	number := make([]uint32, len(h.sources)+1)
	kept := make([]idSource, 0, h.live)
	for i, s := range h.sources {
		if s.dict != nil {
			kept = append(kept, s)
			number[i+1] = uint32(len(kept))
		}
	}
	for i := range h.slots {
		h.slots[i].source = number[h.slots[i].source]
	}
	h.sources = kept
}

// drop forgets the frames of a span up to a sequence: they are sealed. Source numbers given out
// before are no longer valid.
func (h *hotIDs) drop(span spanKey, sequence uint64) {
	for i := range h.sources {
		s := &h.sources[i]
		if s.dict != nil && s.span == span && s.sequence <= sequence {
			h.ids -= s.ids
			h.live--
			s.dict = nil
		}
	}
	switch {
	case h.live == 0:
		*h = hotIDs{}
	case h.live < len(h.sources)/2:
		h.compact()
	}
}

// takeBack forgets the frames from a sequence on: their commit has failed.
func (h *hotIDs) takeBack(sequence uint64) {
	for i := range h.sources {
		s := &h.sources[i]
		if s.dict != nil && s.sequence >= sequence {
			h.ids -= s.ids
			h.live--
			s.dict = nil
		}
	}
}

// blockFilter is a split-block bloom filter: a hash sets one bit in each of the eight words of one
// block of 32 bytes.
type blockFilter [][8]uint32

var filterSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

func newBlockFilter(ids int) blockFilter { return make(blockFilter, max(1, ids*filterBits/256)) }

func (f blockFilter) block(hash uint64) *[8]uint32 {
	i, _ := bits.Mul64(hash, uint64(len(f)))
	return &f[i]
}

func (f blockFilter) add(hash uint64) {
	b := f.block(hash)
	for i, salt := range filterSalts {
		b[i] |= 1 << (uint32(hash) * salt >> 27)
	}
}

func (f blockFilter) has(hash uint64) bool {
	b := f.block(hash)
	for i, salt := range filterSalts {
		if b[i]&(1<<(uint32(hash)*salt>>27)) == 0 {
			return false
		}
	}
	return true
}
