package segment

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cairn/engine/column"
	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// hot is a segment that was never encoded: batches and the order of their rows.
type hot struct {
	*batches
	place [][]uint32 // by input, by row
}

// NewHot makes the rows of the inputs readable in memory. Columns are put in order on first use and
// then kept. The inputs must not change any more.
func NewHot(inputs []Input) *Reader {
	a := arrange(inputs, nil)
	order := a.sorter.sort(a.rows, func() {})
	h := &hot{batches: a, place: a.places(order)}
	r := &Reader{hot: h, rows: len(order), blockRows: BlockRows, kept: &kept{}}
	r.users = &hotUsers{reader: r, userRuns: runsOf(order, a.sorter.users)}
	a.sorter = sorter{}
	newColumn := func(ordinal int, name string) *Column {
		return &Column{name: name, ordinal: ordinal, reader: r, data: &hotColumn{reader: r, name: name, ordinal: ordinal}}
	}
	r.event = newColumn(ordinalEvent, systemNames[ordinalEvent])
	r.time = newColumn(ordinalTime, systemNames[ordinalTime])
	r.recv = newColumn(ordinalReceived, systemNames[ordinalReceived])
	if h.present(ordinalID, systemNames[ordinalID]) > 0 {
		r.id = newColumn(ordinalID, systemNames[ordinalID])
	}
	for _, name := range a.fields {
		if h.present(ordinalFields, name) > 0 {
			r.fields = append(r.fields, newColumn(ordinalFields+len(r.fields), name))
		}
	}
	r.info = sync.OnceValue(func() *Info { return h.info(r) })
	return r
}

// present counts the values of a field, or of the insert id, in the rows taken.
func (h *hot) present(ordinal int, name string) int {
	n := 0
	if ordinal >= ordinalFields {
		for _, c := range h.byName[name] {
			n += h.taken(c.input, c.column)
		}
		return n
	}
	for i := range h.inputs {
		n += h.taken(i, &h.inputs[i].Batch.ID)
	}
	return n
}

// taken counts the values of a column of an input in the rows taken.
func (h *hot) taken(input int, c *column.Column) int {
	if h.rows == nil {
		return c.Len()
	}
	n := 0
	for i := range c.Bits {
		if h.place[input][c.Row(i)] != noPlace {
			n++
		}
	}
	return n
}

func (h *hot) info(r *Reader) *Info {
	info := &Info{
		Rows: r.rows, Blocks: r.Blocks(), BlockRows: r.blockRows,
		TimeMin: math.MaxInt64, TimeMax: math.MinInt64,
		ReceivedMin: math.MaxInt64, ReceivedMax: math.MinInt64,
	}
	for i := range h.inputs {
		in := &h.inputs[i]
		for row, p := range h.place[i] {
			if p == noPlace {
				continue
			}
			t, received := in.Batch.Time[row], in.Received
			if in.Batch.Received != nil {
				received = in.Batch.Received[row]
			}
			info.TimeMin, info.TimeMax = min(info.TimeMin, t), max(info.TimeMax, t)
			info.ReceivedMin, info.ReceivedMax = min(info.ReceivedMin, received), max(info.ReceivedMax, received)
		}
	}
	runs := &r.users.(*hotUsers).userRuns
	runs.describe(info)
	for _, c := range r.fields {
		ci := ColumnInfo{Name: c.name, Present: h.present(ordinalFields, c.name)}
		for _, s := range h.shares(ordinalFields, c.name, h.place) {
			ci.Kinds |= s.kinds()
		}
		info.Columns = append(info.Columns, ci)
	}
	h.countEvents(r, runs, info)
	return info
}

// countEvents counts rows and users by event name.
func (h *hot) countEvents(r *Reader, runs *userRuns, info *Info) {
	dict, err := r.event.Dict()
	if err != nil || dict == nil {
		return
	}
	codes, _, err := r.eventCodes()
	if err != nil {
		return
	}
	info.Events = infoOfEvents(dict, codes, runs)
}

// LoadAs puts the columns in order that are in order in another hot reader. r is as used then, and a query of the same
// kind finds what it needs. It calls pace before each column.
func (r *Reader) LoadAs(used *Reader, pace func()) error {
	if used == r {
		return nil
	}
	r.info()
	type place struct {
		name  string
		field bool
	}
	in := func(c *hotColumn) place { return place{c.name, c.ordinal >= ordinalFields} }
	own := make(map[place]*hotColumn)
	for _, c := range r.hotColumns() {
		own[in(c)] = c
	}
	for _, from := range used.hotColumns() {
		c := own[in(from)]
		if c == nil || !from.loaded.Load() {
			continue
		}
		pace()
		if err := c.load(); err != nil {
			return err
		}
		if from.posted.Load() && c.dictPart != nil {
			c.loadPostings()
		}
	}
	return nil
}

// hotColumns returns the columns of a hot reader.
func (r *Reader) hotColumns() []*hotColumn {
	var list []*hotColumn
	for _, c := range slices.Concat([]*Column{r.event, r.time, r.recv, r.id}, r.fields) {
		if c != nil {
			list = append(list, c.data.(*hotColumn))
		}
	}
	return list
}

// hotColumn is the columnData of a hot segment.
type hotColumn struct {
	reader  *Reader
	name    string
	ordinal int
	loaded  atomic.Bool // it was in use
	posted  atomic.Bool // its postings were

	once     sync.Once
	err      error
	vectors  []*Vector
	dictPart *Dictionary
	about    ColumnInfo

	postingsOnce sync.Once
	postingSets  []*roaring.Bitmap
}

var errHalfLoaded = errors.New("segment: putting a column in order has failed before")

func (c *hotColumn) load() error {
	c.once.Do(func() {
		c.err = errHalfLoaded // if what follows panics, nobody shall read half a column
		h := c.reader.hot
		t := newTarget(c.reader.rows)
		p, err := materialise(t, h.shares(c.ordinal, c.name, h.place))
		if err != nil || p == nil {
			c.err = err
			return
		}
		if c.ordinal >= ordinalFields {
			p.codeNumbers(t)
		}
		c.dictPart = p.dict
		c.vectors = p.vectors(c.reader.blockRows)
		c.about = p.describe(c.name)
		c.err = nil
	})
	c.loaded.Store(true)
	return c.err
}

func (c *hotColumn) info() (*ColumnInfo, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	return &c.about, nil
}

func (c *hotColumn) dict() (*Dictionary, error) {
	err := c.load()
	return c.dictPart, err
}

func (c *hotColumn) block(b int) (*Vector, error) {
	if err := c.load(); err != nil {
		return nil, err
	}
	return c.vectors[b], nil
}

func (c *hotColumn) postings(code uint32) (*roaring.Bitmap, bool, error) {
	if c.ordinal != ordinalEvent {
		return nil, false, nil
	}
	if err := c.load(); err != nil {
		return nil, false, err
	}
	c.loadPostings()
	return c.postingSets[code], true, nil
}

func (c *hotColumn) loadPostings() {
	c.postingsOnce.Do(func() { c.postingSets = rowsByCode(c.vectors, c.reader.blockRows, c.dictPart.Len()) })
	c.posted.Store(true)
}

func (c *hotColumn) counts() ([]int, bool, error) { return nil, false, nil }

func (c *hotColumn) find(v event.Value) (uint32, bool, error) {
	if err := c.load(); err != nil || c.dictPart == nil {
		return 0, false, err
	}
	code, ok := c.dictPart.Find(v)
	return code, ok, nil
}

func (c *hotColumn) mayContain(v event.Value) bool {
	if err := c.load(); err != nil {
		return true
	}
	if c.dictPart != nil && !v.IsNumber() {
		_, ok := c.dictPart.Find(v)
		return ok
	}
	return !zoneExcludes(&c.about, v)
}

// rowsByCode makes the postings of a dense column.
func rowsByCode(vectors []*Vector, blockRows, codes int) []*roaring.Bitmap {
	sets := make([]*roaring.Bitmap, codes)
	for i := range sets {
		sets[i] = roaring.New()
	}
	var all, rows []uint32
	starts := make([]uint32, codes+1)
	for b, v := range vectors {
		all = v.Codes(all[:0], nil)
		clear(starts)
		for _, c := range all {
			if c != AbsentCode {
				starts[c+1]++
			}
		}
		for i := 1; i < len(starts); i++ {
			starts[i] += starts[i-1]
		}
		rows = slices.Grow(rows[:0], v.Rows)[:v.Rows]
		for i, c := range all {
			if c != AbsentCode {
				rows[starts[c]] = uint32(b*blockRows + i)
				starts[c]++
			}
		}
		from := uint32(0)
		for c, to := range starts[:codes] {
			if to > from {
				sets[c].AddMany(rows[from:to])
			}
			from = to
		}
	}
	for _, s := range sets {
		s.RunOptimize()
	}
	return sets
}

// describe makes the statistics of a column.
func (p *plain) describe(name string) ColumnInfo {
	info := ColumnInfo{Name: name, Present: p.n, Numeric: p.dict == nil}
	if d := p.dict; d != nil {
		info.Distinct = d.Len()
		info.Kinds = d.kindSet()
		info.Min, info.Max = cloneValue(d.Value(0)), cloneValue(d.Value(uint32(d.Len()-1)))
		if info.Kinds.Has(event.KindNull) { // the null is code 0
			for _, c := range p.codes {
				if c == 0 {
					info.Nulls++
				}
			}
		}
		return info
	}
	info.Kinds = 1 << p.kind
	lo, hi := p.nums[0], p.nums[0]
	for _, n := range p.nums {
		if compareNums(p.kind, n, p.kind, lo) < 0 {
			lo = n
		}
		if compareNums(p.kind, n, p.kind, hi) > 0 {
			hi = n
		}
	}
	info.Min, info.Max = event.FromBits(p.kind, lo, ""), event.FromBits(p.kind, hi, "")
	return info
}

func cloneValue(v event.Value) event.Value {
	return event.FromBits(v.Kind(), v.Bits(), strings.Clone(v.Text()))
}
