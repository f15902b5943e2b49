package exec

import (
	"context"

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
	t, err := x.first(ctx, p, filter)
	if err != nil {
		return nil, err
	}
	for i, s := range p.Rest {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := x.Budget.Err(); err != nil {
			return nil, err
		}
		var next syntax.Stage
		if i+1 < len(p.Rest) {
			next = p.Rest[i+1]
		}
		if t, err = x.stage(ctx, t, s, next); err != nil {
			return nil, err
		}
	}
	return t, x.Budget.Err()
}

func (x *Execution) first(ctx context.Context, p *plan.Pipeline, filter *condition) (*table, error) {
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
	}
	return nil, syntax.Errorf(p.Source.Pos, "the pipeline cannot be run")
}

// stage runs a stage on a table. next is the stage behind it, or nil.
func (x *Execution) stage(ctx context.Context, t *table, stage, next syntax.Stage) (*table, error) {
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
	case *syntax.Events:
		return t.newestFirst(ctx)
	}
	return nil, syntax.Errorf(stage.Position(), "%s cannot be run", stage.Keyword())
}
