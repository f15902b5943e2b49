package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// streamedGaps runs gap and the stages behind it while the events stream by.
func (x *Execution) streamedGaps(ctx context.Context, p *plan.Pipeline, s *plan.Streamed, filter *condition) (*table, error) {
	made := x.streaming([]string{syntax.ColumnGap})
	return made.streamedStats(ctx, s.Stats, x.Range, func(ctx context.Context, pass *statsPass) ([]*statsWorker, error) {
		feed := &storedFeed{x: x, plan: p, filter: filter}
		spec := &streamSpec{rng: x.Range, whole: true, refs: true, reads: s.Exprs()}
		streams, err := feed.run(ctx, spec, func(w *streamWorker) (streamConsumer, error) { return newGapStats(pass, s, w) })
		if err != nil {
			return nil, err
		}
		var list []*statsWorker
		for _, w := range streams {
			list = append(list, w.consumer.(*gapStats).stats)
		}
		nobody, err := x.ofNobody(ctx, p, s, pass)
		return append(list, nobody), err
	})
}

// ofNobody makes the pass over the events without a user, which have no gap.
func (x *Execution) ofNobody(ctx context.Context, p *plan.Pipeline, s *plan.Streamed, like *statsPass) (*statsWorker, error) {
	user := &syntax.Call{Name: "exists", Args: []syntax.Expr{&syntax.Column{Name: syntax.ColumnUser}}}
	e := plan.And(p.Filter, &syntax.Unary{Op: syntax.OpNot, X: user})
	for _, where := range s.Where {
		e = plan.And(e, where)
	}
	filter, err := x.compile(e)
	if err != nil {
		return nil, err
	}
	pass := &statsPass{x: x, spec: like.spec, keys: like.keys, time: like.time}
	for _, e := range pass.spec.conds {
		c, err := x.compile(e)
		if err != nil {
			return nil, err
		}
		pass.conds = append(pass.conds, c)
	}
	return pass.run(ctx, x.Range, filter)
}

// gapStats is a worker that hands events with the time since the user's event before to a stats.
type gapStats struct {
	w      *streamWorker
	stats  *statsWorker
	events eventBatches
	gap    madeColumn
}

func newGapStats(pass *statsPass, s *plan.Streamed, w *streamWorker) (*gapStats, error) {
	made, err := pass.newWorker()
	if err != nil {
		return nil, err
	}
	g := &gapStats{w: w, stats: made.(*statsWorker), gap: madeColumn{byEvent: true, kind: event.KindDuration}}
	g.events = eventBatches{w: w, made: g}
	for _, e := range s.Where {
		if err := pass.x.addTest(&g.events.tests, e); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// pieces implements pieceConsumer: it takes the users that have no simultaneous events.
func (g *gapStats) pieces(c *chunk, pieces []piece) (bool, error) {
	g.resize(c)
	for i, p := range pieces {
		times, gaps, ok := c.times[p.from:p.to], g.gap.ints[p.from:p.to], g.gap.ok[p.from:p.to]
		before := times[0]
		for k, at := range times {
			gaps[k], ok[k] = at-before, true
			if at <= before && k > 0 {
				return false, nil
			}
			before = at
		}
		if i == 0 {
			ok[0] = false
			continue
		}
		if gaps[0] = times[0] - c.times[pieces[i-1].to-1]; gaps[0] <= 0 {
			return false, nil
		}
	}
	return true, nil
}

// resize makes room for the events of a chunk.
func (g *gapStats) resize(c *chunk) {
	g.gap.ints, g.gap.ok = sized(g.gap.ints, len(c.times)), sized(g.gap.ok, len(c.times))
}

// user implements streamConsumer.
func (g *gapStats) user(r *userRows) error {
	c := &g.w.chunk
	g.resize(c)
	for i, ref := range r.refs {
		place := c.place(ref)
		g.gap.ok[place] = i > 0
		if i > 0 {
			g.gap.ints[place] = r.times[i] - r.times[i-1]
		}
	}
	return nil
}

// endChunk implements chunkConsumer.
func (g *gapStats) endChunk(c *chunk) error {
	g.resize(c)
	return g.events.each(c, g.stats.open, g.stats.take)
}

// column implements madeSource: there is one.
func (g *gapStats) column(int) (*madeColumn, error) { return &g.gap, nil }

// times implements madeSource.
func (g *gapStats) times(dst []int64, b *batch) []int64 {
	return picked(dst, g.w.chunk.times, b.places)
}

// The rest of madeSource is about sessions, which there are none.
func (g *gapStats) users() []uint32             { return nil }
func (g *gapStats) named(*madeColumn) error     { return nil }
func (g *gapStats) sessionName(int) event.Value { return event.Value{} }
func (g *gapStats) chunkNumber() int            { return 0 }
