package scalar

import (
	"math"
	"slices"
	"strconv"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// histBucketsMax is how many buckets Hist makes at most: as many as a person reads in one look.
const histBucketsMax = 20

// Hist is the histogram of hist(x) without edges: a list of [lower edge, count] for equally wide
// buckets from the least value to the greatest, empty ones included. The width is the least of 1, 2 or 5
// times a power of ten, or for durations of the usual steps of a clock, with which at most 20 buckets
// suffice, and not below 1 when all numbers are whole. When there are numbers among the values, only those count, else durations; edges of
// durations are seconds.
func Hist(values []event.Value) event.Value {
	numbers := slices.ContainsFunc(values, event.Value.IsNumber)
	var xs []float64 // numbers, or nanoseconds
	for _, v := range values {
		switch {
		case numbers && v.IsNumber():
			xs = append(xs, v.AsFloat())
		case !numbers && v.Kind() == event.KindDuration:
			xs = append(xs, float64(v.AsInt()))
		}
	}
	return HistCounts(xs, nil, numbers)
}

// HistCounts is Hist of numbers, or of durations in nanoseconds, of which xs[i] occurs times[i] times;
// nil times stand for once each.
func HistCounts(xs []float64, times []int64, numbers bool) event.Value {
	if len(xs) == 0 {
		return event.List("[]")
	}
	total := int64(len(xs))
	if times != nil {
		total = 0
		for _, n := range times {
			total += n
		}
	}
	least, greatest := slices.Min(xs), slices.Max(xs)
	lower := func(edge float64) event.Value {
		if numbers {
			return event.Float(max(-math.MaxFloat64, edge)).Canonical()
		}
		return event.Duration(int64(edge))
	}
	if least == greatest {
		return pairs([]event.Value{lower(least)}, []int64{total})
	}
	var width step
	if numbers {
		fractions := slices.ContainsFunc(xs, func(x float64) bool { return x != math.Trunc(x) })
		width = decimalWidth(least, greatest, fractions)
	} else {
		width = clockWidth(least, greatest)
	}
	first := width.number(least)
	counts := make([]int64, int(width.number(greatest)-first)+1)
	for i, x := range xs {
		n := int64(1)
		if times != nil {
			n = times[i]
		}
		counts[int(width.number(x)-first)] += n
	}
	edges := make([]event.Value, len(counts))
	for i := range edges {
		edges[i] = lower(width.edge(first + float64(i)))
	}
	return pairs(edges, counts)
}

func pairs(edges []event.Value, counts []int64) event.Value {
	list := make([]event.Value, len(edges))
	for i := range edges {
		list[i] = ListOf([]event.Value{edges[i], event.Int(counts[i])}, nil)
	}
	return ListOf(list, nil)
}

func decimalWidth(least, greatest float64, fractions bool) step {
	power := int(math.Floor(math.Log10(greatest/histBucketsMax-least/histBucketsMax))) - 1
	if !fractions {
		power = max(power, 0)
	}
	for ; ; power++ {
		for _, factor := range [...]string{"1", "2", "5"} {
			width, _ := strconv.ParseFloat(factor+"e"+strconv.Itoa(power), 64)
			if s := newStep(width); width > 0 && s.fit(least, greatest) {
				return s
			}
		}
	}
}

func clockWidth(least, greatest float64) step {
	second, minute, hour, day := 1e9, 60e9, 3600e9, float64(dayNanos)
	for unit := 1.0; unit < second; unit *= 10 {
		for _, width := range [...]float64{unit, 2 * unit, 5 * unit} {
			if s := newStep(width); s.fit(least, greatest) {
				return s
			}
		}
	}
	for _, width := range [...]float64{
		second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second,
		minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
		hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
	} {
		if s := newStep(width); s.fit(least, greatest) {
			return s
		}
	}
	for unit := day; ; unit *= 10 {
		for _, width := range [...]float64{unit, 2 * unit, 5 * unit} {
			if s := newStep(width); s.fit(least, greatest) {
				return s
			}
		}
	}
}

// fit reports whether a few buckets suffice for all numbers from least to greatest.
func (s step) fit(least, greatest float64) bool {
	return s.number(greatest)-s.number(least) < histBucketsMax
}

// HistEdges is hist(x, e1, e2, …): how many values lie in [e1, e2), [e2, e3), …, and at or above the
// last edge. Values below the first edge, and those of another kind than the edges, are not counted.
func HistEdges(edges, values []event.Value) event.Value {
	counts := make([]event.Value, len(edges))
	for i := range counts {
		counts[i] = event.Int(0)
	}
	for _, v := range values {
		if i := HistBucket(edges, v); i >= 0 {
			counts[i] = event.Int(counts[i].AsInt() + 1)
		}
	}
	return ListOf(counts, nil)
}

// HistBucket returns the number of the edge whose bucket v is counted in, or -1.
func HistBucket(edges []event.Value, v event.Value) int {
	if v.IsNumber() != edges[0].IsNumber() || !v.IsNumber() && v.Kind() != event.KindDuration {
		return -1
	}
	return Edge(edges, v)
}

// BucketsMax is how many time buckets a result may have; a range and a unit that need more are an error.
const BucketsMax = 1 << 20

// TooManyBuckets is the error for a bin whose buckets exceed BucketsMax.
func TooManyBuckets(bin *syntax.Bin) error {
	return syntax.Errorf(bin.Pos, "expected at most %d time buckets in the range; take a longer unit or a shorter range", BucketsMax)
}
