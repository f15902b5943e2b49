package exec

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// distinctAggregate is distinct: exact sets of interned values.
type distinctAggregate struct {
	key     *keyColumn
	sets    []idSet
	account account
	skip    []bool // by gid: null and absent do not count
}

func (x *Execution) newDistinct(in *input) *distinctAggregate {
	key := x.newKeyColumn(in)
	key.ids.account.purpose = "distinct values"
	return &distinctAggregate{key: key, account: account{budget: x.Budget, purpose: "sets of distinct values"}}
}

func (a *distinctAggregate) open(v *view) error { return a.key.open(v) }

func (a *distinctAggregate) reset() { a.sets = emptied(a.sets) }

func (a *distinctAggregate) resize(n int) {
	before := cap(a.sets)
	a.sets = extended(a.sets, n)
	a.account.add(48 * (cap(a.sets) - before))
}

func (a *distinctAggregate) update(b *batch, groups []uint32) error {
	gids, err := a.key.gids(b)
	if err != nil {
		return err
	}
	values := a.key.ids.values
	for i := len(a.skip); i < len(values); i++ {
		a.skip = append(a.skip, !values[i].Exists())
	}
	grown, bound := 0, len(values)
	for i, gid := range gids {
		if !a.skip[gid] {
			grown += a.sets[groupAt(groups, i)].add(gid, bound)
		}
	}
	a.account.add(grown)
	return nil
}

func (a *distinctAggregate) add(group uint32, row rowValue) {
	if row.x.Exists() {
		gid := a.key.ids.intern(row.x)
		a.account.add(a.sets[group].add(gid, len(a.key.ids.values)))
	}
}

func (a *distinctAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*distinctAggregate)
	o.sets[from].each(func(gid uint32) {
		mine := a.key.ids.intern(o.key.ids.values[gid])
		a.account.add(a.sets[to].add(mine, len(a.key.ids.values)))
	})
}

func (a *distinctAggregate) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	return event.Int(int64(a.sets[group].count())), nil
}

// topkAggregate is topk: how often each value occurs in each group.
type topkAggregate struct {
	x       *Execution
	key     *keyColumn
	pairs   pairTable // (group, gid)
	counts  []int64   // by number of the pair
	account account
	byGroup map[uint32][]uint32 // made by the first finish: numbers of the pairs of a group
}

func (x *Execution) newTopK(in *input) *topkAggregate {
	key := x.newKeyColumn(in)
	key.ids.account.purpose = "values of topk"
	return &topkAggregate{x: x, key: key, account: account{budget: x.Budget, purpose: "counts of topk"}}
}

func (a *topkAggregate) open(v *view) error { return a.key.open(v) }
func (a *topkAggregate) resize(int)         {}

func (a *topkAggregate) reset() { a.pairs, a.counts, a.byGroup = pairTable{}, a.counts[:0], nil }

func (a *topkAggregate) update(b *batch, groups []uint32) error {
	gids, err := a.key.gids(b)
	if err != nil {
		return err
	}
	for i, gid := range gids {
		a.count(groupAt(groups, i), gid, 1)
	}
	return nil
}

func (a *topkAggregate) count(group, gid uint32, n int64) {
	pair := a.pairs.number(group, gid)
	if int(pair) == len(a.counts) {
		a.counts = append(a.counts, 0)
		a.account.add(32)
	}
	a.counts[pair] += n
}

func (a *topkAggregate) add(group uint32, row rowValue) { a.count(group, a.key.ids.intern(row.x), 1) }

func (a *topkAggregate) groupPairs() map[uint32][]uint32 {
	if a.byGroup == nil {
		a.byGroup = map[uint32][]uint32{}
		for pair := range a.counts {
			group, _ := a.pairs.pair(uint32(pair))
			a.byGroup[group] = append(a.byGroup[group], uint32(pair))
		}
	}
	return a.byGroup
}

func (a *topkAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*topkAggregate)
	for _, pair := range o.groupPairs()[from] {
		_, gid := o.pairs.pair(pair)
		a.count(to, a.key.ids.intern(o.key.ids.values[gid]), o.counts[pair])
	}
}

func (a *topkAggregate) finish(group uint32, spec *syntax.Agg) (event.Value, error) {
	var list []valueCount
	for _, pair := range a.groupPairs()[group] {
		_, gid := a.pairs.pair(pair)
		if v := a.key.ids.values[gid]; v.Exists() {
			list = append(list, valueCount{v, a.counts[pair]})
		}
	}
	if err := a.x.nameAll(list); err != nil {
		return event.Value{}, err
	}
	list = mostFrequent(list, spec.N)
	top := make([]event.Value, len(list))
	for i, c := range list {
		top[i] = c.value
	}
	return scalar.ListOf(top, a.x.Calendar.Location()), nil
}

type valueCount struct {
	value event.Value
	count int64
}

// nameAll turns dense ids among the values into names.
func (x *Execution) nameAll(list []valueCount) error {
	for i := range list {
		if list[i].value.Kind() == kindUnnamedSession {
			one := []event.Value{list[i].value}
			if err := x.nameSessions(one); err != nil {
				return err
			}
			list[i].value = one[0]
		}
	}
	var ids []uint32
	for _, c := range list {
		if c.value.Kind() == kindUnnamed {
			ids = append(ids, uint32(c.value.Bits()))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := x.names.fetch(x, ids); err != nil {
		return err
	}
	for i, c := range list {
		if c.value.Kind() == kindUnnamed {
			list[i].value = x.names.value(uint32(c.value.Bits()))
		}
	}
	return nil
}

// mostFrequent returns the n most frequent values, of equally frequent ones the smaller first.
func mostFrequent(list []valueCount, n int) []valueCount {
	slices.SortFunc(list, func(a, b valueCount) int {
		return cmp.Or(cmp.Compare(b.count, a.count), event.Compare(a.value, b.value))
	})
	return list[:min(n, len(list))]
}
