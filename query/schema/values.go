package schema

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"

	"cairn/engine/event"
)

// ValueCount is a value of a field, and how many of the events that count have it.
type ValueCount struct {
	Value event.Value // canonical: 1 also stands for 1.0; never null
	Count int64
}

// TopValues are the most frequent values of a field, the most frequent first, among equally frequent ones
// the least.
type TopValues struct {
	Values []ValueCount
	// Complete says that these are all; Distinct is how many there are. Both leave null out.
	Complete bool
	Distinct int64
}

// Values lists the most frequent values of a field. Of Options, Range, Event, Limit and MemoryBytes mean
// something here. It holds what is distinct in each segment, and no more than Limit values besides.
func Values(ctx context.Context, src Source, field string, opt Options) (*TopValues, error) {
	list, err := parts(ctx, src, &opt)
	if err != nil {
		return nil, err
	}
	var sources valueHeap
	used := int64(0)
	for _, p := range list {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c := p.Field(field)
		if c == nil || isHidden(field) {
			continue
		}
		counts, err := p.count(c)
		if err != nil {
			return nil, err
		}
		if used += counts.sizeBytes(); opt.MemoryBytes > 0 && used > opt.MemoryBytes {
			return nil, fmt.Errorf("%w: the values of %q in a part of the segments take %d bytes, %d are allowed", ErrMemory, field, used, opt.MemoryBytes)
		}
		s := &valueSource{counted: *counts, next: -1}
		if s.advance() {
			sources = append(sources, s)
		}
	}
	heap.Init(&sources)
	out := &TopValues{}
	top := mostFrequent{limit: opt.Limit}
	for steps := 0; len(sources) > 0; {
		at := ValueCount{Value: sources[0].value}
		for len(sources) > 0 && sources[0].value == at.Value {
			if steps++; steps%(1<<16) == 0 && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			s := sources[0]
			at.Count += int64(s.counts[s.next])
			if s.advance() {
				heap.Fix(&sources, 0)
			} else {
				heap.Pop(&sources)
			}
		}
		out.Distinct++
		top.add(at)
	}
	out.Values = top.sorted()
	out.Complete = int64(len(out.Values)) == out.Distinct
	return out, nil
}

// valueSource goes through the values of a segment.
type valueSource struct {
	counted
	next  int
	value event.Value // canonical
}

// advance goes to the next value that is not null, if there is one.
func (s *valueSource) advance() bool {
	for s.next++; s.next < len(s.counts); s.next++ {
		if s.value = s.values.Value(s.next).Canonical(); !s.value.IsNull() {
			return true
		}
	}
	return false
}

// valueHeap has the source with the least value first.
type valueHeap []*valueSource

func (h valueHeap) Len() int           { return len(h) }
func (h valueHeap) Less(i, j int) bool { return event.Compare(h[i].value, h[j].value) < 0 }
func (h valueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *valueHeap) Push(x any) { *h = append(*h, x.(*valueSource)) }

// Pop implements heap.Interface.
func (h *valueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// mostFrequent keeps the most frequent values of many, which come in ascending order.
type mostFrequent struct {
	limit int // 0: none
	list  []ValueCount
}

func compareFrequency(a, b ValueCount) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), event.Compare(a.Value, b.Value))
}

func (m *mostFrequent) add(v ValueCount) {
	m.list = append(m.list, v)
	if m.limit > 0 && len(m.list) >= 2*m.limit+1024 {
		m.list = m.sorted()
	}
}

func (m *mostFrequent) sorted() []ValueCount {
	slices.SortFunc(m.list, compareFrequency)
	if m.limit > 0 {
		m.list = m.list[:min(m.limit, len(m.list))]
	}
	return m.list
}
