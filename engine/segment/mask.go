package segment

import (
	"slices"
	"sync"

	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// mask is the users whose rows a Reader hides. A nil mask hides nobody.
type mask struct {
	users *roaring.Bitmap
	rows  func() (*roaring.Bitmap, error)
	// events serves VisibleEvents.
	events func() ([]EventInfo, error)
}

// Without returns a reader of the same segment that hides the rows of users, beside those that r hides
// already; r stays as it is. It costs next to nothing, and what is read later is kept once for both. The
// bitmap must not change any more; NoUser is never hidden. If surely none of the users is in the segment,
// it returns r itself.
//
// Rows keep their numbers, and blocks, columns, postings and Info show hidden rows as well: a reader of
// rows leaves those in HiddenRows out. AllUsers, EventUsers and UserRows do so themselves.
func (r *Reader) Without(users *roaring.Bitmap) *Reader {
	if users == nil || users.IsEmpty() {
		return r
	}
	if info := r.info(); users.Minimum() > info.UserMax || users.Maximum() < info.UserMin {
		return r
	}
	if r.mask != nil {
		users = roaring.Or(users, r.mask.users)
	}
	if users.Contains(NoUser) {
		users = users.Clone()
		users.Remove(NoUser)
	}
	out := *r
	out.mask = &mask{users: users}
	out.mask.rows = sync.OnceValues(out.findHidden)
	out.mask.events = sync.OnceValues(out.countVisible)
	return &out
}

// HiddenUsers returns the users whose rows are hidden, whether they have any or not; nil if nobody's are.
func (r *Reader) HiddenUsers() *roaring.Bitmap {
	if r.mask == nil {
		return nil
	}
	return r.mask.users
}

// HiddenRows returns the rows that are hidden, nil if none is. The first call reads the users of the segment.
func (r *Reader) HiddenRows() (*roaring.Bitmap, error) {
	if r.mask == nil {
		return nil, nil
	}
	return r.mask.rows()
}

func (r *Reader) findHidden() (*roaring.Bitmap, error) {
	runs, err := r.users.runs()
	if err != nil {
		return nil, err
	}
	var rows *roaring.Bitmap
	it := r.mask.users.Iterator()
	for i := 0; i < len(runs.users) && it.HasNext(); {
		if it.AdvanceIfNeeded(runs.users[i]); !it.HasNext() {
			break
		}
		user := it.PeekNext()
		step := 1 // the next run mostly, where many are hidden
		for i+step < len(runs.users) && runs.users[i+step] <= user {
			i += step
			step *= 2
		}
		skip, found := slices.BinarySearch(runs.users[i:min(i+step, len(runs.users))], user)
		if i += skip; found {
			if rows == nil {
				rows = roaring.New()
			}
			rows.AddRange(uint64(runs.starts[i]), uint64(runs.starts[i+1]))
			i++
		}
	}
	if rows != nil {
		rows.RunOptimize()
	}
	return rows, nil
}

// leaveOut returns a set of users without the hidden ones.
func (m *mask) leaveOut(users *roaring.Bitmap, err error) (*roaring.Bitmap, error) {
	if m == nil || err != nil || !users.Intersects(m.users) {
		return users, err
	}
	return roaring.AndNot(users, m.users), nil
}

// VisibleEvents returns Info().Events as they are of the rows that are not hidden: names that only hidden
// rows have are listed with 0 rows. The first call on a reader that hides rows reads the names of these.
func (r *Reader) VisibleEvents() ([]EventInfo, error) {
	hidden, err := r.HiddenRows()
	if err != nil || hidden == nil {
		return r.info().Events, err
	}
	return r.mask.events()
}

func (r *Reader) countVisible() ([]EventInfo, error) {
	hidden, err := r.HiddenRows()
	if err != nil {
		return nil, err
	}
	runs, err := r.users.runs()
	if err != nil {
		return nil, err
	}
	events := append([]EventInfo(nil), r.info().Events...)
	lastUser := make([]uint32, len(events))
	user := 0 // the run at hand
	var codes []uint32
	rows := hidden.Iterator()
	for b := range r.Blocks() {
		from, to := r.BlockRange(b)
		if !rows.HasNext() || int(rows.PeekNext()) >= to {
			continue
		}
		v, err := r.event.Block(b)
		if err != nil {
			return nil, err
		}
		codes = v.Codes(codes[:0], nil)
		for rows.HasNext() && int(rows.PeekNext()) < to {
			row := rows.Next()
			for runs.starts[user+1] <= row {
				user++
			}
			e := &events[codes[int(row)-from]]
			e.Rows--
			// Users of runs are not 0: NoUser is never hidden.
			if last := &lastUser[codes[int(row)-from]]; *last != runs.users[user] {
				*last = runs.users[user]
				e.Users--
			}
		}
	}
	return events, nil
}

// VisibleUsers returns Info().Users without the hidden ones.
func (r *Reader) VisibleUsers() (int, error) {
	if r.mask == nil {
		return r.info().Users, nil
	}
	users, err := r.AllUsers()
	if err != nil {
		return 0, err
	}
	return int(users.GetCardinality()), nil
}

// HasEvent reports whether a row that is not hidden has an event name.
func (r *Reader) HasEvent(name string) (bool, error) {
	code, ok, err := r.event.Find(event.String(name))
	if err != nil || !ok {
		return false, err
	}
	events, err := r.VisibleEvents()
	return err == nil && events[code].Rows > 0, err
}

// HasField reports whether a row that is not hidden has a field.
func (r *Reader) HasField(name string) (bool, error) {
	c := r.Field(name)
	if c == nil {
		return false, nil
	}
	hidden, err := r.HiddenRows()
	if err != nil || hidden == nil {
		return err == nil, err
	}
	if info, err := c.data.info(); err != nil || info.Present > int(hidden.GetCardinality()) {
		return err == nil, err
	}
	present, err := c.PresentRows()
	if err != nil {
		return false, err
	}
	return present.GetCardinality() > present.AndCardinality(hidden), nil
}
