package exec

import (
	"maps"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// histAggregate is hist without edges: how often each number, or else each duration, occurs.
type histAggregate struct {
	*input
	numbersOf, durations []map[float64]int64
	account              account
}

func (x *Execution) newHist(in *input) *histAggregate {
	return &histAggregate{input: in, account: account{budget: x.Budget, purpose: "values of hist"}}
}

func (a *histAggregate) reset() {
	a.numbersOf, a.durations = emptied(a.numbersOf), emptied(a.durations)
}

func (a *histAggregate) resize(n int) {
	a.numbersOf, a.durations = extended(a.numbersOf, n), extended(a.durations, n)
}

func (a *histAggregate) update(b *batch, groups []uint32) error {
	values, err := a.each(b)
	if err != nil {
		return err
	}
	for i, v := range values {
		a.count(groupAt(groups, i), v)
	}
	return nil
}

func (a *histAggregate) count(group uint32, v event.Value) {
	switch v.Kind() {
	case event.KindInt, event.KindFloat:
		a.countIn(&a.numbersOf[group], v.AsFloat(), 1)
	case event.KindDuration:
		a.countIn(&a.durations[group], float64(v.AsInt()), 1)
	}
}

func (a *histAggregate) countIn(m *map[float64]int64, f float64, n int64) {
	if *m == nil {
		*m = map[float64]int64{}
	}
	before := len(*m)
	(*m)[f] += n
	a.account.add(32 * (len(*m) - before))
}

func (a *histAggregate) add(group uint32, row rowValue) { a.count(group, row.x) }

func (a *histAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*histAggregate)
	for f, n := range o.numbersOf[from] {
		a.countIn(&a.numbersOf[to], f, n)
	}
	for f, n := range o.durations[from] {
		a.countIn(&a.durations[to], f, n)
	}
}

func (a *histAggregate) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	m := a.numbersOf[group]
	if len(m) == 0 {
		m = a.durations[group]
	}
	xs := slices.Sorted(maps.Keys(m))
	times := make([]int64, len(xs))
	for i, f := range xs {
		times[i] = m[f]
	}
	return scalar.HistCounts(xs, times, len(a.numbersOf[group]) > 0), nil
}

// edgesAggregate is hist with edges.
type edgesAggregate struct {
	*input
	edges  []event.Value
	spans  []int64 // the edges, if they are durations
	counts []int64 // len(edges) for each group
}

func (x *Execution) newEdges(in *input, edges []event.Value) *edgesAggregate {
	a := &edgesAggregate{input: in, edges: edges}
	for _, e := range edges {
		if e.Kind() == event.KindDuration {
			a.spans = append(a.spans, e.AsInt())
		}
	}
	return a
}

func (a *edgesAggregate) reset() { a.counts = emptied(a.counts) }

func (a *edgesAggregate) resize(n int) { a.counts = extended(a.counts, n*len(a.edges)) }

func (a *edgesAggregate) update(b *batch, groups []uint32) error {
	n, ok, err := a.numbers(b)
	if err != nil {
		return err
	}
	if ok && n.kind == event.KindDuration && len(a.spans) == len(a.edges) {
		a.addSpans(n, groups)
		return nil
	}
	values, err := a.each(b)
	if err != nil {
		return err
	}
	for i, v := range values {
		a.count(groupAt(groups, i), v)
	}
	return nil
}

// addSpans counts durations.
func (a *edgesAggregate) addSpans(n numbers, groups []uint32) {
	for i, nanos := range n.ints {
		if n.ok != nil && !n.ok[i] {
			continue
		}
		bucket := -1
		for bucket+1 < len(a.spans) && a.spans[bucket+1] <= nanos {
			bucket++
		}
		if bucket >= 0 {
			a.counts[int(groupAt(groups, i))*len(a.edges)+bucket]++
		}
	}
}

func (a *edgesAggregate) count(group uint32, v event.Value) {
	if !v.Exists() {
		return
	}
	if bucket := scalar.HistBucket(a.edges, v); bucket >= 0 {
		a.counts[int(group)*len(a.edges)+bucket]++
	}
}

func (a *edgesAggregate) add(group uint32, row rowValue) { a.count(group, row.x) }

func (a *edgesAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*edgesAggregate)
	n := len(a.edges)
	for i := range n {
		a.counts[int(to)*n+i] += o.counts[int(from)*n+i]
	}
}

func (a *edgesAggregate) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	list := make([]event.Value, len(a.edges))
	for i := range list {
		list[i] = event.Int(a.counts[int(group)*len(a.edges)+i])
	}
	return scalar.ListOf(list, nil), nil
}
