package exec

import (
	"context"
	"math"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// behaviour runs a behavioural stage, in the view of the stage behind it if that is one. rest are the
// stages after them.
func (x *Execution) behaviour(ctx context.Context, f feed, stage, view syntax.Stage, rest []syntax.Stage) (*table, error) {
	switch s := stage.(type) {
	case *syntax.Funnel:
		return x.funnel(ctx, f, s, view)
	case *syntax.Match:
		return x.matches(ctx, f, s, view, columnsNamed(rest))
	case *syntax.Retention:
		return x.retention(ctx, f, s, view)
	case *syntax.Lifecycle:
		return x.lifecycle(ctx, f, s, view)
	case *syntax.Stickiness:
		return x.stickiness(ctx, f, s, view)
	case *syntax.Paths:
		return x.paths(ctx, f, s, view)
	}
	return nil, syntax.Errorf(stage.Position(), "%s cannot be run", stage.Keyword())
}

// columnsNamed returns the columns of rows that stages name.
func columnsNamed(stages []syntax.Stage) []string {
	var list []string
	for _, s := range stages {
		syntax.Exprs(s, func(e syntax.Expr) {
			syntax.Walk(e, func(e syntax.Expr) bool {
				if c, ok := e.(*syntax.Column); ok && c.Scope == syntax.ScopeRow {
					list = append(list, c.Name)
				}
				return true
			})
		})
	}
	return list
}

// longer returns a range with so many nanoseconds more at its end, which stays open if it is.
func longer(r event.TimeRange, nanos int64) event.TimeRange {
	if r.To > math.MaxInt64-nanos {
		r.To = math.MaxInt64
	} else {
		r.To += nanos
	}
	return r
}

// earlier returns a range that begins so many nanoseconds sooner.
func earlier(r event.TimeRange, nanos int64) event.TimeRange {
	if r.From < math.MinInt64+nanos {
		r.From = math.MinInt64
	} else {
		r.From -= nanos
	}
	return r
}

// names returns the names of columns.
func names(list []syntax.Named) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Name
	}
	return out
}

// groupSet numbers the groups of a worker: combinations of the numbers of its columns' values.
type groupSet struct {
	single  []uint32 // one column: group + 1 by the number of the value
	numbers map[string]uint32
	keys    [][]uint32 // by group
	buffer  []byte
}

// reset forgets all groups.
func (g *groupSet) reset() {
	for _, key := range g.keys {
		if len(key) == 1 {
			g.single[key[0]] = 0
		}
	}
	clear(g.numbers)
	g.keys = g.keys[:0]
}

// group returns the number of the group with these numbers of values; fresh says that it is new.
func (g *groupSet) group(gids []uint32) (group uint32, fresh bool) {
	if len(gids) == 1 {
		for int(gids[0]) >= len(g.single) {
			g.single = append(g.single, make([]uint32, max(64, len(g.single)))...)
		}
		if n := g.single[gids[0]]; n > 0 {
			return n - 1, false
		}
		g.keys = append(g.keys, []uint32{gids[0]})
		g.single[gids[0]] = uint32(len(g.keys))
		return uint32(len(g.keys)) - 1, true
	}
	g.buffer = g.buffer[:0]
	for _, n := range gids {
		g.buffer = append(g.buffer, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	if n, ok := g.numbers[string(g.buffer)]; ok {
		return n, false
	}
	if g.numbers == nil {
		g.numbers = map[string]uint32{}
	}
	n := uint32(len(g.keys))
	g.numbers[string(g.buffer)] = n
	g.keys = append(g.keys, append([]uint32(nil), gids...))
	return n, true
}
