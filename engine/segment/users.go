package segment

import (
	"slices"
	"strings"
	"sync"

	"cairn/index/packed"

	"github.com/RoaringBitmap/roaring/v2"
)

// userRuns are the users of a segment and where their rows start.
type userRuns struct {
	users  []uint32
	starts []uint32 // one more than users
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

func (u *userRuns) set() *roaring.Bitmap {
	users := u.users
	if len(users) > 0 && users[0] == NoUser {
		users = users[1:]
	}
	set := roaring.BitmapOf(users...)
	set.RunOptimize()
	return set
}

// ends returns where the runs end within the rows [from, to), counted from from.
func (u *userRuns) ends(from, to int) stretches {
	i, ok := slices.BinarySearch(u.starts, uint32(from))
	if ok {
		i++
	}
	j, _ := slices.BinarySearch(u.starts, uint32(to))
	out := make(stretches, 0, j-i+1)
	for _, start := range u.starts[i:j] {
		out = append(out, start-uint32(from))
	}
	return append(out, uint32(to-from))
}

// fill writes the user of each row from first on.
func (u *userRuns) fill(users []uint32, first int) {
	i, ok := slices.BinarySearch(u.starts, uint32(first))
	if !ok {
		i--
	}
	for row := 0; row < len(users); i++ {
		end := min(int(u.starts[i+1])-first, len(users))
		for ; row < end; row++ {
			users[row] = u.users[i]
		}
	}
}

// append encodes the runs: the differences of the users less 1 and the lengths less 1, both patched.
func (u *userRuns) append(dst []byte) []byte {
	gaps, lengths := make([]uint64, len(u.users)), make([]uint64, len(u.users))
	next := u.users[0]
	for i, user := range u.users {
		gaps[i] = uint64(user - next)
		lengths[i] = uint64(u.starts[i+1]-u.starts[i]) - 1
		next = user + 1
	}
	return packed.AppendPatched(packed.AppendPatched(dst, gaps), lengths)
}

// readRuns reads runs of n users from first to last over rows rows.
func readRuns(content []byte, n int, first, last uint32, rows int) (*userRuns, error) {
	c := &cursor{b: content}
	gaps, lengths := make([]uint64, n), make([]uint64, n)
	c.patched(gaps)
	c.patched(lengths)
	if err := c.end(); err != nil {
		return nil, err
	}
	u := &userRuns{users: make([]uint32, n), starts: make([]uint32, n+1)}
	user, row := uint64(first), uint64(0)
	for i := range n {
		if gaps[i] > uint64(last) || lengths[i] >= uint64(rows) {
			return nil, errBytes
		}
		user += gaps[i]
		row += lengths[i] + 1
		if user > uint64(last) || row > uint64(rows) {
			return nil, errBytes
		}
		u.users[i], u.starts[i+1] = uint32(user), uint32(row)
		user++
	}
	if n == 0 || u.users[0] != first || u.users[n-1] != last || row != uint64(rows) {
		return nil, errBytes
	}
	return u, nil
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
