package reference

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// gap adds the time since the event before of the same user.
func (r *run) gap(in *rows) *rows {
	gaps := map[*row]event.Value{}
	for _, stream := range in.with(in.list).streams() {
		for i, x := range stream.list[1:] {
			gaps[x] = event.Duration(x.event.Time - stream.list[i].event.Time)
		}
	}
	var list []*row
	for _, old := range in.list {
		x := old.clone()
		x.columns[syntax.ColumnGap] = gaps[old]
		list = append(list, x)
	}
	out := in.with(list)
	out.add(syntax.ColumnGap)
	return out
}
