package segment

import (
	"encoding/binary"
	"slices"

	"cairn/engine/event"
	"cairn/index/postings"
)

const (
	// smallRows is the number of rows up to which a segment has no indexes and, unless its values
	// are long, no chunks: everything is in the directory, which is compressed as a whole.
	smallRows = 4096
	// inlineBytes is the size up to which a chunk moves into the directory all the same: a key of
	// its own would cost as much.
	inlineBytes = 128
	// smallBytes is the size above which a small segment has chunks after all.
	smallBytes = 256 << 10
	// dataChunkBytes is the size at which a chunk of blocks is full.
	dataChunkBytes = 128 << 10
	// bloomDistinct is the number of distinct strings from which a column has a bloom filter.
	bloomDistinct = 2048
	// zoneTextBytes bounds the strings of a zone map.
	zoneTextBytes = 64
)

// encoder writes one segment, column after column: the event names, times, arrivals and insert ids,
// then the fields by name.
type encoder struct {
	opt      BuildOptions
	runs     userRuns
	rows     int
	dir      directory
	chunks   []Chunk // contents, not yet sealed
	userEnds []stretches
	events   []*blockEvents
	codes    []uint32 // event code of each row
	scratch  []byte

	firsts, ends, runCodes []uint32 // see runsOfRows
}

func newEncoder(runs userRuns, rows int, opt BuildOptions) *encoder {
	e := &encoder{opt: opt, runs: runs, rows: rows}
	e.dir.small = rows <= smallRows && !opt.indexAll
	info := &e.dir.info
	info.Rows, info.BlockRows = rows, opt.BlockRows
	info.Blocks = (rows + opt.BlockRows - 1) / opt.BlockRows
	runs.describe(info)
	e.dir.runs = len(runs.users)
	for b := range info.Blocks {
		from := b * opt.BlockRows
		e.userEnds = append(e.userEnds, runs.ends(from, min(from+opt.BlockRows, rows)))
	}
	return e
}

// add encodes the next column. p is nil if no row has a value.
func (e *encoder) add(name string, p *plain) {
	ordinal := len(e.dir.columns)
	m := columnMeta{name: name}
	if p == nil {
		e.dir.columns = append(e.dir.columns, m)
		return
	}
	about := p.describe(name)
	m.dict, m.present, m.nulls, m.kinds = p.dict != nil, p.n, about.Nulls, about.Kinds
	switch ordinal {
	case ordinalEvent:
		e.setEvents(p)
	case ordinalTime:
		e.dir.info.TimeMin, e.dir.info.TimeMax = about.Min.AsInt(), about.Max.AsInt()
	case ordinalReceived:
		e.dir.info.ReceivedMin, e.dir.info.ReceivedMax = about.Min.AsInt(), about.Max.AsInt()
	}
	if !e.dir.small && ordinal >= ordinalID {
		m.min, m.max = zone(about.Min, about.Max)
	}
	e.addData(&m, ordinal, p)
	if p.dict != nil {
		e.opt.pace()
		e.addDict(&m, ordinal, p)
		if !e.dir.small {
			e.opt.pace()
			e.addIndexes(&m, ordinal, p)
		}
	}
	e.dir.columns = append(e.dir.columns, m)
}

// zone shortens long strings: a prefix bounds from below, but not from above.
func zone(lo, hi event.Value) (event.Value, event.Value) {
	if s := lo.Text(); len(s) > zoneTextBytes {
		lo = event.FromBits(lo.Kind(), 0, s[:zoneTextBytes])
	}
	if len(hi.Text()) > zoneTextBytes {
		hi = event.Value{}
	}
	return lo, hi
}

// setEvents remembers the event names for what refers to them.
func (e *encoder) setEvents(p *plain) {
	e.codes = slices.Clone(p.codes)
	e.dir.info.Events = infoOfEvents(p.dict, e.codes, &e.runs)
	for b := range e.dir.info.Blocks {
		from := b * e.opt.BlockRows
		e.events = append(e.events, newBlockEvents(e.codes[from:min(from+e.opt.BlockRows, e.rows)], p.dict.Len()))
	}
}

// addData encodes the blocks of a column.
func (e *encoder) addData(m *columnMeta, ordinal int, p *plain) {
	var lengths, body []byte
	blocks, part := 0, 0
	var forms [numsAscending + 1]int
	flush := func() {
		content := append(lengths, body...)
		m.data = append(m.data, dataChunk{blocks, len(content)})
		e.chunks = append(e.chunks, Chunk{makeChunkID(ordinal, chunkData, part), content})
		lengths, body, blocks = nil, nil, 0
		part++
	}
	for i, b := range p.blocks(e.opt.BlockRows) {
		if blocks > 0 && len(body) >= dataChunkBytes {
			flush()
		}
		start := len(body)
		var form byte
		body, form = e.appendBlock(body, i, ordinal, &b, p)
		forms[form]++
		e.opt.pace()
		lengths = binary.AppendUvarint(lengths, uint64(len(body)-start))
		blocks++
	}
	flush()
	for f, n := range forms {
		if n > forms[m.form] {
			m.form = byte(f)
		}
	}
}

// appendBlock encodes one block as a part.
func (e *encoder) appendBlock(dst []byte, i, ordinal int, b *blockOf, p *plain) ([]byte, byte) {
	var events *blockEvents
	if ordinal != ordinalEvent {
		events = e.events[i]
	}
	head := appendPresence(e.scratch[:0], b.present, b.rows, b.n, events)
	var presence *Presence
	if b.present != nil {
		presence = newPresence(b.present, b.rows)
	}
	at := len(head)
	var body []byte
	if p.dict == nil {
		var cut stretches
		if ordinal == ordinalTime || ordinal == ordinalReceived {
			cut = e.userEnds[i]
		}
		body = appendNums(head, b.nums, p.kind, cut)
	} else {
		body = appendCodesValues(head, b.codes, stretchesOf(e.userEnds[i], presence))
	}
	e.scratch = body
	form := body[at]
	if e.dir.small {
		return append(append(dst, compressNone), body...), form
	}
	start := len(dst)
	dst = appendPart(dst, body, e.opt.Cold)
	if e.opt.Cold && form == valuesPacked && b.n >= 1024 {
		// Entropy coding of whole bytes may beat packed bits.
		if bytes, ok := appendByteCodes(append([]byte(nil), head...), b.codes); ok {
			if part := compressPart(bytes, true); len(part)*20 <= (len(dst)-start)*17 {
				return append(dst[:start], part...), valuesBytes
			}
		}
	}
	return dst, form
}

// appendByteCodes writes codes as bytes if they differ by less than 256.
func appendByteCodes(dst []byte, codes []uint32) ([]byte, bool) {
	lo, hi := slices.Min(codes), slices.Max(codes)
	if hi-lo > 0xFF {
		return nil, false
	}
	dst = binary.AppendUvarint(append(dst, valuesBytes), uint64(lo))
	for _, c := range codes {
		dst = append(dst, byte(c-lo))
	}
	return dst, true
}

// addDict encodes the dictionary; the event names are in the directory already.
func (e *encoder) addDict(m *columnMeta, ordinal int, p *plain) {
	d := p.dict
	m.distinct, m.numbers = d.Len(), len(d.kinds)
	m.lists, m.objects = int(d.objects-d.lists), d.Len()-int(d.objects)
	if ordinal == ordinalEvent {
		return
	}
	pages, data := d.appendPages()
	m.pages = pages
	for i, b := range data {
		part := append(make([]byte, 0, len(b)+1), compressNone)
		if part = append(part, b...); !e.dir.small {
			part = appendPart(nil, b, e.opt.Cold)
		}
		m.pageLen = append(m.pageLen, len(part))
		e.chunks = append(e.chunks, Chunk{makeChunkID(ordinal, chunkDict, i), part})
	}
}

// finish writes the users and puts everything together.
func (e *encoder) finish() (*Encoded, error) {
	if len(e.dir.columns) > 1<<16-1 {
		return nil, errTooLarge
	}
	content := e.runs.append(nil)
	e.dir.users = len(content)
	e.chunks = append(e.chunks, Chunk{makeChunkID(ordinalEvent, chunkUsers, 0), content})
	if !e.dir.small {
		var b postings.Builder
		for _, users := range e.runs.listsByEvent(e.codes, len(e.dir.info.Events)) {
			b.Add(users)
		}
		content := b.Bytes()
		e.dir.events = len(content)
		e.chunks = append(e.chunks, Chunk{makeChunkID(ordinalEvent, chunkUsers, 1), content})
	}
	slices.SortFunc(e.chunks, func(a, b Chunk) int { return int(int64(a.ID) - int64(b.ID)) })
	total := 0
	for _, c := range e.chunks {
		total += len(c.Data)
	}
	inline := inlineBytes
	if e.dir.small && total <= smallBytes {
		inline = smallBytes
	} else if e.opt.indexAll {
		inline = 0
	}
	out := &Encoded{}
	for _, c := range e.chunks {
		if len(c.Data) <= inline {
			e.dir.inline = append(e.dir.inline, c)
			continue
		}
		if e.dir.small && c.ID.kind() == chunkDict {
			c.Data = appendPart(nil, c.Data[1:], e.opt.Cold)
		}
		out.Chunks = append(out.Chunks, Chunk{c.ID, sealChunk(c.ID, c.Data)})
	}
	out.Directory = e.dir.encode(e.opt.Cold)
	return out, nil
}
