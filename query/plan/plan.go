// Package plan turns a parsed pipeline into what is to be read and done: a resolved time range, one
// condition over stored events, the first stage that needs more than one event at a time, and the
// stages after it, which see its rows.
//
// The stages before the first such stage disappear: a where becomes part of the condition, and a
// column made by extend, project or rename is replaced by its expression wherever it is named (see
// Row). So whatever the text looks like, the executor filters stored columns once and reads only
// those that are named.
package plan

import (
	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// Pipeline is a planned pipeline.
type Pipeline struct {
	Source *syntax.Pipeline
	Range  event.TimeRange
	Filter syntax.Expr // resolved; nil lets every event through
	Row    *Row        // what names mean at First
	First  Operator
	Rest   []syntax.Stage // on the rows of First
	// Explain says that the plan is to be described and not run.
	Explain bool
}

// Operator is the first breaking stage of a pipeline: *Stats, *Events, *Users, *Facets, *Session, *Gap
// or *Behaviour.
type Operator interface{ operator() }

// Stats groups and aggregates. Expressions are resolved.
type Stats struct {
	Keys []syntax.Named
	Aggs []syntax.Named
	Time int         // which key bins the column time, or -1
	Bin  *syntax.Bin // that key as written
	// Fill says that missing buckets of the range get rows.
	Fill bool
	// Top, if not 0, keeps the rows with the greatest aggregate. Windows of a top see no rows before
	// the range.
	Top int
}

// Events hands rows on as they are, newest first.
type Events struct {
	// Limit is how many rows, from the first, the stages after it look at; -1: all.
	Limit int64
	// Wide says that events outside of the range are wanted too.
	Wide bool
}

// Users is the set of users.
type Users struct{}

// Facets counts the values of every field.
type Facets struct{ N int }

// Session cuts the events of users, also some outside of the range, into sessions.
type Session struct {
	Stage *syntax.Session
	// Streamed, if not nil, is another way to run the stages behind.
	Streamed *Streamed
}

// Gap adds to events the time since the user's event before.
type Gap struct{ Streamed *Streamed }

// Behaviour is a behavioural stage: it sees the events of each user in the order of time, also some
// outside of the range. Names in it are as written.
type Behaviour struct {
	Stage syntax.Stage
	// View is the stage right behind, if it shows the same run in another way; else nil.
	View syntax.Stage
}

func (*Stats) operator()     {}
func (*Events) operator()    {}
func (*Users) operator()     {}
func (*Facets) operator()    {}
func (*Session) operator()   {}
func (*Gap) operator()       {}
func (*Behaviour) operator() {}

// IsBehaviour reports whether a stage looks at the events of each user in the order of time.
func IsBehaviour(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.Funnel, *syntax.Match, *syntax.Retention, *syntax.Lifecycle, *syntax.Stickiness, *syntax.Paths:
		return true
	}
	return false
}

// IsView reports whether a stage shows the run of the one before it, stage, in another way.
func IsView(stage, next syntax.Stage) bool {
	switch next.(type) {
	case *syntax.Trend, *syntax.Times, *syntax.Converted, *syntax.Dropped, *syntax.Pending:
		return true
	case *syntax.Users:
		return IsBehaviour(stage)
	}
	return false
}

// behaviour makes the operator of a behavioural stage with the view behind it.
func behaviour(stages []syntax.Stage) (*Behaviour, []syntax.Stage) {
	op := &Behaviour{Stage: stages[0]}
	stages = stages[1:]
	if len(stages) > 0 && IsView(op.Stage, stages[0]) {
		op.View, stages = stages[0], stages[1:]
	}
	return op, stages
}

// Build plans a pipeline.
// fallback is the time range of a pipeline that has none.
func Build(p *syntax.Pipeline, calendar *scalar.Calendar, now int64, fallback event.TimeRange) (*Pipeline, error) {
	out := &Pipeline{Source: p, Row: &Row{}, Filter: Selector(p.Selector), Range: fallback}
	if p.Range != nil {
		var err error
		if out.Range, err = scalar.Resolve(p.Range, calendar, now); err != nil {
			return nil, err
		}
	}
	stages := p.Stages
	for i, s := range stages {
		if _, ok := s.(*syntax.Explain); ok {
			out.Explain = true
			stages = stages[:i]
			break
		}
	}
	for len(stages) > 0 && !out.Row.MakesUser() && out.pass(stages[0]) {
		stages = stages[1:]
	}
	out.First, out.Rest = out.first(stages)
	return out, nil
}

// pass takes a stage into the condition or the row, and reports whether it could.
func (p *Pipeline) pass(s syntax.Stage) bool {
	if s, ok := s.(*syntax.Where); ok {
		p.Filter = And(p.Filter, p.Row.Resolve(s.Cond))
		return true
	}
	return p.Row.pass(s)
}

func (p *Pipeline) first(stages []syntax.Stage) (Operator, []syntax.Stage) {
	if len(stages) == 0 {
		return &Events{Limit: -1}, nil
	}
	if p.Row.MakesUser() { // users are asked of the rows then, not of the store
		return &Events{Limit: needed(stages), Wide: wide(stages)}, stages
	}
	if IsBehaviour(stages[0]) {
		return behaviour(stages)
	}
	switch s := stages[0].(type) {
	case *syntax.Session:
		row := p.Row.clone()
		row.session()
		return &Session{s, streamed(row, stages[1:])}, stages[1:]
	case *syntax.Gap:
		row := p.Row.clone()
		row.set(syntax.ColumnGap, madeColumn(syntax.ColumnGap))
		return &Gap{streamed(row, stages[1:])}, stages[1:]
	case *syntax.Stats:
		return p.Row.stats(stages), stages[1:]
	case *syntax.Top:
		return p.Row.stats(stages), stages[1:]
	case *syntax.Users:
		return &Users{}, stages[1:]
	case *syntax.Facets:
		return &Facets{N: s.N}, stages[1:]
	case *syntax.Events:
		return &Events{Limit: needed(stages[1:])}, stages[1:]
	}
	return &Events{Limit: needed(stages)}, stages
}

func (r *Row) resolve(list []syntax.Named) []syntax.Named {
	out := make([]syntax.Named, len(list))
	for i, n := range list {
		out[i] = syntax.Named{Pos: n.Pos, Name: n.Name, Expr: r.Resolve(n.Expr)}
	}
	return out
}

// stats plans the stats or top that stages begin with; nil if it is none.
func (r *Row) stats(stages []syntax.Stage) *Stats {
	if len(stages) == 0 {
		return nil
	}
	var keys, aggs []syntax.Named
	op := &Stats{}
	switch s := stages[0].(type) {
	case *syntax.Stats:
		keys, aggs = s.Keys, s.Aggs
		op.Fill = syntax.TimeKey(keys) >= 0 && !filled(stages[1:]) && timeKeys(keys) == 1
	case *syntax.Top:
		keys, aggs = s.Keys, []syntax.Named{s.By}
		op.Top = s.N
	default:
		return nil
	}
	op.Keys, op.Aggs, op.Time = r.resolve(keys), r.resolve(aggs), syntax.TimeKey(keys)
	if op.Time >= 0 {
		op.Bin = keys[op.Time].Expr.(*syntax.Bin)
	}
	return op
}

// timeKeys counts the keys that bin time.
func timeKeys(keys []syntax.Named) int {
	n := 0
	for i := range keys {
		if syntax.TimeKey(keys[i:i+1]) >= 0 {
			n++
		}
	}
	return n
}

// Exprs calls yield for every expression that the pipeline evaluates.
func (p *Pipeline) Exprs(yield func(syntax.Expr)) {
	if p.Filter != nil {
		yield(p.Filter)
	}
	for _, n := range p.Row.Made() {
		yield(n.Expr)
	}
	if s, ok := p.First.(*Stats); ok {
		for _, list := range [][]syntax.Named{s.Keys, s.Aggs} {
			for _, n := range list {
				yield(n.Expr)
			}
		}
	}
	if op, ok := p.First.(*Behaviour); ok {
		syntax.Exprs(op.Stage, func(e syntax.Expr) { yield(p.Row.Resolve(e)) })
	}
	for _, s := range p.Rest {
		syntax.Exprs(s, yield)
	}
}

// filled reports whether the next stage says itself what becomes of missing buckets.
func filled(rest []syntax.Stage) bool {
	if len(rest) == 0 {
		return false
	}
	_, ok := rest[0].(*syntax.Fill)
	return ok
}

// IsRowwise reports whether a stage looks at each row alone, so that events around the range pass it too.
func IsRowwise(s syntax.Stage) bool {
	switch s.(type) {
	case *syntax.Where, *syntax.Extend, *syntax.Project, *syntax.Rename, *syntax.Drop:
		return true
	}
	return false
}

// SeesAround reports whether a stage looks at events around the range.
func SeesAround(s syntax.Stage) bool {
	_, session := s.(*syntax.Session)
	return session || IsBehaviour(s)
}

// wide reports whether a stage that looks at events around the range follows, behind none but such that
// look at each row alone.
func wide(stages []syntax.Stage) bool {
	for len(stages) > 0 && IsRowwise(stages[0]) {
		stages = stages[1:]
	}
	return len(stages) > 0 && SeesAround(stages[0])
}

// needed returns how many rows from the first the stages look at, -1 for all. A limit lets the rows
// after it be left unread as long as nothing before it changes their number or order.
func needed(stages []syntax.Stage) int64 {
	skip := int64(0)
	for _, s := range stages {
		switch s := s.(type) {
		case *syntax.Offset:
			skip += s.N
		case *syntax.Limit:
			if s.By != nil || s.N < 0 || skip+s.N < 0 {
				return -1
			}
			return skip + s.N
		case *syntax.Extend, *syntax.Events:
		default:
			return -1
		}
	}
	return -1
}
