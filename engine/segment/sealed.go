package segment

import (
	"errors"
	"fmt"
	"sync"

	"cairn/index/postings"

	"github.com/RoaringBitmap/roaring/v2"
)

// sealed is an encoded segment: its directory and where to find the rest.
type sealed struct {
	*directory
	source    ChunkSource
	cache     Cache
	id        uint64
	eventDict *Dictionary
}

// Open reads the directory of a segment; chunks are read on use. What is decoded is kept in cache
// under the number id, or in the Reader if cache is nil. The Reader keeps directory.
func Open(directory []byte, src ChunkSource, cache Cache, id uint64) (*Reader, error) {
	d, err := parseDirectory(directory)
	if err != nil {
		return nil, err
	}
	if cache == nil {
		cache = &ownCache{values: make(map[cacheKey]any)}
	}
	s := &sealed{directory: d, source: src, cache: cache, id: id}
	s.eventDict = dictOfEvents(d.info.Events)
	s.describe(len(directory))
	r := &Reader{sealed: s, rows: d.info.Rows, blockRows: d.info.BlockRows, kept: &kept{}}
	r.info = func() *Info { return &d.info }
	r.users = &sealedUsers{s, r}
	columns := make([]Column, len(d.columns))
	for i := range columns {
		c := &columns[i]
		*c = Column{name: d.columns[i].name, ordinal: i, reader: r, data: &sealedColumn{sealed: s, meta: &d.columns[i], ordinal: i, reader: r}}
		if i >= ordinalFields {
			r.fields = append(r.fields, c)
		}
	}
	r.event, r.time, r.recv = &columns[ordinalEvent], &columns[ordinalTime], &columns[ordinalReceived]
	if d.columns[ordinalID].present > 0 {
		r.id = &columns[ordinalID]
	}
	return r, nil
}

func dictOfEvents(events []EventInfo) *Dictionary {
	d := &Dictionary{offsets: make([]uint32, 1, len(events)+1)}
	for _, e := range events {
		d.blob = append(d.blob, e.Name...)
		d.offsets = append(d.offsets, uint32(len(d.blob)))
	}
	d.lists, d.objects = uint32(len(events)), uint32(len(events))
	return d
}

// describe fills in the parts of Info that are not written as such.
func (s *sealed) describe(directoryBytes int) {
	info := &s.info
	total := &info.Bytes
	total.Directory = directoryBytes
	total.Users = s.users + s.events
	for i := range s.columns {
		m := &s.columns[i]
		about := m.describe()
		if i >= ordinalFields {
			info.Columns = append(info.Columns, about)
		}
		total.Data += about.Bytes.Data
		total.Dicts += about.Bytes.Dicts
		total.Postings += about.Bytes.Postings
		total.Blooms += about.Bytes.Blooms
	}
	inline := 0
	for _, c := range s.inline {
		inline += len(c.Data)
	}
	total.Total = directoryBytes + total.Data + total.Dicts + total.Postings + total.Blooms + total.Users - inline
}

var formNames = [numsAscending + 1]string{"empty", "const", "packed", "runs", "by user", "bytes", "affine", "steps", "ascending"}

func (m *columnMeta) describe() ColumnInfo {
	info := ColumnInfo{
		Name: m.name, Present: m.present, Nulls: m.nulls, Distinct: m.distinct, Kinds: m.kinds,
		Min: m.min, Max: m.max, Numeric: !m.dict, Indexed: m.postings > 0, Filtered: m.bloom > 0,
	}
	if int(m.form) < len(formNames) {
		info.Encoding = formNames[m.form]
	}
	for _, c := range m.data {
		info.Bytes.Data += c.bytes
	}
	for _, n := range m.pageLen {
		info.Bytes.Dicts += n
	}
	info.Bytes.Postings, info.Bytes.Blooms = m.postings, m.bloom
	info.Bytes.Total = info.Bytes.Data + info.Bytes.Dicts + info.Bytes.Postings + info.Bytes.Blooms
	return info
}

// columnOf names the column of a chunk for an error.
func (s *sealed) columnOf(id ChunkID) string {
	if id.kind() == chunkUsers {
		return "users"
	}
	if id.ordinal() < len(s.columns) {
		return s.columns[id.ordinal()].name
	}
	return "?"
}

// corrupt makes an error about a chunk.
func (s *sealed) corrupt(id ChunkID, err error) error {
	var done *CorruptionError
	if errors.As(err, &done) {
		return err
	}
	err = &CorruptionError{Column: s.columnOf(id), Chunk: id, Reason: err.Error()}
	if l, ok := s.source.(Locator); ok {
		_, inline := s.inlineChunk(id)
		return l.Locate(id, inline, err)
	}
	return err
}

// chunk returns the content of a chunk.
func (s *sealed) chunk(id ChunkID) ([]byte, error) {
	if data, ok := s.inlineChunk(id); ok {
		return data, nil
	}
	if s.source == nil {
		return nil, s.corrupt(id, errors.New("missing"))
	}
	data, err := s.source.Chunk(id)
	if err != nil {
		return nil, fmt.Errorf("read chunk %v of column %q: %w", id, s.columnOf(id), err)
	}
	content, err := openChunk(id, data)
	if err != nil {
		return nil, s.corrupt(id, err)
	}
	return content, nil
}

type cacheKey struct {
	segment uint64
	id      ChunkID
	block   int
}

// ownCache keeps everything; it serves readers that were not given a cache.
type ownCache struct {
	mu     sync.RWMutex
	values map[cacheKey]any
}

func (c *ownCache) Get(segment uint64, id ChunkID, block int) (any, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.values[cacheKey{segment, id, block}]
	return v, ok
}

func (c *ownCache) Put(segment uint64, id ChunkID, block int, value any, sizeBytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[cacheKey{segment, id, block}] = value
}

// cached returns what load makes, from the cache if it is there.
func cached[T any](s *sealed, id ChunkID, block int, load func() (value T, sizeBytes int, err error)) (T, error) {
	if v, ok := s.cache.Get(s.id, id, block); ok {
		if t, ok := v.(T); ok {
			return t, nil
		}
	}
	v, size, err := load()
	if err == nil {
		s.cache.Put(s.id, id, block, v, size)
	}
	return v, err
}

// In the cache a block number of -1 stands for the whole of a chunk.
const wholeChunk = -1

// set reads one set of a chunk of postings with want sets of members below limit.
func (s *sealed) set(id ChunkID, code, want, limit int) (*roaring.Bitmap, error) {
	return cached(s, id, code, func() (*roaring.Bitmap, int, error) {
		table, err := s.table(id, want, limit)
		if err != nil {
			return nil, 0, err
		}
		if code < 0 || code >= want {
			return nil, 0, fmt.Errorf("segment: code %d of %d", code, want)
		}
		set, err := table.Set(code)
		if err != nil {
			return nil, 0, s.corrupt(id, err)
		}
		return set, int(set.GetSizeInBytes()) + 64, nil
	})
}

// table opens a chunk of postings with want sets of members below limit.
func (s *sealed) table(id ChunkID, want, limit int) (*postings.Table, error) {
	return cached(s, id, wholeChunk, func() (*postings.Table, int, error) {
		content, err := s.chunk(id)
		if err != nil {
			return nil, 0, err
		}
		t, err := postings.Open(content, want, uint64(limit))
		if err != nil {
			return nil, 0, s.corrupt(id, err)
		}
		return t, t.SizeBytes(), nil
	})
}

// eventCodes returns the event code of every row, and the users' runs.
func (r *Reader) eventCodes() ([]uint32, *userRuns, error) {
	runs, err := r.users.runs()
	if err != nil {
		return nil, nil, err
	}
	codes := make([]uint32, 0, r.rows)
	for b := range r.Blocks() {
		v, err := r.event.Block(b)
		if err != nil {
			return nil, nil, err
		}
		codes = v.Codes(codes, nil)
	}
	return codes, runs, nil
}
