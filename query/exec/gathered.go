package exec

import (
	"context"
	"slices"
	"sync/atomic"

	"cairn/query/syntax"
)

// gathered are the events of a stream whose users are not dense, in columns and in any order.
type gathered struct {
	chunk
	actors []uint32
	refs   []eventRef
	starts []uint32 // by actor, once sorted: his events are order[starts[a]:starts[a+1]]
	order  []int32
}

// sort puts the events of each of n actors together.
func (g *gathered) sort(n int) {
	g.starts = make([]uint32, n+1)
	for _, a := range g.actors {
		g.starts[a+1]++
	}
	for i := range n {
		g.starts[i+1] += g.starts[i]
	}
	at := slices.Clone(g.starts)
	g.order = make([]int32, len(g.actors))
	for i, a := range g.actors {
		g.order[at[a]] = int32(i)
		at[a]++
	}
}

// cuts cuts the n actors, once sorted, into up to so many parts of about as many events: the i-th has the actors
// [cuts[i], cuts[i+1]).
func (g *gathered) cuts(n, parts int) []int {
	list := []int{0}
	for part, actor := 1, 0; actor < n; part++ {
		want := len(g.times) * part / parts
		for actor < n && (int(g.starts[actor]) < want || part >= parts) {
			actor++
		}
		if last := list[len(list)-1]; actor > last {
			list = append(list, actor)
		}
	}
	return list
}

// handOut hands the actors [from, to) to a worker's consumer.
func (g *gathered) handOut(ctx context.Context, w *streamWorker, from, to int) error {
	if g.order == nil {
		g.sort(to)
	}
	r := &w.rows
	for a := from; a < to; a++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		order := g.order[g.starts[a]:g.starts[a+1]]
		if len(order) == 0 {
			continue
		}
		sortByTime(order, g.times)
		r.user = uint32(a)
		r.times, r.class, r.refs = r.times[:0], r.class[:0], r.refs[:0]
		for _, i := range order {
			r.times = append(r.times, g.times[i])
			r.class = append(r.class, g.class[i])
			r.refs = append(r.refs, g.refs[i])
		}
		for k := range r.keys {
			r.keys[k] = r.keys[k][:0]
			for _, i := range order {
				r.keys[k] = append(r.keys[k], g.keys[k][i])
			}
		}
		if err := w.arrange(r, nil); err != nil {
			return err
		}
		if err := w.consumer.user(r); err != nil {
			return err
		}
	}
	return nil
}

// sortByTime sorts the numbers of events by their times.
func sortByTime(order []int32, times []int64) {
	sorted := true
	for i := 1; i < len(order); i++ {
		if times[order[i]] < times[order[i-1]] {
			sorted = false
			break
		}
	}
	if sorted {
		return
	}
	type timed struct {
		at int64
		i  int32
	}
	list := make([]timed, len(order))
	for k, i := range order {
		list[k] = timed{times[i], i}
	}
	slices.SortFunc(list, func(a, b timed) int {
		if a.at != b.at {
			if a.at < b.at {
				return -1
			}
			return 1
		}
		return int(a.i - b.i)
	})
	for k := range list {
		order[k] = list[k].i
	}
}

// runSorted is run where something else than the user is to have a stream each: the events are gathered
// and sorted.
func (s *stream) runSorted(ctx context.Context, by []syntax.Expr, newConsumer func(w *streamWorker) (streamConsumer, error)) ([]*streamWorker, error) {
	x := s.x
	scan, err := x.newScan(ctx, s.rng, s.narrowed())
	if err != nil {
		return nil, err
	}
	s.classes.class(make([]uint64, s.words()))
	numbers := map[*view]int{}
	for i, v := range scan.views {
		numbers[v.view] = i
		s.views = append(s.views, &streamSource{view: v.view})
	}
	made, err := scan.run(ctx, func() (consumer, error) { return s.newGatherer(by, numbers) })
	if err != nil {
		return nil, err
	}
	// Numbers of values are put into those of the first.
	first := made[0].(*gatherer)
	for _, c := range made[1:] {
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		first.join(c.(*gatherer))
	}
	g, n := &first.gathered, len(first.actor.values())
	g.sort(n)
	var workers []*streamWorker
	for range max(1, min(x.Workers, len(g.times)/smallRows+1)) {
		w, err := s.newWorker(ctx)
		if err != nil {
			return nil, err
		}
		for k := range w.ids {
			w.ids[k] = first.ids[k]
		}
		w.actors = first.actor.values()
		if w.consumer, err = newConsumer(w); err != nil {
			return nil, err
		}
		workers = append(workers, w)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cuts := g.cuts(n, len(workers)*streamTasks)
	var next atomic.Int64
	parallel(len(workers), func(worker int) {
		for {
			i := int(next.Add(1))
			if i >= len(cuts) {
				return
			}
			if err := g.handOut(ctx, workers[worker], cuts[i-1], cuts[i]); err != nil {
				cancel(err)
				return
			}
		}
	})
	for _, w := range workers {
		w.close()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return workers, x.Budget.Err()
}

// narrowed is the filter of the events that are in the stream.
func (s *stream) narrowed() *condition {
	if s.whole || len(s.selectors) == 0 || slices.Contains(s.selectors, always) {
		return s.filter
	}
	any := s.selectors[0]
	for _, c := range s.selectors[1:] {
		any = join(conditionOr, any, c)
	}
	if s.filter == nil {
		return any
	}
	return join(conditionAnd, s.filter, any)
}
