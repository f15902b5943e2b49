package exec

import (
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// quantileAggregate is median and the quantiles of one argument: of numbers if there are any, else
// of durations, else of times.
type quantileAggregate struct {
	*input
	states  []quantileState
	spans   [2][][]int64         // durations and times, by group
	qs      []float64            // all that are asked for
	done    map[uint32][]float64 // by group: the values of qs
	size    int                  // bytes that the budget knows of
	account account
}

func (x *Execution) newQuantile(in *input) *quantileAggregate {
	return &quantileAggregate{input: in, done: map[uint32][]float64{}, account: account{budget: x.Budget, purpose: "values for quantiles"}}
}

func (a *quantileAggregate) reset() {
	a.states = emptied(a.states)
	clear(a.done)
	clear(a.spans[:])
}

func (a *quantileAggregate) resize(n int) { a.states = extended(a.states, n) }

// open turns to a segment, and notes which of its dictionary's values are counted by number: small is by
// code the counted value, or -1; empty where there is no table.
func (a *quantileAggregate) open(v *view) error {
	if err := a.input.open(v); err != nil {
		return err
	}
	if a.kept != nil && len(a.small) > 0 {
		return nil
	}
	a.small = a.small[:0]
	if a.kind != inputCodes || !a.direct || a.dict.Len() > v.info.Rows/16+64 {
		return nil
	}
	for code := range a.dict.Len() {
		small := int32(-1)
		if value := a.dict.Value(uint32(code)); value.IsNumber() {
			if i, ok := counted(value.AsFloat()); ok {
				small = int32(i)
			}
		}
		a.small = append(a.small, small)
	}
	return nil
}

func (a *quantileAggregate) update(b *batch, groups []uint32) error {
	n, ok, err := a.numbers(b)
	if err != nil {
		return err
	}
	switch {
	case ok && n.kind == event.KindInt, ok && n.kind == event.KindFloat:
		for i := range b.n {
			if n.ok != nil && !n.ok[i] {
				continue
			}
			f := 0.0
			if n.kind == event.KindInt {
				f = float64(n.ints[i])
			} else {
				f = n.floats[i]
			}
			a.states[groupAt(groups, i)].add(f)
		}
	case ok:
		a.addSpans(n, groups)
		return nil
	case a.kind == inputCodes && len(a.small) > 0:
		codes, err := a.codes(b)
		if err != nil {
			return err
		}
		a.addCodes(codes, groups)
	default:
		values, err := a.each(b)
		if err != nil {
			return err
		}
		for i, v := range values {
			a.addValue(groupAt(groups, i), v)
		}
	}
	a.noteSize(b.n)
	return nil
}

func (a *quantileAggregate) addCodes(codes, groups []uint32) {
	for i, c := range codes {
		if c == segment.AbsentCode {
			continue
		}
		s := &a.states[groupAt(groups, i)]
		if small := a.small[c]; small >= 0 && int(small) < len(s.counts) && s.counts[small] != math.MaxUint32 {
			s.counts[small]++
			s.n++
			continue
		}
		a.addValue(groupAt(groups, i), a.dict.Value(c))
	}
}

// noteSize tells the budget of what the states have come to hold.
func (a *quantileAggregate) noteSize(rows int) {
	if len(a.states) > 1024 {
		a.account.add(8 * rows)
		a.size += 8 * rows
		return
	}
	size := 0
	for i := range a.states {
		size += a.states[i].sizeBytes()
	}
	a.account.add(size - a.size)
	a.size = size
}

func (a *quantileAggregate) addValue(group uint32, v event.Value) {
	switch v.Kind() {
	case event.KindInt, event.KindFloat:
		a.states[group].add(v.AsFloat())
	case event.KindDuration:
		a.addSpan(0, group, v.AsInt())
	case event.KindTime:
		a.addSpan(1, group, v.AsInt())
	}
}

func (a *quantileAggregate) addSpan(which int, group uint32, nanos ...int64) {
	a.spans[which] = extended(a.spans[which], int(group)+1)
	a.spans[which][group] = append(a.spans[which][group], nanos...)
}

// addSpans adds the durations or times of a batch.
func (a *quantileAggregate) addSpans(n numbers, groups []uint32) {
	which := 0
	if n.kind == event.KindTime {
		which = 1
	}
	a.spans[which] = extended(a.spans[which], len(a.states))
	spans := a.spans[which]
	for i, nanos := range n.ints {
		if n.ok == nil || n.ok[i] {
			list := &spans[groupAt(groups, i)]
			*list = append(*list, nanos)
		}
	}
	a.account.add(8 * len(n.ints))
}

func (a *quantileAggregate) add(group uint32, row rowValue) {
	a.addValue(group, row.x)
	a.account.add(8)
}

func (a *quantileAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*quantileAggregate)
	a.states[to].merge(&o.states[from])
	for which, spans := range o.spans {
		if int(from) < len(spans) && len(spans[from]) > 0 {
			a.addSpan(which, to, spans[from]...)
		}
	}
}

func (a *quantileAggregate) finish(group uint32, spec *syntax.Agg) (event.Value, error) {
	state := &a.states[group]
	if state.empty() {
		for which, kind := range []event.Kind{event.KindDuration, event.KindTime} {
			if int(group) < len(a.spans[which]) && len(a.spans[which][group]) > 0 {
				list := a.spans[which][group]
				return scalar.Interpolate(len(list), spec.Q, func(i int) event.Value {
					selectInt(list, i)
					return event.FromBits(kind, uint64(list[i]), "")
				}), nil
			}
		}
		return event.Null, nil
	}
	results, ok := a.done[group]
	if !ok {
		results, _ = state.quantiles(a.qs)
		a.done[group] = results
	}
	if state.sketch != nil {
		a.x.Read.Inexact.Store(true)
	}
	return scalar.Finite(results[slices.Index(a.qs, spec.Q)]), nil
}
