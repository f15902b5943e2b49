package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/result"
	"cairn/query/syntax"
)

// Run runs a plan and returns its answer; the meta of the table is the caller's to fill in.
func (x *Execution) Run(ctx context.Context, p *plan.Pipeline) (*result.Table, error) {
	t, err := x.run(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := x.Read.err(); err != nil {
		return nil, err
	}
	return t.result(ctx)
}

// RunSet runs a plan and returns the users of its rows.
func (x *Execution) RunSet(ctx context.Context, p *plan.Pipeline) (*UserSet, error) {
	_, isEvents := p.First.(*plan.Events)
	_, isUsers := p.First.(*plan.Users)
	if len(p.Rest) > 0 || !isEvents && !isUsers || p.Row.MakesUser() {
		t, err := x.run(ctx, p)
		if err != nil {
			return nil, err
		}
		return x.setOf(t)
	}
	filter, err := x.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	return x.userSet(ctx, filter)
}

// begin learns what the pipeline needs to know of users, and compiles its filter.
func (x *Execution) begin(ctx context.Context, p *plan.Pipeline) (*condition, error) {
	x.prepare()
	x.columns = x.columnsOf(p)
	var list []syntax.Expr
	p.Exprs(func(e syntax.Expr) { list = append(list, e) })
	if err := x.learn(ctx, list...); err != nil {
		return nil, err
	}
	return x.compile(p.Filter)
}

func (x *Execution) run(ctx context.Context, p *plan.Pipeline) (*table, error) {
	filter, err := x.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	t, done, err := x.first(ctx, p, filter)
	if err != nil {
		return nil, err
	}
	for i := done; i < len(p.Rest); i++ {
		s := p.Rest[i]
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		before := lastOf(p.First)
		if i > 0 {
			before = p.Rest[i-1]
		}
		if i > 0 && plan.IsView(before, s) {
			continue // the stage before has shown its run so
		}
		if _, ok := s.(*syntax.Users); ok && listsUsers(before) {
			t = t.earliestByUser()
			continue
		}
		if t, err = x.stage(ctx, t, s, p.Rest[i+1:]); err != nil {
			return nil, err
		}
	}
	return t.narrow(), x.Budget.Err()
}

// first runs the first operator, and perhaps as many of the stages behind it as done says.
func (x *Execution) first(ctx context.Context, p *plan.Pipeline, filter *condition) (t *table, done int, err error) {
	if s := x.streamed(p.First); s != nil {
		if op, ok := p.First.(*plan.Session); ok {
			t, err = x.streamedSessions(ctx, p, op, filter)
		} else {
			t, err = x.streamedGaps(ctx, p, s, filter)
		}
		return t, s.Stages, err
	}
	t, err = x.operator(ctx, p, filter)
	return t, 0, err
}

// streamed returns how stages behind an operator are to be run while events stream by, nil if they are not.
func (x *Execution) streamed(op plan.Operator) *plan.Streamed {
	if x.Knobs.NoShortcut || !x.byID() {
		return nil
	}
	switch op := op.(type) {
	case *plan.Session:
		return op.Streamed
	case *plan.Gap:
		return op.Streamed
	}
	return nil
}

func (x *Execution) operator(ctx context.Context, p *plan.Pipeline, filter *condition) (*table, error) {
	switch op := p.First.(type) {
	case *plan.Stats:
		run := &statsRun{
			x: x, keys: op.Keys, aggs: op.Aggs, time: op.Time, bin: op.Bin, fill: op.Fill,
			events: true, before: op.Top == 0, rng: x.Range, collect: x.eventCollector(filter, op.Keys, op.Time),
		}
		t, err := run.rows(ctx)
		if err == nil && op.Top > 0 {
			return t.greatest(ctx, op.Top)
		}
		return t, err
	case *plan.Users:
		set, err := x.userSet(ctx, filter)
		if err != nil {
			return nil, err
		}
		return x.usersTable(set)
	case *plan.Facets:
		return x.facetsOf(ctx, p, op, filter)
	case *plan.Events:
		return x.events(ctx, p, op, filter)
	case *plan.Gap:
		t, err := x.events(ctx, p, &plan.Events{Limit: -1}, filter)
		if err != nil {
			return nil, err
		}
		return x.gaps(ctx, t)
	case *plan.Session:
		return x.storedSessions(ctx, p, op.Stage, filter, columnsNamed(p.Rest))
	case *plan.Behaviour:
		return x.behaviour(ctx, &storedFeed{x: x, plan: p, filter: filter}, op.Stage, op.View, p.Rest)
	}
	return nil, syntax.Errorf(p.Source.Pos, "the pipeline cannot be run")
}

// lastOf returns the stage that an operator ends with, nil if that does not matter.
func lastOf(op plan.Operator) syntax.Stage {
	b, ok := op.(*plan.Behaviour)
	switch {
	case !ok:
		return nil
	case b.View != nil:
		return b.View
	}
	return b.Stage
}

// listsUsers reports whether the rows of a stage are users with the time of a step.
func listsUsers(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.Converted, *syntax.Dropped, *syntax.Pending:
		return true
	}
	return false
}

// earliestByUser keeps of each user the row with the earliest time, and of the columns user and time.
func (t *table) earliestByUser() *table {
	user, at := t.index(syntax.ColumnUser), t.index(syntax.ColumnTime)
	out := &table{names: []string{syntax.ColumnUser, syntax.ColumnTime}, rng: t.rng}
	rows := map[event.Value]int{}
	for _, r := range t.rows {
		n, ok := rows[r.values[user]]
		switch {
		case !ok:
			rows[r.values[user]] = len(out.rows)
			out.rows = append(out.rows, row{values: []event.Value{r.values[user], r.values[at]}})
		case r.values[at].AsInt() < out.rows[n].values[1].AsInt():
			out.rows[n].values[1] = r.values[at]
		}
	}
	out.sortByValues()
	return out
}

// stage runs a stage on a table. rest are the stages behind it.
func (x *Execution) stage(ctx context.Context, t *table, stage syntax.Stage, rest []syntax.Stage) (*table, error) {
	var next syntax.Stage
	if len(rest) > 0 {
		next = rest[0]
	}
	if !plan.IsRowwise(stage) && !plan.SeesAround(stage) {
		t = t.narrow()
	}
	if plan.IsBehaviour(stage) {
		if next != nil && !plan.IsView(stage, next) {
			next = nil
		}
		return x.behaviour(ctx, &tableFeed{x: x, t: t}, stage, next, rest)
	}
	switch s := stage.(type) {
	case *syntax.Where:
		return x.where(t, s)
	case *syntax.Extend:
		return x.extend(t, s)
	case *syntax.Project:
		return x.project(t, s)
	case *syntax.Rename:
		return t.rename(s), nil
	case *syntax.Drop:
		return t.drop(s), nil
	case *syntax.Stats:
		_, filled := next.(*syntax.Fill)
		return x.stats(ctx, t, s, filled)
	case *syntax.Top:
		return x.top(ctx, t, s)
	case *syntax.Facets:
		return x.facets(t, s.N), nil
	case *syntax.Sort:
		return x.sort(ctx, t, s)
	case *syntax.Limit:
		return x.limit(t, s)
	case *syntax.Offset:
		return t.offset(s), nil
	case *syntax.Running:
		return x.running(t, s)
	case *syntax.Fill:
		return x.fillStage(t, s)
	case *syntax.Users:
		return x.users(t), nil
	case *syntax.Session:
		return x.sessions(ctx, t, s, columnsNamed(rest))
	case *syntax.Gap:
		return x.gaps(ctx, t)
	case *syntax.Events:
		return t.newestFirst(ctx)
	}
	return nil, syntax.Errorf(stage.Position(), "%s cannot be run", stage.Keyword())
}
