package segment

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// Renumber encodes the rows of some users once more, under other numbers: to gives the number of each, which
// several may share. It reads the whole segment, past the cache, and returns nothing if none of the users
// is in it.
func (r *Reader) Renumber(users *roaring.Bitmap, to func(user uint32) uint32, opt BuildOptions) ([]*Encoded, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	runs, err := r.users.runs()
	if err != nil {
		return nil, err
	}
	rows := make([]uint32, 0)
	renumbered := make(map[uint32]uint32)
	for i, user := range runs.users {
		if user == NoUser || !users.Contains(user) {
			continue
		}
		renumbered[user] = to(user)
		for row := runs.starts[i]; row < runs.starts[i+1]; row++ {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	s := span{reader: r, from: int(rows[0]), to: int(rows[len(rows)-1]) + 1}
	a, err := (&merge{}).arrange([]span{s}, BuildOptions{})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i] -= uint32(s.from)
		a.sorter.users[rows[i]] = renumbered[a.sorter.users[rows[i]]]
	}
	a.rows = rows
	return a.encode(opt)
}
