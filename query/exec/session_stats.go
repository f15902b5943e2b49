package exec

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// streamedRun makes a stats of the sessions, or of the events in them, while they stream by.
type streamedRun struct {
	x    *Execution // with computed columns
	plan *plan.Streamed
	sessionRun
}

// streaming returns an execution for rows with these computed columns. Batches are small then, and segments
// take turns: rows are looked at one by one rather than in sets that indexes name.
func (x *Execution) streaming(made []string) *Execution {
	out := *x
	out.made = &madeNames{}
	out.Knobs.NoIndex = true
	for _, name := range made {
		out.made.number(name)
	}
	return &out
}

// streamedSessions runs session and the stages behind it that are streamed.
func (x *Execution) streamedSessions(ctx context.Context, p *plan.Pipeline, op *plan.Session, filter *condition) (*table, error) {
	s := op.Streamed
	r := &streamedRun{x: x.streaming(s.Made()), plan: s, sessionRun: *x.newSessionRun(&storedFeed{x: x, plan: p, filter: filter}, op.Stage)}
	r.wide.spec.reads = s.Exprs()
	for _, name := range r.x.made.list {
		if _, field, ok := syntax.SessionColumn(name); ok {
			r.wide.spec.reads = append(r.wide.spec.reads, endField(field))
		}
	}
	if s.Unit == plan.UnitSession && s.Then == nil {
		return r.rows(ctx)
	}
	stats := s.Stats
	if s.Then != nil {
		stats = s.Then.Stats
	}
	return r.x.streamedStats(ctx, stats, x.Range, func(ctx context.Context, pass *statsPass) ([]*statsWorker, error) {
		sinks, err := r.sinks(ctx, func(s *sessionStats) error {
			made, err := pass.newWorker()
			s.stats = made.(*statsWorker)
			return err
		})
		var list []*statsWorker
		for _, s := range sinks {
			list = append(list, s.stats)
		}
		return list, err
	})
}

// streamedStats makes the rows of a stats of rows with computed columns; run makes a pass.
func (x *Execution) streamedStats(ctx context.Context, op *plan.Stats, rng event.TimeRange, run func(ctx context.Context, pass *statsPass) ([]*statsWorker, error)) (*table, error) {
	r := &statsRun{x: x, keys: op.Keys, aggs: op.Aggs, time: op.Time, bin: op.Bin, fill: op.Fill, rng: rng}
	r.collect = func(ctx context.Context, aggs []*syntax.Agg, cuts []int64) (*grouped, error) {
		p := &statsPass{x: x, spec: newStatsSpec(aggs), keys: op.Keys, time: op.Time}
		p.conds = make([]*condition, len(p.spec.conds))
		workers, err := run(ctx, p)
		if err != nil {
			return nil, err
		}
		w, err := p.join(ctx, workers)
		if err != nil {
			return nil, err
		}
		return &grouped{
			spec: p.spec, groups: w.table.len(), values: w.table.values, states: w.states,
			fresh: func() ([]aggregate, error) { return x.newStates(p.spec) },
		}, nil
	}
	t, err := r.rows(ctx)
	if err == nil && op.Top > 0 {
		return t.greatest(ctx, op.Top)
	}
	return t, err
}

// sinks makes the passes and returns what the workers have made. prepare is called for every worker.
func (r *streamedRun) sinks(ctx context.Context, prepare func(s *sessionStats) error) ([]*sessionStats, error) {
	made := r.x.made.list
	var list []*sessionStats
	err := r.wide.run(ctx, func(w *streamWorker) (streamConsumer, error) {
		r.x.readRange = r.wide.read
		f := &sessionFeeder{r: &r.sessionRun, w: w}
		f.strict, f.tidy = slices.Contains(made, "dwell"), slices.ContainsFunc(made, tidy)
		s, err := r.newStats(f)
		if err != nil {
			return nil, err
		}
		f.sink = s
		list = append(list, s)
		return f, prepare(s)
	})
	return list, err
}

// sessionStats is a worker of a streamedRun.
type sessionStats struct {
	r       *streamedRun
	feeder  *sessionFeeder
	columns *sessionColumns
	tests   []*rowTest // conditions on sessions
	leaves  *sessionLeaves
	then    []*rowTest // conditions on the rows of sessions
	stats   *statsWorker
	outputs []*input // instead of stats: the columns of the rows of sessions
	rows    []row
	account account
	events  eventBatches
}

func (r *streamedRun) newStats(f *sessionFeeder) (*sessionStats, error) {
	s := &sessionStats{r: r, feeder: f, account: account{budget: r.x.Budget, purpose: "rows"}}
	var err error
	if s.columns, err = r.x.newSessionColumns(f, r.plan); err != nil {
		return nil, err
	}
	s.events = eventBatches{w: f.w, made: s.columns}
	for _, e := range r.plan.Where {
		to := &s.events.tests
		if r.plan.Unit == plan.UnitLast || plan.OfSession(e) {
			to = &s.tests
		}
		if err := r.x.addTest(to, e); err != nil {
			return nil, err
		}
	}
	if r.plan.Then != nil {
		for _, e := range r.plan.Then.Where {
			if err := r.x.addTest(&s.then, e); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range slices.Concat(s.tests, s.then) {
		if err := t.open(nil); err != nil {
			return nil, err
		}
	}
	if r.plan.Unit == plan.UnitSession {
		s.leaves, err = s.newLeaves()
	}
	return s, err
}

func (x *Execution) addTest(to *[]*rowTest, e syntax.Expr) error {
	t, err := x.newRowTest(e)
	*to = append(*to, t)
	return err
}

// take implements sessionSink.
func (s *sessionStats) take(c *chunk) error {
	if len(s.feeder.list) == 0 {
		return nil
	}
	s.columns.turn(c)
	b, err := only(&batch{n: len(s.feeder.list), made: s.columns}, s.tests)
	if err != nil || b.n == 0 {
		return err
	}
	if s.r.plan.Unit == plan.UnitEvent {
		return s.takeEvents(b)
	}
	if s.leaves != nil {
		if b, err = s.leaves.take(b); err != nil {
			return err
		}
	}
	if b, err = only(b, s.then); err != nil || b.n == 0 {
		return err
	}
	if s.stats == nil {
		return s.addRows(b)
	}
	if err := s.stats.open(nil); err != nil {
		return err
	}
	return s.stats.take(b)
}

// takeEvents hands the events of sessions to the stats.
func (s *sessionStats) takeEvents(b *batch) error {
	s.own(b)
	return s.events.each(s.columns.chunk, s.stats.open, s.stats.take)
}

// own makes the sessions of a batch those whose events are looked at.
func (s *sessionStats) own(b *batch) {
	owner := sized(s.events.owner, len(s.columns.chunk.times))
	s.events.owner = owner
	for i := range owner {
		owner[i] = noSession
	}
	for i := range b.n {
		session := uint32(b.session(i))
		for _, sp := range s.feeder.spansOf(&s.feeder.list[session]) {
			fillWith(owner[sp.from:sp.to], session)
		}
	}
}

// sessionLeaves evaluates the aggregates of each session's events.
type sessionLeaves struct {
	s       *sessionStats
	stats   *statsWorker // states are by session; it has no groups
	columns []leafColumn
	counts  []int32 // by session: events that fulfil the conditions
	indices []uint32
	some    subBatch
}

// leafColumn is an aggregate and the column that holds it.
type leafColumn struct {
	agg    *syntax.Agg
	state  int
	column *sessionColumn
}

// newLeaves returns nil where all columns are there without looking at each event.
func (s *sessionStats) newLeaves() (*sessionLeaves, error) {
	p := s.r.plan
	var aggs []*syntax.Agg
	for _, a := range p.Leaves {
		if !p.AtEnd(a) {
			aggs = append(aggs, a)
		}
	}
	if len(aggs) == 0 && len(s.events.tests) == 0 {
		return nil, nil
	}
	pass := &statsPass{x: s.r.x, spec: newStatsSpec(aggs)}
	pass.conds = make([]*condition, len(pass.spec.conds))
	made, err := pass.newWorker()
	if err != nil {
		return nil, err
	}
	l := &sessionLeaves{s: s, stats: made.(*statsWorker)}
	for _, a := range pass.spec.aggs {
		number := s.r.x.made.number(plan.AggColumn(a.agg))
		l.columns = append(l.columns, leafColumn{a.agg, a.state, s.columns.columns[number]})
	}
	return l, nil
}

// take evaluates the aggregates for the sessions of a batch, and returns the batch of those that have
// events left.
func (l *sessionLeaves) take(b *batch) (*batch, error) {
	n := len(l.s.feeder.list)
	for _, state := range l.stats.states {
		state.reset()
		state.resize(n)
	}
	l.counts = sized(l.counts, n)
	clear(l.counts)
	l.s.own(b)
	err := l.s.events.each(l.s.columns.chunk, l.stats.open, func(b *batch) error {
		for _, session := range b.sessions {
			l.counts[session]++
		}
		return l.stats.feed(b, b.sessions)
	})
	if err != nil {
		return nil, err
	}
	l.indices = l.indices[:0]
	for i := range b.n {
		session := b.session(i)
		if l.counts[session] > 0 {
			l.indices = append(l.indices, uint32(i))
		}
	}
	if len(l.indices) < b.n {
		b = l.some.of(b, l.indices)
	}
	for _, c := range l.columns {
		if err := l.fill(c, b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// fill puts an aggregate of the sessions of a batch into its column.
func (l *sessionLeaves) fill(c leafColumn, b *batch) error {
	n := len(l.s.feeder.list)
	if counts, ok := l.stats.states[c.state].(*countAggregate); ok {
		c.column.kind, c.column.ints = event.KindInt, counts.counts[:n]
		return nil
	}
	c.column.values = sized(c.column.values, n)
	for i := range b.n {
		session := b.session(i)
		v, err := l.stats.states[c.state].finish(uint32(session), c.agg)
		if err != nil {
			return err
		}
		c.column.values[session] = v
	}
	return nil
}

// rows makes a row for each session.
func (r *streamedRun) rows(ctx context.Context) (*table, error) {
	op := r.plan.Stats
	sinks, err := r.sinks(ctx, func(s *sessionStats) error {
		for _, n := range slices.Concat(op.Keys, op.Aggs) {
			in, err := r.x.newInput(n.Expr)
			if err != nil {
				return err
			}
			s.outputs = append(s.outputs, in)
			if err := in.open(nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &table{names: columnNames(op.Keys, op.Aggs), rng: r.rng}
	for _, s := range sinks {
		t.rows = append(t.rows, s.rows...)
	}
	keys := len(op.Keys)
	if err := r.x.Budget.Err(); err != nil {
		return nil, err
	}
	return t, sortRows(ctx, t.rows, func(a, b *row) int { return compareRows(a.values[:keys], b.values[:keys]) })
}

// addRows adds the rows of the sessions of a batch.
func (s *sessionStats) addRows(b *batch) error {
	width := len(s.outputs)
	values := make([]event.Value, b.n*width)
	for k, in := range s.outputs {
		column, err := in.each(b)
		if err != nil {
			return err
		}
		for i, v := range column {
			if v.IsAbsent() {
				v = event.Null
			}
			values[i*width+k] = v
		}
	}
	for i := range b.n {
		s.rows = append(s.rows, row{values: values[i*width : (i+1)*width : (i+1)*width]})
	}
	s.account.add(b.n * (32 + 40*width))
	return nil
}
