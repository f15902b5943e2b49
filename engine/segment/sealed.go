package segment

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/index/bloom"
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
	r := &Reader{sealed: s, rows: d.info.Rows, blockRows: d.info.BlockRows}
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
	return &CorruptionError{Column: s.columnOf(id), Chunk: id, Reason: err.Error()}
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

// sealedColumn is the columnData of a sealed segment.
type sealedColumn struct {
	*sealed
	meta    *columnMeta
	ordinal int
	reader  *Reader

	zoneOnce sync.Once
	about    ColumnInfo
	zoneErr  error
}

func (c *sealedColumn) info() (*ColumnInfo, error) {
	c.zoneOnce.Do(func() {
		c.about = c.meta.describe()
		if c.meta.min.IsAbsent() && c.meta.present > 0 {
			c.zoneErr = c.findZone()
		}
	})
	return &c.about, c.zoneErr
}

// findZone computes the zone map that a small segment does not have.
func (c *sealedColumn) findZone() error {
	switch c.ordinal {
	case ordinalTime:
		c.about.Min, c.about.Max = event.Int(c.directory.info.TimeMin), event.Int(c.directory.info.TimeMax)
		return nil
	case ordinalReceived:
		c.about.Min, c.about.Max = event.Int(c.directory.info.ReceivedMin), event.Int(c.directory.info.ReceivedMax)
		return nil
	}
	d, err := c.dict()
	if err != nil {
		return err
	}
	if d != nil {
		c.about.Min, c.about.Max = cloneValue(d.Value(0)), cloneValue(d.Value(uint32(d.Len()-1)))
		return nil
	}
	for b := range c.reader.Blocks() {
		v, err := c.block(b)
		if err != nil {
			return err
		}
		for i := range v.Len {
			x := v.number(v.code(i))
			if c.about.Min.IsAbsent() || compareNums(x.Kind(), x.Bits(), x.Kind(), c.about.Min.Bits()) < 0 {
				c.about.Min = x
			}
			if c.about.Max.IsAbsent() || compareNums(x.Kind(), x.Bits(), x.Kind(), c.about.Max.Bits()) > 0 {
				c.about.Max = x
			}
		}
	}
	return nil
}

func (c *sealedColumn) chunkID(kind chunkKind, part int) ChunkID {
	return makeChunkID(c.ordinal, kind, part)
}

func (c *sealedColumn) dict() (*Dictionary, error) {
	switch {
	case !c.meta.dict:
		return nil, nil
	case c.ordinal == ordinalEvent:
		return c.eventDict, nil
	}
	return cached(c.sealed, c.chunkID(chunkDict, 0), wholeChunk, func() (*Dictionary, int, error) {
		d, err := c.readDict()
		if err != nil {
			return nil, 0, err
		}
		return d, d.SizeBytes(), nil
	})
}

// readDict decodes all pages of the dictionary.
func (c *sealedColumn) readDict() (*Dictionary, error) {
	m := c.meta
	if c.ordinal == ordinalEvent {
		return c.eventDict, nil
	}
	d := &Dictionary{}
	for i, p := range m.pages {
		if d.Len() != int(p.first) {
			return nil, c.corrupt(c.chunkID(chunkDict, i), errLayout)
		}
		if err := c.readPage(d, i, m.distinct); err != nil {
			return nil, err
		}
	}
	if d.Len() != m.distinct || len(d.kinds) != m.numbers {
		return nil, c.corrupt(c.chunkID(chunkDict, 0), fmt.Errorf("%d values, should be %d", d.Len(), m.distinct))
	}
	d.objects = uint32(m.distinct - m.objects)
	d.lists = d.objects - uint32(m.lists)
	return d, nil
}

func (c *sealedColumn) readPage(d *Dictionary, i, limit int) error {
	id := c.chunkID(chunkDict, i)
	content, err := c.chunk(id)
	if err != nil {
		return err
	}
	raw, err := openPart(content)
	if err == nil {
		err = d.readPage(&cursor{b: raw}, limit)
	}
	if err != nil {
		return c.corrupt(id, err)
	}
	return nil
}

// page decodes one page of a dictionary of many; all its texts are of one kind, strings.
func (c *sealedColumn) page(i int) (*Dictionary, error) {
	return cached(c.sealed, c.chunkID(chunkDict, i), 0, func() (*Dictionary, int, error) {
		d := &Dictionary{}
		if err := c.readPage(d, i, c.meta.distinct); err != nil {
			return nil, 0, err
		}
		d.lists, d.objects = uint32(d.Len()), uint32(d.Len())
		return d, d.SizeBytes(), nil
	})
}

func (c *sealedColumn) find(v event.Value) (uint32, bool, error) {
	m := c.meta
	if !m.dict || !m.kinds.Has(v.Kind()) {
		return 0, false, nil
	}
	if v.Kind() == event.KindString && len(m.pages) > 1 {
		if _, ok := c.cache.Get(c.id, c.chunkID(chunkDict, 0), wholeChunk); !ok {
			return c.findInPages(v)
		}
	}
	d, err := c.dict()
	if err != nil {
		return 0, false, err
	}
	code, ok := d.Find(v)
	return code, ok, nil
}

// findInPages looks a string up in the one page that may have it.
func (c *sealedColumn) findInPages(v event.Value) (uint32, bool, error) {
	m := c.meta
	s := v.Text()
	lists := uint32(m.distinct - m.objects - m.lists)
	i := 0
	for i+1 < len(m.pages) && m.pages[i+1].first < lists && m.pages[i+1].start <= s {
		i++
	}
	// The start of a page is cut short, so the string may stand before the page's first.
	for ; i >= 0; i-- {
		d, err := c.page(i)
		if err != nil {
			return 0, false, err
		}
		if i == 0 {
			// The first page may end with lists; they are no strings.
			page := *d
			page.lists = min(page.lists, lists)
			d = &page
		}
		if code, ok := d.Find(v); ok {
			return m.pages[i].first + code, true, nil
		}
		if len(d.kinds) < d.Len() && d.text(uint32(len(d.kinds))) <= s || !strings.HasPrefix(s, m.pages[i].start) {
			break
		}
	}
	return 0, false, nil
}

func (c *sealedColumn) block(b int) (*Vector, error) {
	if b < 0 || b >= c.directory.info.Blocks {
		return nil, fmt.Errorf("segment: block %d of %d", b, c.directory.info.Blocks)
	}
	return cached(c.sealed, c.chunkID(chunkData, 0), b, func() (*Vector, int, error) {
		v, err := c.readBlock(b, nil)
		if err != nil {
			return nil, 0, err
		}
		return v, v.SizeBytes(), nil
	})
}

// dataOf finds the chunk with block b: its number, the first of its blocks and how many it has.
func (m *columnMeta) dataOf(b int) (part, first, blocks int) {
	for i, c := range m.data {
		if b < first+c.blocks {
			return i, first, c.blocks
		}
		first += c.blocks
	}
	return len(m.data), first, 0
}

// readBlock decodes a block. content is that of the block's data chunk, or nil.
func (c *sealedColumn) readBlock(b int, content []byte) (*Vector, error) {
	part, first, blocks := c.meta.dataOf(b)
	id := c.chunkID(chunkData, part)
	var err error
	if content == nil {
		if content, err = c.chunk(id); err != nil {
			return nil, err
		}
	}
	v, err := c.decodeBlock(content, b, b-first, blocks)
	if err != nil {
		return nil, c.corrupt(id, err)
	}
	return v, nil
}

func (c *sealedColumn) decodeBlock(content []byte, b, index, blocks int) (*Vector, error) {
	part, err := blockPart(content, index, blocks)
	if err != nil {
		return nil, err
	}
	raw, err := openPart(part)
	if err != nil {
		return nil, err
	}
	from, to := c.reader.BlockRange(b)
	v := &Vector{Rows: to - from}
	cur := &cursor{b: raw}
	var events func() (*Vector, int, error)
	if c.ordinal != ordinalEvent {
		events = func() (*Vector, int, error) {
			e, err := c.reader.event.Block(b)
			return e, c.eventDict.Len(), err
		}
	}
	words, err := cur.presence(v.Rows, events)
	if err != nil {
		return nil, err
	}
	v.Len = v.Rows
	if words != nil {
		v.Present = newPresence(words, v.Rows)
		if v.Present != nil {
			v.Len = v.Present.Count
		}
	}
	cut := func() (stretches, error) {
		runs, err := c.reader.users.runs()
		if err != nil {
			return nil, err
		}
		return stretchesOf(runs.ends(from, to), v.Present), nil
	}
	if c.meta.dict {
		err = cur.codesValues(v, c.meta.distinct, cut)
	} else {
		v.Kind = event.KindInt
		if c.meta.kinds.Only(event.KindFloat) {
			v.Kind = event.KindFloat
		}
		err = cur.nums(v, cut)
	}
	if err != nil {
		return nil, err
	}
	if c.ordinal < ordinalID && v.Present != nil {
		return nil, errBytes // these have a value in every row
	}
	return v, cur.end()
}

func (c *sealedColumn) postings(code uint32) (*roaring.Bitmap, bool, error) {
	if c.meta.postings == 0 {
		if c.ordinal != ordinalEvent {
			return nil, false, nil
		}
		sets, err := c.eventPostings()
		if err != nil {
			return nil, false, err
		}
		return sets[code], true, nil
	}
	id := c.chunkID(chunkPostings, 0)
	set, err := c.set(id, int(code), c.meta.distinct, c.directory.info.Rows)
	return set, err == nil, err
}

// eventPostings makes the postings of event names for a small segment, which has none.
func (c *sealedColumn) eventPostings() ([]*roaring.Bitmap, error) {
	return cached(c.sealed, c.chunkID(chunkPostings, 0), wholeChunk, func() ([]*roaring.Bitmap, int, error) {
		vectors := make([]*Vector, c.directory.info.Blocks)
		for b := range vectors {
			var err error
			if vectors[b], err = c.block(b); err != nil {
				return nil, 0, err
			}
		}
		sets := rowsByCode(vectors, c.directory.info.BlockRows, c.meta.distinct)
		return sets, sizeOfSets(sets), nil
	})
}

func sizeOfSets(sets []*roaring.Bitmap) int {
	size := 0
	for _, s := range sets {
		size += int(s.GetSizeInBytes()) + 64
	}
	return size
}

// set reads one set of a chunk of postings with want sets of members below limit.
func (s *sealed) set(id ChunkID, code, want, limit int) (*roaring.Bitmap, error) {
	return cached(s, id, code, func() (*roaring.Bitmap, int, error) {
		table, err := cached(s, id, wholeChunk, func() (*postings.Table, int, error) {
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

func (c *sealedColumn) mayContain(v event.Value) bool {
	info := ColumnInfo{Present: c.meta.present, Kinds: c.meta.kinds, Min: c.meta.min, Max: c.meta.max}
	if info.Min.IsAbsent() {
		if about, err := c.info(); err == nil {
			info = *about
		}
	}
	if zoneExcludes(&info, v) {
		return false
	}
	if c.meta.bloom == 0 || v.Kind() != event.KindString {
		return true
	}
	f, err := c.filter()
	return err != nil || f.MayContain(bloom.Hash(v.Text()))
}

// filter returns the bloom filter; meta.bloom is not 0.
func (c *sealedColumn) filter() (*bloom.Filter, error) {
	id := c.chunkID(chunkBloom, 0)
	return cached(c.sealed, id, wholeChunk, func() (*bloom.Filter, int, error) {
		content, err := c.chunk(id)
		if err != nil {
			return nil, 0, err
		}
		f, err := bloom.Open(content)
		if err != nil {
			return nil, 0, c.corrupt(id, err)
		}
		return f, f.SizeBytes(), nil
	})
}

// sealedUsers is the userData of a sealed segment.
type sealedUsers struct {
	*sealed
	reader *Reader
}

func (u *sealedUsers) runs() (*userRuns, error) {
	id := makeChunkID(ordinalEvent, chunkUsers, 0)
	return cached(u.sealed, id, wholeChunk, func() (*userRuns, int, error) {
		content, err := u.chunk(id)
		if err != nil {
			return nil, 0, err
		}
		info := &u.directory.info
		runs, err := readRuns(content, u.directory.runs, info.UserMin, info.UserMax, info.Rows)
		if err != nil {
			return nil, 0, u.corrupt(id, err)
		}
		return runs, 8*len(runs.users) + 64, nil
	})
}

func (u *sealedUsers) all() (*roaring.Bitmap, error) {
	return cached(u.sealed, makeChunkID(ordinalEvent, chunkUsers, 0), 0, func() (*roaring.Bitmap, int, error) {
		runs, err := u.runs()
		if err != nil {
			return nil, 0, err
		}
		set := runs.set()
		return set, int(set.GetSizeInBytes()) + 64, nil
	})
}

func (u *sealedUsers) event(code uint32) (*roaring.Bitmap, error) {
	id := makeChunkID(ordinalEvent, chunkUsers, 1)
	if u.events > 0 {
		return u.set(id, int(code), len(u.directory.info.Events), int(u.directory.info.UserMax)+1)
	}
	sets, err := cached(u.sealed, id, wholeChunk, func() ([]*roaring.Bitmap, int, error) {
		codes, runs, err := u.reader.eventCodes()
		if err != nil {
			return nil, 0, err
		}
		sets := runs.byEvent(codes, len(u.directory.info.Events))
		return sets, sizeOfSets(sets), nil
	})
	if err != nil {
		return nil, err
	}
	return sets[code], nil
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
