package segment

import (
	"math"
	"slices"
	"strings"
	"sync"

	"cairn/engine/column"
	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// hot is a segment that was never encoded: batches and the order of their rows.
type hot struct {
	*batches
	place [][]uint32 // by input, by row
}

// arranged are inputs, batches or segments, with the keys of their order, by global row: the rows of
// input 0, then those of input 1, and so on.
type arranged struct {
	starts []uint32 // global row of each input's first row; one more at the end
	sorter sorter
	rows   []uint32 // global rows taken; nil: all
	fields []string // names of all fields, sorted
	// shares returns the parts that the inputs have in a column; place is by input and row.
	shares    func(ordinal int, name string, place [][]uint32) []share
	sizeBytes int // about what the values of the inputs take
}

// batches are arranged inputs.
type batches struct {
	arranged
	inputs []Input
	byName map[string][]inputColumn
}

type inputColumn struct {
	input  int
	column *column.Column
}

// arrange reads the keys of the inputs' rows.
func arrange(inputs []Input, drop *roaring.Bitmap) *batches {
	a := &batches{inputs: inputs, byName: make(map[string][]inputColumn)}
	a.starts = make([]uint32, 1, len(inputs)+1)
	a.shares = a.columnShares
	total, taken := 0, 0
	for i := range inputs {
		total += inputs[i].Batch.Rows
		taken += inputs[i].rows()
		a.starts = append(a.starts, uint32(total))
		for _, c := range inputs[i].Batch.Fields {
			if _, ok := a.byName[c.Name]; !ok {
				a.fields = append(a.fields, c.Name)
			}
			a.byName[c.Name] = append(a.byName[c.Name], inputColumn{i, c})
		}
		a.sizeBytes += inputs[i].Batch.SizeBytes()
	}
	slices.Sort(a.fields)
	s := &a.sorter
	s.users = make([]uint32, total)
	s.times = make([]int64, total)
	for i := range inputs {
		in := &inputs[i]
		copy(s.times[a.starts[i]:], in.Batch.Time)
		users := s.users[a.starts[i]:a.starts[i+1]]
		c := &in.Batch.User
		if c.Rows == nil {
			for j, number := range c.Bits {
				users[j] = in.Users[number]
			}
		} else {
			for j, row := range c.Rows {
				users[row] = in.Users[c.Bits[j]]
			}
		}
	}
	s.names = a.nameRanks(total)
	if taken < total || drop != nil {
		a.rows = make([]uint32, 0, taken)
		for i := range inputs {
			start := a.starts[i]
			take := func(row uint32) {
				if drop == nil || !drop.Contains(s.users[start+row]) {
					a.rows = append(a.rows, start+row)
				}
			}
			if inputs[i].Rows != nil {
				for _, row := range inputs[i].Rows {
					take(row)
				}
				continue
			}
			for row := range uint32(inputs[i].Batch.Rows) {
				take(row)
			}
		}
	}
	return a
}

// nameRanks gives every row a number that orders event names.
func (a *batches) nameRanks(total int) []uint32 {
	ranks := make([]uint32, total)
	var b dictBuilder
	var local []uint32
	for i := range a.inputs {
		c := &a.inputs[i].Batch.Event
		local = slices.Grow(local[:0], c.Dict.Len())[:c.Dict.Len()]
		for j := range local {
			local[j] = b.text(event.KindString, c.Dict.String(uint32(j)))
		}
		out := ranks[a.starts[i]:]
		for j, number := range c.Bits {
			out[j] = local[number]
		}
	}
	if _, err := b.finish(); err != nil {
		return nil // names of a gigabyte: leave ties in order of arrival
	}
	for i, id := range ranks {
		ranks[i] = b.textRank[id]
	}
	return ranks
}

// places inverts an order: where each row of each input stands in the segment.
func (a *arranged) places(order []uint32) [][]uint32 {
	place := make([]uint32, a.starts[len(a.starts)-1])
	if len(order) < len(place) {
		for i := range place {
			place[i] = noPlace
		}
	}
	for i, r := range order {
		place[r] = uint32(i)
	}
	out := make([][]uint32, len(a.starts)-1)
	for i := range out {
		out[i] = place[a.starts[i]:a.starts[i+1]]
	}
	return out
}

// The ordinals of the columns that every segment has; fields follow by name.
const (
	ordinalEvent = iota
	ordinalTime
	ordinalReceived
	ordinalID
	ordinalFields
)

var systemNames = [ordinalFields]string{"event", "time", "received", "id"}

func (a *batches) columnShares(ordinal int, name string, place [][]uint32) []share {
	var out []share
	add := func(i int, c *column.Column) {
		if c.Len() > 0 {
			out = append(out, &batchShare{column: c, place: place[i]})
		}
	}
	if ordinal >= ordinalFields {
		for _, c := range a.byName[name] {
			add(c.input, c.column)
		}
		return out
	}
	for i := range a.inputs {
		in := &a.inputs[i]
		switch ordinal {
		case ordinalEvent:
			add(i, &in.Batch.Event)
		case ordinalID:
			add(i, &in.Batch.ID)
		case ordinalTime:
			out = append(out, &timesShare{times: in.Batch.Time, place: place[i]})
		default:
			out = append(out, &timesShare{times: in.Batch.Received, all: in.Received, place: place[i]})
		}
	}
	return out
}

// NewHot makes the rows of the inputs readable in memory. Columns are put in order on first use and
// then kept. The inputs must not change any more.
func NewHot(inputs []Input) *Reader {
	a := arrange(inputs, nil)
	order := a.sorter.sort(a.rows)
	h := &hot{batches: a, place: a.places(order)}
	r := &Reader{hot: h, rows: len(order), blockRows: BlockRows}
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

// runsOf cuts rows sorted by user into runs.
func runsOf(order, users []uint32) userRuns {
	var runs userRuns
	for i, r := range order {
		if u := users[r]; i == 0 || u != runs.users[len(runs.users)-1] {
			runs.users = append(runs.users, u)
			runs.starts = append(runs.starts, uint32(i))
		}
	}
	runs.starts = append(runs.starts, uint32(len(order)))
	return runs
}

// present counts the values of a column in the rows taken.
func (h *hot) present(ordinal int, name string) int {
	n := 0
	for _, part := range h.shares(ordinal, name, h.place) {
		s := part.(*batchShare)
		if h.rows == nil {
			n += s.column.Len()
			continue
		}
		for i := range s.column.Bits {
			if s.place[s.column.Row(i)] != noPlace {
				n++
			}
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

// describe fills in what the runs tell.
func (u *userRuns) describe(info *Info) {
	if len(u.users) == 0 {
		return
	}
	info.UserMin, info.UserMax = u.users[0], u.users[len(u.users)-1]
	info.Users = len(u.users)
	if u.users[0] == NoUser {
		info.Users--
		info.RowsWithoutUser = int(u.starts[1])
	}
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

// countEvents counts the rows and users of each of n event codes.
func countEvents(n int, codes []uint32, runs *userRuns) []EventInfo {
	events := make([]EventInfo, n)
	lastRun := make([]int, n)
	for i, u := range runs.users {
		for _, c := range codes[runs.starts[i]:runs.starts[i+1]] {
			events[c].Rows++
			if u != NoUser && lastRun[c] != i+1 {
				lastRun[c] = i + 1
				events[c].Users++
			}
		}
	}
	return events
}

// infoOfEvents is countEvents with names.
func infoOfEvents(dict *Dictionary, codes []uint32, runs *userRuns) []EventInfo {
	events := countEvents(dict.Len(), codes, runs)
	for i := range events {
		events[i].Name = strings.Clone(dict.text(uint32(i)))
	}
	return events
}

// hotColumn is the columnData of a hot segment.
type hotColumn struct {
	reader  *Reader
	name    string
	ordinal int

	once     sync.Once
	err      error
	vectors  []*Vector
	dictPart *Dictionary
	about    ColumnInfo

	postingsOnce sync.Once
	postingSets  []*roaring.Bitmap
}

func (c *hotColumn) load() error {
	c.once.Do(func() {
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
	})
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
	c.postingsOnce.Do(func() { c.postingSets = rowsByCode(c.vectors, c.reader.blockRows, c.dictPart.Len()) })
	return c.postingSets[code], true, nil
}

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

// hotUsers is the userData of a hot segment.
type hotUsers struct {
	userRuns
	reader *Reader

	allOnce sync.Once
	allSet  *roaring.Bitmap

	eventOnce sync.Once
	eventErr  error
	eventSets []*roaring.Bitmap
}

func (u *hotUsers) runs() (*userRuns, error) { return &u.userRuns, nil }

func (u *hotUsers) all() (*roaring.Bitmap, error) {
	u.allOnce.Do(func() { u.allSet = u.userRuns.set() })
	return u.allSet, nil
}

func (u *userRuns) set() *roaring.Bitmap {
	users := u.users
	if len(users) > 0 && users[0] == NoUser {
		users = users[1:]
	}
	set := roaring.BitmapOf(users...)
	set.RunOptimize()
	return set
}

func (u *hotUsers) event(code uint32) (*roaring.Bitmap, error) {
	u.eventOnce.Do(func() {
		dict, err := u.reader.event.Dict()
		if err != nil || dict == nil {
			u.eventErr = err
			return
		}
		codes, _, err := u.reader.eventCodes()
		if err != nil {
			u.eventErr = err
			return
		}
		u.eventSets = u.userRuns.byEvent(codes, dict.Len())
	})
	if u.eventErr != nil {
		return nil, u.eventErr
	}
	return u.eventSets[code], nil
}

// byEvent returns for each event code the users with such a row; codes holds the code of each row.
func (u *userRuns) byEvent(codes []uint32, n int) []*roaring.Bitmap {
	sets := make([]*roaring.Bitmap, n)
	for i, list := range u.listsByEvent(codes, n) {
		sets[i] = roaring.New()
		sets[i].AddMany(list)
		sets[i].RunOptimize()
	}
	return sets
}

// listsByEvent is byEvent as ascending lists.
func (u *userRuns) listsByEvent(codes []uint32, n int) [][]uint32 {
	lists := make([][]uint32, n)
	for i, e := range countEvents(n, codes, u) {
		lists[i] = make([]uint32, 0, e.Users)
	}
	for i, user := range u.users {
		if user == NoUser {
			continue
		}
		for _, c := range codes[u.starts[i]:u.starts[i+1]] {
			if l := lists[c]; len(l) == 0 || l[len(l)-1] != user {
				lists[c] = append(l, user)
			}
		}
	}
	return lists
}
