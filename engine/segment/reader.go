package segment

import (
	"slices"
	"strings"
	"sync"

	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// Reader gives access to the rows of one segment, sealed or hot, sorted by (user, time). Rows of
// one user at one time are in no defined order. It is safe for concurrent use; whatever it returns
// is shared and must not be modified.
//
// A Reader made by Without hides the rows of some users. What it says of columns and blocks goes for all
// rows all the same; whoever reads rows leaves those in HiddenRows out.
type Reader struct {
	info  func() *Info
	event *Column
	time  *Column
	recv  *Column
	id    *Column // nil: no row has an insert id
	// fields by name.
	fields []*Column
	users  userData
	sealed *sealed // nil: hot
	hot    *hot    // nil: sealed
	rows   int
	// blockRows is the number of rows in every block but the last.
	blockRows int
	kept      *kept
	mask      *mask // nil: no row is hidden
}

// kept is what a Reader keeps for itself, and shares with those made of it by Without.
type kept struct {
	// rowUsers serves RowUsers of a hot segment.
	rowUsers struct {
		sync.Mutex
		blocks map[int][]uint32
	}
	// arrivals serves FindID: the first arrival of each insert id, by code.
	arrivals struct {
		sync.Mutex
		byCode []int64
	}
}

// userData is what a segment knows about its users; see the methods of Reader.
type userData interface {
	runs() (*userRuns, error)
	all() (*roaring.Bitmap, error)
	event(code uint32) (*roaring.Bitmap, error)
}

// Column is one attribute of the rows of a segment.
type Column struct {
	name    string
	ordinal int
	reader  *Reader
	data    columnData
}

// columnData is where a Column gets its parts from; see the methods of Column.
type columnData interface {
	info() (*ColumnInfo, error)
	dict() (*Dictionary, error)
	block(b int) (*Vector, error)
	postings(code uint32) (*roaring.Bitmap, bool, error)
	counts() ([]int, bool, error)
	find(v event.Value) (uint32, bool, error)
	mayContain(v event.Value) bool
}

// Info returns the summary of the segment, hidden rows included.
func (r *Reader) Info() Info { return *r.info() }

// Len returns the number of rows, hidden ones included.
func (r *Reader) Len() int { return r.rows }

// Blocks returns the number of blocks.
func (r *Reader) Blocks() int { return (r.rows + r.blockRows - 1) / r.blockRows }

// BlockRows returns the number of rows of every block but the last.
func (r *Reader) BlockRows() int { return r.blockRows }

// BlockRange returns the rows [from, to) of block b.
func (r *Reader) BlockRange(b int) (from, to int) {
	return b * r.blockRows, min((b+1)*r.blockRows, r.rows)
}

// Hot reports whether the segment is in memory only, not encoded.
func (r *Reader) Hot() bool { return r.hot != nil }

// Field returns the column of a field, or nil if no row has it.
func (r *Reader) Field(name string) *Column {
	if i, ok := slices.BinarySearchFunc(r.fields, name, func(c *Column, name string) int { return strings.Compare(c.name, name) }); ok {
		return r.fields[i]
	}
	return nil
}

// Fields returns the columns of all fields by name, hidden ones included.
func (r *Reader) Fields() []*Column { return r.fields }

// Event returns the column of event names: dictionary-coded, in every row.
func (r *Reader) Event() *Column { return r.event }

// Time returns the column of times: numeric ints, Unix nanoseconds, in every row.
func (r *Reader) Time() *Column { return r.time }

// Received returns the column of arrival times: numeric ints, Unix nanoseconds, in every row.
func (r *Reader) Received() *Column { return r.recv }

// ID returns the column of insert ids, or nil if no row has one.
func (r *Reader) ID() *Column { return r.id }

// UserRuns returns the users of the segment, ascending, NoUser first if there are rows without one;
// the rows of users[i] are starts[i] to starts[i+1], so starts has one more element. Hidden users are
// among them.
func (r *Reader) UserRuns() (users, starts []uint32, err error) {
	runs, err := r.users.runs()
	if err != nil {
		return nil, nil, err
	}
	return runs.users, runs.starts, nil
}

// UserRows returns the rows [from, to) of a user; from equals to if there are none, or they are hidden.
func (r *Reader) UserRows(user uint32) (from, to int, err error) {
	if r.mask != nil && r.mask.users.Contains(user) {
		return 0, 0, nil
	}
	runs, err := r.users.runs()
	if err != nil {
		return 0, 0, err
	}
	if i, ok := slices.BinarySearch(runs.users, user); ok {
		return int(runs.starts[i]), int(runs.starts[i+1]), nil
	}
	return 0, 0, nil
}

// RowUsers returns the dense user id of every row of a block, hidden ones included.
func (r *Reader) RowUsers(block int) ([]uint32, error) {
	if r.sealed != nil {
		return cached(r.sealed, makeChunkID(ordinalEvent, chunkUsers, 2), block, func() ([]uint32, int, error) {
			ids, err := r.readRowUsers(block)
			return ids, 4 * len(ids), err
		})
	}
	r.kept.rowUsers.Lock()
	defer r.kept.rowUsers.Unlock()
	if ids := r.kept.rowUsers.blocks[block]; ids != nil {
		return ids, nil
	}
	ids, err := r.readRowUsers(block)
	if err != nil {
		return nil, err
	}
	if r.kept.rowUsers.blocks == nil {
		r.kept.rowUsers.blocks = make(map[int][]uint32)
	}
	r.kept.rowUsers.blocks[block] = ids
	return ids, nil
}

func (r *Reader) readRowUsers(block int) ([]uint32, error) {
	runs, err := r.users.runs()
	if err != nil {
		return nil, err
	}
	from, to := r.BlockRange(block)
	ids := make([]uint32, to-from)
	runs.fill(ids, from)
	return ids, nil
}

// AllUsers returns the users of the segment, without NoUser and hidden ones.
func (r *Reader) AllUsers() (*roaring.Bitmap, error) { return r.mask.leaveOut(r.users.all()) }

// EventUsers returns the users, without NoUser and hidden ones, who did the event whose name has the
// given code in the dictionary of the event column.
func (r *Reader) EventUsers(code uint32) (*roaring.Bitmap, error) {
	return r.mask.leaveOut(r.users.event(code))
}

// Name returns the name of the field, or "event", "time", "received", "id".
func (c *Column) Name() string { return c.name }

// Info describes the column. In a hot segment the first call reads the whole column.
func (c *Column) Info() ColumnInfo {
	info, err := c.data.info()
	if err != nil {
		return ColumnInfo{Name: c.name}
	}
	return *info
}

// Dict returns the dictionary, or nil if the column is numeric.
func (c *Column) Dict() (*Dictionary, error) { return c.data.dict() }

// Block returns the values of block b.
func (c *Column) Block(b int) (*Vector, error) { return c.data.block(b) }

// Postings returns the rows with the code. ok is false if the column is not indexed, and then the
// codes of its blocks are to be looked at.
func (c *Column) Postings(code uint32) (rows *roaring.Bitmap, ok bool, err error) {
	return c.data.postings(code)
}

// Counts returns how many rows have each code, hidden ones included, without reading the rows. ok is false
// if the column is not indexed.
func (c *Column) Counts() (counts []int, ok bool, err error) { return c.data.counts() }

// Find returns the code of exactly v in a dictionary-coded column, reading no more of the
// dictionary than it must.
func (c *Column) Find(v event.Value) (code uint32, ok bool, err error) { return c.data.find(v) }

// MayContain reports whether a row may hold a value equal to v (1 and 1.0 are equal). It looks at
// the zone map and at a bloom filter if there is one; true may be wrong, false is not.
func (c *Column) MayContain(v event.Value) bool { return c.data.mayContain(v) }

// PresentRows returns the rows that have a value.
func (c *Column) PresentRows() (*roaring.Bitmap, error) {
	out := roaring.New()
	var rows []uint32
	for b := range c.reader.Blocks() {
		v, err := c.Block(b)
		if err != nil {
			return nil, err
		}
		from, to := c.reader.BlockRange(b)
		if v.Present == nil {
			out.AddRange(uint64(from), uint64(to))
			continue
		}
		rows = v.Present.appendRows(rows[:0], uint32(from))
		out.AddMany(rows)
	}
	return out, nil
}

// zoneExcludes reports whether the zone map rules out every value equal to v.
func zoneExcludes(info *ColumnInfo, v event.Value) bool {
	if info.Present == 0 {
		return true
	}
	if v.IsNumber() {
		if !info.Kinds.Has(event.KindInt) && !info.Kinds.Has(event.KindFloat) {
			return true
		}
		if info.Min.IsNumber() && event.CompareNumbers(v, info.Min) < 0 {
			return true
		}
		return info.Max.IsNumber() && event.CompareNumbers(v, info.Max) > 0
	}
	if !info.Kinds.Has(v.Kind()) {
		return true
	}
	if event.Compare(v, info.Min) < 0 {
		return true
	}
	return !info.Max.IsAbsent() && event.Compare(v, info.Max) > 0
}
