package exec

import (
	"slices"

	"cairn/engine/event"
)

// userOrder knows the users of a stream by name, and the order of the names.
type userOrder struct {
	ids   []uint32 // ascending
	names []event.Value
	ranks []int32
}

// rankUsers orders the users of a list, in which they may occur repeatedly.
func rankUsers(f feed, workers []*streamWorker, n int, user func(i int) uint32) (*userOrder, error) {
	o := &userOrder{}
	for i := range n {
		if id := user(i); len(o.ids) == 0 || o.ids[len(o.ids)-1] != id {
			o.ids = append(o.ids, id)
		}
	}
	slices.Sort(o.ids)
	o.ids = slices.Compact(o.ids)
	if n == 0 {
		return o, nil
	}
	var err error
	if o.names, err = f.users(workers, o.ids); err != nil {
		return nil, err
	}
	order := make([]int32, len(o.ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return event.Compare(o.names[a], o.names[b]) })
	o.ranks = make([]int32, len(o.ids))
	for rank, i := range order {
		o.ranks[i] = int32(rank)
	}
	return o, nil
}

func (o *userOrder) index(user uint32) int {
	i, _ := slices.BinarySearch(o.ids, user)
	return i
}

// rank is the place of a user in the order of names, name his name.
func (o *userOrder) rank(user uint32) int32       { return o.ranks[o.index(user)] }
func (o *userOrder) name(user uint32) event.Value { return o.names[o.index(user)] }
