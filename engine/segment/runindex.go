package segment

import (
	"math/bits"
	"sort"
)

// runIndex finds the run that a position lies in without a search: a bitmap of the positions where runs
// begin, with the number of beginnings before each word. It takes 10 KiB a block.
type runIndex struct {
	words []uint64
	rank  []uint16
}

// runIndexMin is how many rows must be wanted of a block for an index to be made.
const runIndexMin = 96

// newRunIndex indexes runs by their ends, of n positions in all.
func newRunIndex(ends []uint32, n int) *runIndex {
	x := &runIndex{words: make([]uint64, n>>6+1), rank: make([]uint16, n>>6+1)}
	start := uint32(0)
	for _, end := range ends {
		x.words[start>>6] |= 1 << (start & 63)
		start = end
	}
	count := 0
	for i, w := range x.words {
		x.rank[i] = uint16(count)
		count += bits.OnesCount64(w)
	}
	return x
}

// run returns the number of the run at a position.
func (x *runIndex) run(pos int) int {
	w := x.words[pos>>6] << (63 - pos&63)
	return int(x.rank[pos>>6]) + bits.OnesCount64(w) - 1
}

// runIndex returns the index of a vector of runs, made on first use.
func (v *Vector) runIndex() *runIndex {
	if x := v.index.Load(); x != nil {
		return x
	}
	x := newRunIndex(v.Ends, v.Len)
	v.index.Store(x)
	return x
}

// gatherIndexed is gatherRuns for many rows by way of the index.
func gatherIndexed[T any](v *Vector, out []T, rows []uint16, values []T, absent T) {
	x := v.runIndex()
	if v.Present == nil {
		for i, row := range rows {
			out[i] = values[x.run(int(row))]
		}
		return
	}
	for i, row := range rows {
		pos, ok := v.Present.Position(int(row))
		if !ok {
			out[i] = absent
			continue
		}
		out[i] = values[x.run(pos)]
	}
}

// userIndex is the runs of users in a block.
type userIndex struct {
	first int // the run of the block's first row
	*runIndex
}

// AppendRowUsers appends the dense user id of each of the given rows of a block to dst. rows ascend. For
// few rows it touches less memory than RowUsers does.
func (r *Reader) AppendRowUsers(dst []uint32, block int, rows []uint16) ([]uint32, error) {
	runs, err := r.users.runs()
	if err != nil {
		return nil, err
	}
	if r.sealed == nil {
		ids, err := r.RowUsers(block)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			dst = append(dst, ids[row])
		}
		return dst, nil
	}
	x, err := cached(r.sealed, makeChunkID(ordinalEvent, chunkUsers, 3), block, func() (*userIndex, int, error) {
		x := r.newUserIndex(runs, block)
		return x, 10*len(x.words) + 96, nil
	})
	if err != nil {
		return nil, err
	}
	users := runs.users[x.first:]
	for _, row := range rows {
		dst = append(dst, users[x.run(int(row))])
	}
	return dst, nil
}

func (r *Reader) newUserIndex(runs *userRuns, block int) *userIndex {
	from, to := r.BlockRange(block)
	first := sort.Search(len(runs.users), func(i int) bool { return int(runs.starts[i+1]) > from })
	var ends []uint32
	for i := first; i < len(runs.users) && int(runs.starts[i]) < to; i++ {
		ends = append(ends, uint32(min(int(runs.starts[i+1]), to)-from))
	}
	return &userIndex{first, newRunIndex(ends, to-from)}
}
