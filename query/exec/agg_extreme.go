package exec

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// extremeAggregate is min and max: the least and the greatest value of any kind.
type extremeAggregate struct {
	*input
	least, greatest []event.Value // zero: none yet
	account         account
}

func (x *Execution) newExtreme(in *input) *extremeAggregate {
	return &extremeAggregate{input: in, account: account{budget: x.Budget, purpose: "least and greatest values"}}
}

func (a *extremeAggregate) reset() { a.least, a.greatest = emptied(a.least), emptied(a.greatest) }

func (a *extremeAggregate) resize(n int) {
	before := cap(a.least)
	a.least, a.greatest = extended(a.least, n), extended(a.greatest, n)
	a.account.add(64 * (cap(a.least) - before))
}

func (a *extremeAggregate) update(b *batch, groups []uint32) error {
	n, ok, err := a.numbers(b)
	if err != nil {
		return err
	}
	if ok {
		for i := range b.n {
			if n.ok != nil && !n.ok[i] {
				continue
			}
			if n.kind == event.KindFloat {
				a.addValue(groupAt(groups, i), event.Float(n.floats[i]))
			} else {
				a.addValue(groupAt(groups, i), event.FromBits(n.kind, uint64(n.ints[i]), ""))
			}
		}
		return nil
	}
	values, err := a.each(b)
	if err != nil {
		return err
	}
	for i, v := range values {
		a.addValue(groupAt(groups, i), v)
	}
	return nil
}

func (a *extremeAggregate) addValue(group uint32, v event.Value) {
	if !v.Exists() {
		return
	}
	if least := &a.least[group]; least.IsAbsent() || event.Compare(v, *least) < 0 {
		*least = v
	}
	if greatest := &a.greatest[group]; greatest.IsAbsent() || event.Compare(v, *greatest) > 0 {
		*greatest = v
	}
}

func (a *extremeAggregate) add(group uint32, row rowValue) { a.addValue(group, row.x) }

func (a *extremeAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*extremeAggregate)
	a.addValue(to, o.least[from])
	a.addValue(to, o.greatest[from])
}

func (a *extremeAggregate) finish(group uint32, spec *syntax.Agg) (event.Value, error) {
	v := a.least[group]
	if spec.Func == syntax.AggMax {
		v = a.greatest[group]
	}
	if v.IsAbsent() {
		return event.Null, nil
	}
	return v, nil
}

// orderAggregate is first and last: the value of the earliest and of the latest row that has one,
// of simultaneous ones the least and the greatest.
type orderAggregate struct {
	*input
	first, last []timed
	times       []int64
	account     account
}

type timed struct {
	at    int64
	value event.Value // zero: none yet
}

func (x *Execution) newOrder(in *input) *orderAggregate {
	return &orderAggregate{input: in, account: account{budget: x.Budget, purpose: "first and last values"}}
}

func (a *orderAggregate) reset() { a.first, a.last = emptied(a.first), emptied(a.last) }

func (a *orderAggregate) resize(n int) {
	before := cap(a.first)
	a.first, a.last = extended(a.first, n), extended(a.last, n)
	a.account.add(96 * (cap(a.first) - before))
}

func (a *orderAggregate) update(b *batch, groups []uint32) error {
	var err error
	if a.times, err = b.times(a.times[:0]); err != nil {
		return err
	}
	values, err := a.each(b)
	if err != nil {
		return err
	}
	for i, v := range values {
		a.addValue(groupAt(groups, i), timed{a.times[i], v})
	}
	return nil
}

func (a *orderAggregate) addValue(group uint32, t timed) {
	if !t.value.Exists() {
		return
	}
	if f := &a.first[group]; f.value.IsAbsent() || t.at < f.at || t.at == f.at && event.Compare(t.value, f.value) < 0 {
		*f = t
	}
	if l := &a.last[group]; l.value.IsAbsent() || t.at > l.at || t.at == l.at && event.Compare(t.value, l.value) > 0 {
		*l = t
	}
}

func (a *orderAggregate) add(group uint32, row rowValue) {
	if row.time.Kind() == event.KindTime {
		a.addValue(group, timed{row.time.AsInt(), row.x})
	}
}

func (a *orderAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*orderAggregate)
	a.addValue(to, o.first[from])
	a.addValue(to, o.last[from])
}

func (a *orderAggregate) finish(group uint32, spec *syntax.Agg) (event.Value, error) {
	t := a.first[group]
	if spec.Func == syntax.AggLast {
		t = a.last[group]
	}
	if t.value.IsAbsent() {
		return event.Null, nil
	}
	return t.value, nil
}
