package reference

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// stickiness counts users by the number of periods of the range in which they have enough matches.
func (r *run) stickiness(in *rows, s *syntax.Stickiness) (*rows, error) {
	matches, err := r.selector(s.Selector)
	if err != nil {
		return nil, err
	}
	bins := r.calendar.Bins(s.Every, in.rng.From)
	starts, err := r.periodStarts(in, s.Pos, s.Every, bins, in.matchTimes(matches))
	if err != nil {
		return nil, err
	}
	members := in.newResult([]string{syntax.ColumnUser, syntax.StickinessColumns[0]})
	users := map[int]int64{} // by the number of periods
	for _, stream := range in.streams() {
		counts := in.periodsOf(stream, bins, matches)
		n := 0
		for _, start := range starts {
			if counts[start] >= s.Min {
				n++
			}
		}
		if n > 0 {
			users[n]++
			members.put(stream.user, event.Int(int64(n)))
		}
	}
	members.sortByAll()
	out := in.newResult(syntax.StickinessColumns[:])
	for n := range starts {
		count := users[n+1]
		for more := n + 2; s.AtLeast && more <= len(starts); more++ {
			count += users[more]
		}
		out.put(event.Int(int64(n+1)), event.Int(count))
	}
	out.members = members
	return out, nil
}
