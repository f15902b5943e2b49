package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"sync/atomic"

	"cairn/engine/keys"
	"cairn/engine/segment"
)

// summary is what the engine knows of a sealed segment without opening it. It stands in front of the
// directory in the segment's manifest value:
//
//	version u8 = 1, flags u8 (1 cold, 2 has insert ids), size of the numbers u16, numbers (varints),
//	CRC32C u32 of all before, directory
//
// The numbers are those of the fields of summary from Run on, in their order, signed ones zig-zag;
// a later version may add some.
type summary struct {
	Cold bool // compressed for keeping
	IDs  bool // has insert ids

	Run     uint64 // number of the first segment of the same sorted run
	To      int64  // end of the span, exclusive; its start is in the key
	Rows    int
	Users   int
	TimeMin int64
	TimeMax int64
	RecvMin int64
	RecvMax int64
	Bytes   int // directory and chunks
	Chunks  int // 0: all is in the directory
	SeqMin  uint64
	SeqMax  uint64
	Merged  uint64 // how often its rows have been merged at most
}

const (
	summaryVersion = 1
	summaryCold    = 1
	summaryIDs     = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *summary) unsigned() []*uint64 { return []*uint64{&m.Run, &m.SeqMin, &m.SeqMax, &m.Merged} }
func (m *summary) signed() []*int64 {
	return []*int64{&m.To, &m.TimeMin, &m.TimeMax, &m.RecvMin, &m.RecvMax}
}
func (m *summary) counts() []*int { return []*int{&m.Rows, &m.Users, &m.Bytes, &m.Chunks} }

func encodeManifest(m *summary, directory []byte) []byte {
	var flags byte
	if m.Cold {
		flags |= summaryCold
	}
	if m.IDs {
		flags |= summaryIDs
	}
	out := append(make([]byte, 0, 96+len(directory)), summaryVersion, flags, 0, 0)
	for _, v := range m.unsigned() {
		out = binary.AppendUvarint(out, *v)
	}
	for _, v := range m.signed() {
		out = binary.AppendVarint(out, *v)
	}
	for _, v := range m.counts() {
		out = binary.AppendUvarint(out, uint64(*v))
	}
	binary.LittleEndian.PutUint16(out[2:], uint16(len(out)-4))
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	return append(out, directory...)
}

func decodeManifest(value []byte) (*summary, []byte, error) {
	if len(value) < 8 || value[0] != summaryVersion {
		return nil, nil, fmt.Errorf("manifest entry: no summary of a known version")
	}
	end := 4 + int(binary.LittleEndian.Uint16(value[2:]))
	if end+4 > len(value) || crc32.Checksum(value[:end], castagnoli) != binary.LittleEndian.Uint32(value[end:]) {
		return nil, nil, fmt.Errorf("manifest entry: checksum")
	}
	m := &summary{Cold: value[1]&summaryCold != 0, IDs: value[1]&summaryIDs != 0}
	in := value[4:end]
	bad := false
	unsigned := func() uint64 {
		v, n := binary.Uvarint(in)
		if n <= 0 {
			bad = true
			return 0
		}
		in = in[n:]
		return v
	}
	for _, v := range m.unsigned() {
		*v = unsigned()
	}
	for _, v := range m.signed() {
		u := unsigned()
		*v = int64(u>>1) ^ -int64(u&1)
	}
	for _, v := range m.counts() {
		u := unsigned()
		bad = bad || u > math.MaxInt32*1024
		*v = int(u)
	}
	if bad {
		return nil, nil, fmt.Errorf("manifest entry: numbers")
	}
	return m, value[end+4:], nil
}

// damagedSpan returns the days that a segment has whose summary cannot be read: what its directory
// says or, if that cannot be read either, the widest that a partition is.
func damagedSpan(k keys.ManifestKey, value []byte, c calendar) spanKey {
	if len(value) >= 8 {
		if end := 8 + int(binary.LittleEndian.Uint16(value[2:])); end <= len(value) {
			if r, err := segment.Open(value[end:], nil, nil, 0); err == nil && r.Info().TimeMin >= k.Day {
				_, to := c.day(r.Info().TimeMax)
				return spanKey{k.Day, to}
			}
		}
	}
	_, to := c.day(min(k.Day, timeMax-wideDays*dayNanos) + wideDays*dayNanos - 1)
	return spanKey{k.Day, to}
}

// segmentHandle is a sealed segment of a view.
type segmentHandle struct {
	keys.ManifestKey
	summary
	tenant *Tenant
	// directory is kept when the segment has left the manifest, for the views that still have it.
	directory atomic.Pointer[[]byte]
	links     linkedState
}

func (h *segmentHandle) span() spanKey { return spanKey{h.Day, h.To} }

// readerChunk is the number under which the cache keeps the Reader itself.
const readerChunk = segment.ChunkID(math.MaxUint32)

// reader opens the segment, or returns it opened from the cache.
func (h *segmentHandle) reader() (*segment.Reader, error) {
	cache := h.tenant.cache
	if r, ok := cache.Get(uint64(h.Segment), readerChunk, -1); ok {
		return r.(*segment.Reader), nil
	}
	directory, err := h.readDirectory()
	if err != nil {
		return nil, err
	}
	r, err := segment.Open(directory, h, cache, uint64(h.Segment))
	if err != nil {
		return nil, &CorruptionError{Key: h.manifestKey(), Err: err}
	}
	cache.Put(uint64(h.Segment), readerChunk, -1, r, 2*len(directory)+1024)
	return r, nil
}

func (h *segmentHandle) manifestKey() []byte {
	return keys.Manifest(h.Tenant, h.Partition, h.Day, h.Segment)
}

func (h *segmentHandle) readDirectory() ([]byte, error) {
	key := h.manifestKey()
	value, err := h.tenant.db.store.get(key)
	if err != nil {
		return nil, err
	}
	if value == nil {
		if kept := h.directory.Load(); kept != nil {
			return *kept, nil
		}
		return nil, &CorruptionError{Key: key, Err: fmt.Errorf("the manifest entry is gone")}
	}
	_, directory, err := decodeManifest(value)
	if err != nil {
		return nil, &CorruptionError{Key: key, Err: err}
	}
	return directory, nil
}

// keepDirectory is called before the segment leaves the manifest.
func (h *segmentHandle) keepDirectory() error {
	directory, err := h.readDirectory()
	if err == nil {
		h.directory.Store(&directory)
	}
	return err
}

// Locate implements segment.Locator.
func (h *segmentHandle) Locate(id segment.ChunkID, inline bool, err error) error {
	if inline {
		return &CorruptionError{Key: h.manifestKey(), Err: err}
	}
	return &CorruptionError{Key: h.chunkKey(id), Err: err}
}

func (h *segmentHandle) chunkKey(id segment.ChunkID) []byte {
	return keys.Chunk(h.Tenant, h.Partition, h.Day, h.Segment, uint32(id))
}

// Chunk reads a chunk for the segment's Reader.
func (h *segmentHandle) Chunk(id segment.ChunkID) ([]byte, error) {
	key := h.chunkKey(id)
	value, err := h.tenant.db.store.get(key)
	if err == nil && value == nil {
		err = &CorruptionError{Key: key, Err: fmt.Errorf("the chunk is missing")}
	}
	return value, err
}
