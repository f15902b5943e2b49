package exec

import (
	"math"
	"slices"

	"cairn/query/scalar"
)

// QuantileExact is the number of values up to which a quantile is exact. A state with more becomes
// a sketch, so the answer depends on the set of values and not on how it was split.
const QuantileExact = 1 << 20

// SketchError is the relative error of a quantile sketch.
const SketchError = 0.01

// quantileState collects the numbers of one group for quantiles and median. Values are listed; many
// small whole numbers are counted instead, however many they are; more than QuantileExact values of
// which some cannot be counted go into a DDSketch. Which it is depends on the values alone. The zero
// value is empty.
type quantileState struct {
	values []float64
	odd    bool     // a value came that cannot be counted
	counts []uint32 // by value; not nil: instead of values
	n      uint64   // values in counts
	sketch *sketch  // not nil: instead of values
}

const (
	countedMax  = 1 << 16 // values below can be counted
	countedFrom = 4096    // listed values from which counting is tried
)

// counted returns the value as an index of counts.
func counted(f float64) (int, bool) {
	i := int(f)
	return i, f >= 0 && f < countedMax && float64(i) == f && (i != 0 || !math.Signbit(f))
}

func (s *quantileState) add(f float64) {
	i, small := counted(f)
	if s.counts != nil {
		if small {
			s.count(i, 1)
			return
		}
		s.list()
	}
	s.odd = s.odd || !small
	if s.sketch != nil {
		s.sketch.add(f, 1)
		return
	}
	s.values = append(s.values, f)
	s.settle()
}

// settle leaves the list if there is something better.
func (s *quantileState) settle() {
	switch {
	case !s.odd && len(s.values) >= countedFrom:
		s.toCounts()
	case len(s.values) > QuantileExact:
		s.toSketch()
	}
}

func (s *quantileState) toCounts() {
	values := s.values
	s.counts, s.values = make([]uint32, 0, 256), nil
	for _, f := range values {
		s.count(int(f), 1)
	}
}

func (s *quantileState) count(i int, times uint32) {
	if i >= len(s.counts) {
		s.counts = append(s.counts, make([]uint32, i+1-len(s.counts))...)
	}
	if s.counts[i]+times < times { // more of one value than 32 bits count
		s.list()
		s.odd = true
		s.sketch.add(float64(i), uint64(times))
		return
	}
	s.counts[i] += times
	s.n += uint64(times)
}

// list turns counted values back into listed ones, or a sketch if they are too many.
func (s *quantileState) list() {
	counts, n := s.counts, s.n
	s.counts, s.n = nil, 0
	if n > QuantileExact {
		s.sketch = newSketch()
	}
	s.addCounts(counts)
}

// addCounts adds counted values to the list or the sketch.
func (s *quantileState) addCounts(counts []uint32) {
	for i, times := range counts {
		switch {
		case times == 0:
		case s.sketch != nil:
			s.sketch.add(float64(i), uint64(times))
		default:
			for range times {
				s.values = append(s.values, float64(i))
			}
		}
	}
}

func (s *quantileState) toSketch() {
	if s.sketch != nil {
		return
	}
	s.sketch = newSketch()
	for _, f := range s.values {
		s.sketch.add(f, 1)
	}
	s.values = nil
}

// merge adds o, which stays as it is but for the order of its values.
func (s *quantileState) merge(o *quantileState) {
	switch {
	case o.sketch != nil:
		if s.counts != nil {
			s.list()
		}
		s.toSketch()
		s.odd = true
		s.sketch.merge(o.sketch)
	case o.counts != nil && !s.odd && s.sketch == nil:
		if s.counts == nil {
			s.toCounts()
		}
		for i, times := range o.counts {
			switch {
			case times == 0:
			case s.counts != nil:
				s.count(i, times)
			default:
				s.sketch.add(float64(i), uint64(times))
			}
		}
	case o.counts != nil:
		if uint64(len(s.values))+o.n > QuantileExact {
			s.toSketch()
		}
		s.addCounts(o.counts)
	case s.counts == nil && s.sketch == nil:
		s.odd = s.odd || o.odd
		if len(s.values) == 0 {
			s.values = o.values[:len(o.values):len(o.values)]
		} else {
			s.values = append(s.values, o.values...)
		}
		s.settle()
	default:
		for _, f := range o.values {
			s.add(f)
		}
	}
}

func (s *quantileState) empty() bool { return s.n == 0 && len(s.values) == 0 && s.sketch == nil }

func (s *quantileState) sizeBytes() int {
	n := 8*cap(s.values) + 4*cap(s.counts)
	if s.sketch != nil {
		n += 8*(cap(s.sketch.positive.counts)+cap(s.sketch.negative.counts)) + 128
	}
	return n
}

// quantiles returns the quantile for each q in [0, 1]: of n sorted values the one at q*(n-1),
// between two ranks interpolated linearly. ok is false when there are no values. It reorders the
// values.
func (s *quantileState) quantiles(qs []float64) (results []float64, ok bool) {
	results = make([]float64, len(qs))
	if s.sketch != nil {
		for i, q := range qs {
			results[i] = s.sketch.quantile(q)
		}
		return results, true
	}
	if s.n > 0 {
		for i, q := range qs {
			low, fraction := rankOf(q, int(s.n))
			results[i] = scalar.Between(s.ranked(low), s.ranked(min(low+1, int(s.n)-1)), fraction)
		}
		return results, true
	}
	n := len(s.values)
	if n == 0 {
		return nil, false
	}
	var ranks []int
	for _, q := range qs {
		low, _ := rankOf(q, n)
		ranks = append(ranks, low, min(low+1, n-1))
	}
	slices.Sort(ranks)
	selectRanks(s.values, slices.Compact(ranks))
	for i, q := range qs {
		low, fraction := rankOf(q, n)
		results[i] = scalar.Between(s.values[low], s.values[min(low+1, n-1)], fraction)
	}
	return results, true
}

// ranked returns the value of a rank among counted ones.
func (s *quantileState) ranked(rank int) float64 {
	for i, times := range s.counts {
		if rank -= int(times); rank < 0 {
			return float64(i)
		}
	}
	return 0
}

func rankOf(q float64, n int) (low int, fraction float64) {
	position := q * float64(n-1)
	low = min(int(position), n-1)
	return low, position - float64(low)
}

// selectRanks reorders values so that those at the given ascending ranks stand where a sort would
// put them.
func selectRanks(values []float64, ranks []int) {
	for len(ranks) > 0 && len(values) > 1 {
		if len(values) <= 48 {
			slices.Sort(values)
			return
		}
		low, high := partition(values)
		// values[:low] < values[low:high] (all equal) < values[high:]
		left := 0
		for left < len(ranks) && ranks[left] < low {
			left++
		}
		selectRanks(values[:low], ranks[:left])
		right := left
		for right < len(ranks) && ranks[right] < high {
			right++
		}
		rest := ranks[right:]
		shifted := make([]int, len(rest))
		for i, r := range rest {
			shifted[i] = r - high
		}
		values, ranks = values[high:], shifted
	}
}

// partition splits values around a pivot taken from a sample of nine.
func partition(values []float64) (low, high int) {
	var sample [9]float64
	step := len(values) / 9
	for i := range sample {
		sample[i] = values[i*step+step/2]
	}
	slices.Sort(sample[:])
	pivot := sample[4]
	i, j, k := 0, 0, len(values)
	for j < k {
		switch v := values[j]; {
		case v < pivot:
			values[i], values[j] = v, values[i]
			i++
			j++
		case v > pivot:
			k--
			values[j], values[k] = values[k], v
		default:
			j++
		}
	}
	return i, k
}

// sketch is a DDSketch: counts of values in buckets whose bounds grow by gamma, so that a bucket's
// middle is within SketchError of every value in it. Merging adds counts.
type sketch struct {
	positive, negative sketchStore
	zeros              uint64
	min, max           float64
	count              uint64
}

const (
	sketchGamma    = (1 + SketchError) / (1 - SketchError)
	sketchSmallest = 1e-300 // magnitudes below count as zero
)

var sketchLogGamma = math.Log(sketchGamma)

type sketchStore struct {
	offset int // bucket index of counts[0]
	counts []uint64
}

func newSketch() *sketch { return &sketch{min: math.Inf(1), max: math.Inf(-1)} }

func (s *sketch) add(f float64, count uint64) {
	s.min, s.max = min(s.min, f), max(s.max, f)
	s.count += count
	switch {
	case f > sketchSmallest:
		s.positive.add(bucketOf(f), count)
	case f < -sketchSmallest:
		s.negative.add(bucketOf(-f), count)
	default:
		s.zeros += count
	}
}

func bucketOf(f float64) int { return int(math.Ceil(math.Log(f) / sketchLogGamma)) }

func bucketMiddle(i int) float64 {
	return 2 * math.Exp(float64(i)*sketchLogGamma) / (sketchGamma + 1)
}

func (s *sketchStore) add(i int, count uint64) {
	if len(s.counts) == 0 {
		s.offset, s.counts = i, make([]uint64, 1, 64)
	}
	if i < s.offset {
		s.counts = append(make([]uint64, s.offset-i, s.offset-i+len(s.counts)), s.counts...)
		s.offset = i
	}
	for i-s.offset >= len(s.counts) {
		s.counts = append(s.counts, 0)
	}
	s.counts[i-s.offset] += count
}

func (s *sketch) merge(o *sketch) {
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	s.count += o.count
	s.zeros += o.zeros
	for i, n := range o.positive.counts {
		if n > 0 {
			s.positive.add(o.positive.offset+i, n)
		}
	}
	for i, n := range o.negative.counts {
		if n > 0 {
			s.negative.add(o.negative.offset+i, n)
		}
	}
}

// quantile returns the value at rank q*(count-1), rounded down, within SketchError.
func (s *sketch) quantile(q float64) float64 {
	rank := uint64(q * float64(s.count-1))
	at := func() float64 {
		for i := len(s.negative.counts) - 1; i >= 0; i-- {
			if n := s.negative.counts[i]; rank < n {
				return -bucketMiddle(s.negative.offset + i)
			} else {
				rank -= n
			}
		}
		if rank < s.zeros {
			return 0
		}
		rank -= s.zeros
		for i, n := range s.positive.counts {
			if rank < n {
				return bucketMiddle(s.positive.offset + i)
			}
			rank -= n
		}
		return s.max
	}
	return max(s.min, min(s.max, at()))
}
