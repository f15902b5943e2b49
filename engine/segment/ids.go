package segment

import (
	"slices"

	"cairn/engine/event"
	"cairn/index/bloom"
)

// IDFilter answers quickly whether a segment may hold an insert id. It is safe for concurrent use.
type IDFilter struct {
	filter *bloom.Filter
	hashes []uint64 // sorted, instead of a filter, in hot and small segments
}

// HashID is the hash of an insert id that IDFilter.MayContain takes: computed once, it serves all
// segments.
func HashID[T string | []byte](id T) uint64 { return bloom.Hash(id) }

// MayContain reports whether the id with this hash may be in the segment; false is certain.
func (f *IDFilter) MayContain(hash uint64) bool {
	if f.filter != nil {
		return f.filter.MayContain(hash)
	}
	_, ok := slices.BinarySearch(f.hashes, hash)
	return ok
}

// SizeBytes returns the memory that the filter holds.
func (f *IDFilter) SizeBytes() int {
	if f.filter != nil {
		return f.filter.SizeBytes()
	}
	return 8*len(f.hashes) + 48
}

// IDFilter returns the filter over the insert ids of the segment, nil if it has none.
func (r *Reader) IDFilter() (*IDFilter, error) {
	if r.id == nil {
		return nil, nil
	}
	if c, ok := r.id.data.(*sealedColumn); ok && c.meta.bloom > 0 {
		f, err := c.filter()
		if err != nil {
			return nil, err
		}
		return &IDFilter{filter: f}, nil
	}
	d, err := r.id.Dict()
	if err != nil {
		return nil, err
	}
	f := &IDFilter{hashes: make([]uint64, d.Len())}
	for i := range f.hashes {
		f.hashes[i] = bloom.Hash(d.Value(uint32(i)).Text())
	}
	slices.Sort(f.hashes)
	return f, nil
}

// FindID looks an insert id up exactly. received is the arrival of the row that has it, of the
// first to arrive if there are several. Ask IDFilter before: this reads a page of the dictionary.
func (r *Reader) FindID(id string) (received int64, ok bool, err error) {
	if r.id == nil {
		return 0, false, nil
	}
	code, ok, err := r.id.Find(event.String(id))
	if err != nil || !ok {
		return 0, false, err
	}
	if info := r.info(); info.ReceivedMin == info.ReceivedMax {
		return info.ReceivedMin, true, nil
	}
	arrivals, err := r.idArrivals()
	if err != nil {
		return 0, false, err
	}
	return arrivals[code], true, nil
}

// idArrivals returns the newest arrival of each insert id, by code.
func (r *Reader) idArrivals() ([]int64, error) {
	r.kept.arrivals.Lock()
	defer r.kept.arrivals.Unlock()
	if r.kept.arrivals.byCode != nil {
		return r.kept.arrivals.byCode, nil
	}
	info, err := r.id.data.info()
	if err != nil {
		return nil, err
	}
	byCode := make([]int64, info.Distinct)
	for i := range byCode {
		byCode[i] = -1 << 63
	}
	var codes []uint32
	var received []int64
	for b := range r.Blocks() {
		ids, err := r.id.Block(b)
		if err != nil {
			return nil, err
		}
		arrived, err := r.recv.Block(b)
		if err != nil {
			return nil, err
		}
		codes, received = ids.Codes(codes[:0], nil), arrived.Ints(received[:0], nil)
		for i, c := range codes {
			if c != AbsentCode {
				byCode[c] = max(byCode[c], received[i])
			}
		}
	}
	r.kept.arrivals.byCode = byCode
	return byCode, nil
}
