package segment

import (
	"math/bits"
	"slices"
)

// sorter puts the rows of several inputs into the order of a segment. A row of the inputs is known
// by its global number: the rows of input 0, then those of input 1, and so on.
type sorter struct {
	users []uint32 // by global row
	times []int64
	names []uint32 // rank of the event name; may be nil
}

// sortedAtOnce is how many rows are sorted between two calls of pace.
const sortedAtOnce = 4096

// sort returns the given global rows (nil: all) by (user, time, event name, global row).
func (s *sorter) sort(rows []uint32, pace func()) []uint32 {
	order := s.byUser(rows)
	next := 0
	for from := 0; from < len(order); {
		if from >= next {
			next = from + sortedAtOnce
			pace()
		}
		u := s.users[order[from]]
		to := from + 1
		for to < len(order) && s.users[order[to]] == u {
			to++
		}
		s.sortRun(order[from:to])
		from = to
	}
	return order
}

// byUser sorts the rows by user, stably: by counting when the ids are dense enough, else by radix.
func (s *sorter) byUser(rows []uint32) []uint32 {
	n := len(rows)
	if rows == nil {
		n = len(s.users)
	}
	if n == 0 {
		return nil
	}
	at := func(i int) uint32 {
		if rows == nil {
			return uint32(i)
		}
		return rows[i]
	}
	lo, hi := ^uint32(0), uint32(0)
	for i := range n {
		u := s.users[at(i)]
		lo, hi = min(lo, u), max(hi, u)
	}
	span := uint64(hi-lo) + 1
	out := make([]uint32, n)
	if span <= uint64(4*n)+1024 {
		counts := make([]uint32, span+1)
		for i := range n {
			counts[s.users[at(i)]-lo+1]++
		}
		for i := 1; i < len(counts); i++ {
			counts[i] += counts[i-1]
		}
		for i := range n {
			r := at(i)
			slot := &counts[s.users[r]-lo]
			out[*slot] = r
			*slot++
		}
		return out
	}
	keys := make([]uint64, n)
	for i := range n {
		keys[i] = uint64(s.users[at(i)]-lo)<<32 | uint64(i)
	}
	radixSort(keys, 32, 32+bits.Len64(span-1))
	for i, k := range keys {
		out[i] = at(int(uint32(k)))
	}
	return out
}

// sortRun sorts the rows of one user by time. They nearly always come in order or almost, so
// insertion is tried first.
func (s *sorter) sortRun(run []uint32) {
	moves := 0
	budget := 8*len(run) + 32
	for i := 1; i < len(run); i++ {
		r := run[i]
		if !s.less(r, run[i-1]) {
			continue
		}
		j := i
		for ; j > 0 && s.less(r, run[j-1]); j-- {
			run[j] = run[j-1]
		}
		run[j] = r
		if moves += i - j; moves > budget {
			slices.SortFunc(run, func(a, b uint32) int {
				switch {
				case a == b:
					return 0
				case s.less(a, b):
					return -1
				}
				return 1
			})
			return
		}
	}
}

func (s *sorter) less(a, b uint32) bool {
	if s.times[a] != s.times[b] {
		return s.times[a] < s.times[b]
	}
	if s.names != nil && s.names[a] != s.names[b] {
		return s.names[a] < s.names[b]
	}
	return a < b
}

// radixSort sorts keys by their bits [from, to), stably.
func radixSort(keys []uint64, from, to int) {
	if len(keys) < 256 {
		mask := ^uint64(0) << from
		slices.SortStableFunc(keys, func(a, b uint64) int {
			a, b = a&mask, b&mask
			switch {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		return
	}
	const digit = 11
	other := make([]uint64, len(keys))
	src, dst := keys, other
	for shift := from; shift < to; shift += digit {
		var counts [1 << digit]uint32
		for _, k := range src {
			counts[k>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for i, c := range counts {
			counts[i] = sum
			sum += c
		}
		for _, k := range src {
			slot := &counts[k>>shift&(1<<digit-1)]
			dst[*slot] = k
			*slot++
		}
		src, dst = dst, src
	}
	if &src[0] != &keys[0] {
		copy(keys, src)
	}
}
