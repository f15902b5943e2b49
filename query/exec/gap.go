package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// gaps is the stage gap on a table.
func (x *Execution) gaps(ctx context.Context, t *table) (*table, error) {
	g := &gapWorker{gaps: make([]event.Value, len(t.rows))}
	spec := &streamSpec{rng: event.AllTime, whole: true, refs: true}
	feed := &tableFeed{x: x, t: t}
	if _, err := feed.run(ctx, spec, func(*streamWorker) (streamConsumer, error) { return g, nil }); err != nil {
		return nil, err
	}
	x.Budget.Add("rows", 40*len(t.rows))
	out := t.with(append([]row(nil), t.rows...))
	out.set(syntax.ColumnGap, g.gaps)
	return out, x.Budget.Err()
}

// gapWorker notes the time since the user's event before for every row of a table that has one.
type gapWorker struct{ gaps []event.Value }

// user implements streamConsumer.
func (g *gapWorker) user(r *userRows) error {
	for i := 1; i < r.len(); i++ {
		g.gaps[r.refs[i].row()] = event.Duration(r.times[i] - r.times[i-1])
	}
	return nil
}
