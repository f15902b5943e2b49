package segment

import (
	"fmt"
	"strings"
	"sync"

	"cairn/engine/event"
	"cairn/index/bloom"

	"github.com/RoaringBitmap/roaring/v2"
)

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

func (c *sealedColumn) counts() ([]int, bool, error) {
	if c.meta.postings == 0 {
		return nil, false, nil
	}
	id := c.chunkID(chunkPostings, 0)
	table, err := c.table(id, c.meta.distinct, c.directory.info.Rows)
	if err != nil {
		return nil, false, err
	}
	counts := make([]int, table.Len())
	for i := range counts {
		if counts[i] = table.Count(i); counts[i] > c.directory.info.Rows {
			return nil, false, c.corrupt(id, errLayout)
		}
	}
	return counts, true, nil
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
