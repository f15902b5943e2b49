package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"

	"cairn/engine/event"
)

// directory is everything that Open reads; see the package comment for the bytes.
type directory struct {
	info    Info
	runs    int // users with NoUser
	columns []columnMeta
	small   bool
	inline  []Chunk // by ID
	users   int     // bytes of the runs
	events  int     // bytes of event → users; 0: there is none
}

// columnMeta describes one column, the system columns first. A column that no row has is there only
// if it is a system column, and has present 0.
type columnMeta struct {
	name     string
	dict     bool
	present  int
	nulls    int
	kinds    KindSet
	min, max event.Value // absent if the zone is to be read from the column
	form     byte        // of the values of most blocks

	// Dictionary.
	distinct, numbers, lists, objects int // values in all; that are no text; lists; objects

	data     []dataChunk
	pages    []dictPage
	pageLen  []int
	postings int // bytes; 0: there are none
	bloom    int
}

// dataChunk is the part of a column's blocks in one chunk.
type dataChunk struct{ blocks, bytes int }

const (
	metaDict = 1 << iota
	metaNulls
	metaZone
)

const (
	directorySmall = 1 << iota
)

func (d *directory) encode(cold bool) []byte {
	b := d.append(nil)
	body := appendPart(nil, b, cold)
	out := make([]byte, 5, 5+len(body))
	out[0] = FormatVersion
	binary.LittleEndian.PutUint32(out[1:], crc32.Checksum(body, castagnoli))
	return append(out, body...)
}

func (d *directory) append(b []byte) []byte {
	info := &d.info
	flags := byte(0)
	if d.small {
		flags |= directorySmall
	}
	b = append(b, flags, byte(bits.Len(uint(info.BlockRows))-1))
	for _, n := range []uint64{
		uint64(info.Rows),
		zigzag(info.TimeMin), uint64(info.TimeMax) - uint64(info.TimeMin),
		zigzag(info.ReceivedMin), uint64(info.ReceivedMax) - uint64(info.ReceivedMin),
		uint64(info.UserMin), uint64(info.UserMax - info.UserMin), uint64(d.runs), uint64(info.RowsWithoutUser),
		uint64(d.users), uint64(d.events), uint64(len(info.Events)),
	} {
		b = binary.AppendUvarint(b, n)
	}
	for _, e := range info.Events {
		b = appendText(b, e.Name)
		b = binary.AppendUvarint(b, uint64(e.Rows))
		b = binary.AppendUvarint(b, uint64(e.Users))
	}
	b = binary.AppendUvarint(b, uint64(len(d.columns)))
	for i := range d.columns {
		b = d.columns[i].append(b, i >= ordinalFields)
	}
	b = binary.AppendUvarint(b, uint64(len(d.inline)))
	last := ChunkID(0)
	for _, c := range d.inline {
		b = binary.AppendUvarint(b, uint64(c.ID-last))
		last = c.ID
		b = appendText(b, c.Data)
	}
	return b
}

func (m *columnMeta) append(b []byte, named bool) []byte {
	if named {
		b = appendText(b, m.name)
	}
	b = binary.AppendUvarint(b, uint64(m.present))
	if m.present == 0 {
		return b
	}
	flags := byte(0)
	if m.dict {
		flags |= metaDict
	}
	if m.nulls > 0 {
		flags |= metaNulls
	}
	if !m.min.IsAbsent() {
		flags |= metaZone
	}
	b = append(b, flags, m.form)
	b = binary.AppendUvarint(b, uint64(m.kinds))
	if m.nulls > 0 {
		b = binary.AppendUvarint(b, uint64(m.nulls))
	}
	if !m.min.IsAbsent() {
		b = appendValue(appendValue(b, m.min), m.max)
	}
	b = binary.AppendUvarint(b, uint64(len(m.data)))
	for _, c := range m.data {
		b = binary.AppendUvarint(b, uint64(c.blocks))
		b = binary.AppendUvarint(b, uint64(c.bytes))
	}
	if !m.dict {
		return b
	}
	for _, n := range []int{m.distinct, m.numbers, m.lists, m.objects, m.postings, m.bloom, len(m.pages)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	last := uint32(0)
	for i, p := range m.pages {
		b = binary.AppendUvarint(b, uint64(m.pageLen[i]))
		b = binary.AppendUvarint(b, uint64(p.first-last))
		last = p.first
		if i > 0 {
			b = appendText(b, p.start)
		}
	}
	return b
}

func appendValue(b []byte, v event.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch {
	case v.IsAbsent():
		return b
	case isText(v.Kind()):
		return appendText(b, v.Text())
	default:
		return appendNumber(b, v.Kind(), v.Bits())
	}
}

func (c *cursor) value() event.Value {
	k := event.Kind(c.byte())
	switch {
	case k == event.KindAbsent:
		return event.Value{}
	case isText(k):
		return event.FromBits(k, 0, string(c.text()))
	default:
		return event.FromBits(k, c.number(k), "")
	}
}

// parseDirectory reads a directory with all that a bad one could do wrong in mind.
func parseDirectory(data []byte) (*directory, error) {
	bad := func(format string, args ...any) error {
		return &CorruptionError{Column: "directory", Reason: fmt.Sprintf(format, args...)}
	}
	if len(data) < 6 {
		return nil, bad("%d bytes are too few", len(data))
	}
	if data[0] > FormatVersion {
		return nil, fmt.Errorf("%w: the segment has version %d, this program reads up to %d", ErrVersion, data[0], FormatVersion)
	}
	if data[0] == 0 {
		return nil, bad("version 0")
	}
	if sum := crc32.Checksum(data[5:], castagnoli); sum != binary.LittleEndian.Uint32(data[1:]) {
		return nil, bad("checksum is %08x, should be %08x", sum, binary.LittleEndian.Uint32(data[1:]))
	}
	raw, err := openPart(data[5:])
	if err != nil {
		return nil, bad("cannot be decompressed")
	}
	d, err := readDirectory(raw)
	if err != nil {
		return nil, bad("%v", err)
	}
	return d, nil
}

var errLayout = errors.New("its parts do not fit each other")

func readDirectory(raw []byte) (*directory, error) {
	c := &cursor{b: raw}
	d := &directory{}
	info := &d.info
	flags := c.byte()
	d.small = flags&directorySmall != 0
	shift := c.byte()
	if shift > 16 || flags&^directorySmall != 0 {
		return nil, errLayout
	}
	info.BlockRows = 1 << shift
	info.Rows = c.count(MaxBlocks * info.BlockRows)
	info.Blocks = (info.Rows + info.BlockRows - 1) / info.BlockRows
	info.TimeMin = unzigzag(c.uvarint())
	info.TimeMax = info.TimeMin + int64(c.uvarint())
	info.ReceivedMin = unzigzag(c.uvarint())
	info.ReceivedMax = info.ReceivedMin + int64(c.uvarint())
	info.UserMin = uint32(c.count(1<<32 - 1))
	info.UserMax = info.UserMin + uint32(c.count(1<<32-1-int(info.UserMin)))
	d.runs = c.count(info.Rows)
	info.RowsWithoutUser = c.count(info.Rows)
	info.Users = d.runs
	if info.RowsWithoutUser > 0 {
		info.Users--
	}
	d.users, d.events = c.count(maxPartBytes), c.count(maxPartBytes)
	if c.err != nil {
		return nil, c.err
	}
	if info.Rows == 0 || d.runs == 0 || (info.RowsWithoutUser > 0) != (info.UserMin == NoUser) ||
		info.TimeMax < info.TimeMin || info.ReceivedMax < info.ReceivedMin {
		return nil, errLayout
	}
	n := c.count(min(info.Rows, len(c.b)))
	info.Events = make([]EventInfo, n)
	for i := range info.Events {
		e := &info.Events[i]
		e.Name = string(c.text())
		e.Rows, e.Users = c.count(info.Rows), c.count(info.Users)
		if i > 0 && e.Name <= info.Events[i-1].Name {
			return nil, errLayout
		}
	}
	d.columns = make([]columnMeta, c.count(len(c.b)))
	if len(d.columns) < ordinalFields {
		return nil, errLayout
	}
	for i := range d.columns {
		d.columns[i].read(c, info, i)
		if c.err != nil {
			return nil, c.err
		}
		if i > ordinalFields && d.columns[i].name <= d.columns[i-1].name {
			return nil, errLayout
		}
	}
	if err := d.checkSystem(); err != nil {
		return nil, err
	}
	d.inline = make([]Chunk, c.count(len(c.b)))
	last := ChunkID(0)
	for i := range d.inline {
		last += ChunkID(c.count(1<<32 - 1 - int(last)))
		d.inline[i] = Chunk{last, c.text()}
	}
	return d, c.end()
}

// checkSystem tells whether the columns that every segment has are as they must be.
func (d *directory) checkSystem() error {
	rows := d.info.Rows
	ev := &d.columns[ordinalEvent]
	if ev.present != rows || !ev.dict || ev.distinct != len(d.info.Events) || !ev.kinds.Only(event.KindString) {
		return errLayout
	}
	for _, i := range []int{ordinalTime, ordinalReceived} {
		if m := &d.columns[i]; m.present != rows || m.dict || !m.kinds.Only(event.KindInt) {
			return errLayout
		}
	}
	if m := &d.columns[ordinalID]; m.present > 0 && (!m.dict || !m.kinds.Only(event.KindString)) {
		return errLayout
	}
	return nil
}

func (m *columnMeta) read(c *cursor, info *Info, ordinal int) {
	if ordinal >= ordinalFields {
		m.name = string(c.text())
	} else {
		m.name = systemNames[ordinal]
	}
	m.present = c.count(info.Rows)
	if m.present == 0 {
		if ordinal != ordinalID {
			c.fail()
		}
		return
	}
	flags := c.byte()
	m.dict = flags&metaDict != 0
	m.form = c.byte()
	m.kinds = KindSet(c.count(1<<16 - 1))
	if flags&metaNulls != 0 {
		m.nulls = c.count(m.present)
	}
	if flags&metaZone != 0 {
		m.min, m.max = c.value(), c.value()
	}
	m.data = make([]dataChunk, c.count(info.Blocks))
	blocks := 0
	for i := range m.data {
		m.data[i] = dataChunk{c.count(info.Blocks), c.count(maxPartBytes)}
		blocks += m.data[i].blocks
	}
	if blocks != info.Blocks {
		c.fail()
		return
	}
	if !m.dict {
		if !m.kinds.Only(event.KindInt) && !m.kinds.Only(event.KindFloat) {
			c.fail()
		}
		return
	}
	m.distinct = c.count(info.Rows)
	m.numbers = c.count(m.distinct)
	m.lists = c.count(m.distinct - m.numbers)
	m.objects = c.count(m.distinct - m.numbers - m.lists)
	m.postings, m.bloom = c.count(maxPartBytes), c.count(maxPartBytes)
	if m.distinct == 0 {
		c.fail()
	}
	m.pages = make([]dictPage, c.count(min(m.distinct, maxChunkPart+1, len(c.b))))
	m.pageLen = make([]int, len(m.pages))
	next := uint32(0)
	for i := range m.pages {
		m.pageLen[i] = c.count(maxPartBytes)
		next += uint32(c.count(m.distinct - int(next)))
		m.pages[i].first = next
		if i > 0 {
			m.pages[i].start = string(c.text())
		} else if next != 0 {
			c.fail()
		}
	}
	if len(m.pages) == 0 && ordinal != ordinalEvent {
		c.fail()
	}
}

// inlineChunk finds a chunk within the directory.
func (d *directory) inlineChunk(id ChunkID) ([]byte, bool) {
	i, ok := slices.BinarySearchFunc(d.inline, id, func(c Chunk, id ChunkID) int { return int(int64(c.ID) - int64(id)) })
	if !ok {
		return nil, false
	}
	return d.inline[i].Data, true
}
