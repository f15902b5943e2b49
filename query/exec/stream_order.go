package exec

import (
	"slices"
)

// arrange puts the events of a user into order where they are not: pieces that overlap, and simultaneous
// events that differ.
func (w *streamWorker) arrange(r *userRows, pieces []piece) error {
	sorted, ties := true, false
	for i := 1; i < len(r.times); i++ {
		if r.times[i] <= r.times[i-1] {
			if r.times[i] < r.times[i-1] {
				sorted = false
				break
			}
			ties = ties || !w.stream.loose && (w.stream.refs || r.differ(i-1, i))
		}
	}
	if sorted && !ties {
		return nil
	}
	order := w.order[:0]
	for i := range r.times {
		order = append(order, int32(i))
	}
	w.order = order
	if !sorted {
		slices.SortStableFunc(order, func(a, b int32) int { return compareInts(r.times[a], r.times[b]) })
	}
	for from := 0; from < len(order); {
		to := from + 1
		differ := w.stream.refs
		for to < len(order) && r.times[order[to]] == r.times[order[from]] {
			differ = differ || r.differ(int(order[to-1]), int(order[to]))
			to++
		}
		if to-from > 1 && differ && !w.stream.loose {
			if err := w.arrangeTie(order[from:to], pieces); err != nil {
				return err
			}
		}
		from = to
	}
	r.permute(order)
	return nil
}

// differ reports whether a consumer can tell two simultaneous events apart.
func (r *userRows) differ(i, j int) bool {
	if r.class[i] != r.class[j] {
		return true
	}
	for _, k := range r.keys {
		if k[i] != k[j] {
			return true
		}
	}
	return false
}

// permute puts the events into an order.
func (r *userRows) permute(order []int32) {
	r.times = permuted(r.times, order)
	r.class = permuted(r.class, order)
	for k := range r.keys {
		r.keys[k] = permuted(r.keys[k], order)
	}
	if len(r.refs) > 0 {
		r.refs = permuted(r.refs, order)
	}
}

func permuted[T any](list []T, order []int32) []T {
	out := make([]T, len(list))
	for i, at := range order {
		out[i] = list[at]
	}
	return out
}

// arrangeTie puts simultaneous events into the order of events, for which they are read whole.
func (w *streamWorker) arrangeTie(order []int32, pieces []piece) error {
	type member struct {
		at    int32
		event *storedEvent
	}
	members := make([]member, len(order))
	for i, at := range order {
		e, err := w.event(w.refOf(int(at), pieces))
		if err != nil {
			return err
		}
		members[i] = member{at, e}
	}
	slices.SortStableFunc(members, func(a, b member) int { return compareEvents(a.event, b.event) })
	for i, m := range members {
		order[i] = m.at
	}
	return nil
}

// event reads an event whole.
func (w *streamWorker) event(ref eventRef) (*storedEvent, error) {
	if t := w.stream.table; t != nil {
		return t.rows[ref.row()].event, nil
	}
	stored, err := w.stream.views[ref.view()].reader.Rows([]uint32{uint32(ref.row())})
	if err != nil {
		return nil, err
	}
	rows, err := w.x.appendRows(nil, stored)
	if err != nil {
		return nil, err
	}
	return rows[0].event, nil
}

// refOf returns the ref of the i-th event of the pieces of a user.
func (w *streamWorker) refOf(i int, pieces []piece) eventRef {
	if pieces == nil {
		return w.rows.refs[i]
	}
	for _, p := range pieces {
		if n := int(p.to - p.from); i >= n {
			i -= n
			continue
		}
		return newRef(int(p.view), int(w.chunk.row(p, p.from+uint32(i))))
	}
	return 0
}
