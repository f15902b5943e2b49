package exec

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/event"
)

// userOrder puts a list of what is known of users into the order of their names.
type userOrder struct {
	names []event.Value // of all users, in order
	// ends says where in places the entries of each user end; places are numbers of entries, of each user in
	// the order of the list.
	ends   []int32
	places []int32
}

// orderByUser orders n entries by the names of their users.
func orderByUser(f feed, workers []*streamWorker, n int, user func(i int) uint32) (*userOrder, error) {
	if n == 0 {
		return &userOrder{}, nil
	}
	var ids []uint32
	for i := range n {
		if id := user(i); len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	names, err := f.users(workers, ids)
	if err != nil {
		return nil, err
	}
	o := &userOrder{names: make([]event.Value, len(ids))}
	ranks := make([]int32, len(ids))
	for rank, i := range inOrder(names) {
		ranks[i], o.names[rank] = int32(rank), names[i]
	}
	o.place(n, func(i int) int32 {
		at, _ := slices.BinarySearch(ids, user(i))
		return ranks[at]
	})
	return o, nil
}

// place sorts the entries by the rank of their user.
func (o *userOrder) place(n int, rankOf func(i int) int32) {
	ranks := make([]int32, n)
	o.ends, o.places = make([]int32, len(o.names)+1), make([]int32, n)
	for i := range ranks {
		ranks[i] = rankOf(i)
		o.ends[ranks[i]+1]++
	}
	for i := 1; i < len(o.ends); i++ {
		o.ends[i] += o.ends[i-1]
	}
	for i, rank := range ranks {
		o.places[o.ends[rank]] = int32(i)
		o.ends[rank]++
	}
	o.ends = o.ends[:len(o.names)]
}

// each calls f for every entry, those of one user in an order of their own.
func (o *userOrder) each(ctx context.Context, compare func(a, b int32) int, f func(name event.Value, i int32)) error {
	from := int32(0)
	for rank, name := range o.names {
		if err := interrupted(ctx, rank); err != nil {
			return err
		}
		places := o.places[from:o.ends[rank]]
		slices.SortFunc(places, compare)
		for _, i := range places {
			f(name, i)
		}
		from = o.ends[rank]
	}
	return nil
}

// inOrder returns the numbers of values in their order. Of texts it compares a few bytes behind what all have
// in common, as the names of users tend to begin alike.
func inOrder(values []event.Value) []int32 {
	type entry struct {
		key uint64
		i   int32
	}
	list := make([]entry, len(values))
	prefix := commonPrefix(values)
	for i, v := range values {
		list[i].i = int32(i)
		if prefix < 0 {
			continue
		}
		rest := v.Text()[prefix:]
		for b := range 8 {
			list[i].key <<= 8
			if b < len(rest) {
				list[i].key |= uint64(rest[b])
			}
		}
	}
	slices.SortFunc(list, func(a, b entry) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return event.Compare(values[a.i], values[b.i])
	})
	order := make([]int32, len(list))
	for i, e := range list {
		order[i] = e.i
	}
	return order
}

// commonPrefix returns how many bytes texts have in common at their beginning, -1 if not all values are
// texts.
func commonPrefix(values []event.Value) int {
	n := -1
	for _, v := range values {
		if v.Kind() != event.KindString {
			return -1
		}
		text, first := v.Text(), values[0].Text()
		if n < 0 {
			n = len(text)
		}
		n = min(n, len(text))
		for n > 0 && text[:n] != first[:n] {
			n--
		}
	}
	return n
}
