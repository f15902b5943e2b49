package reference

import (
	"math"
	"slices"
	"time"

	"cairn/engine/event"
	"cairn/query/result"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// Env is what a query depends on beside its text and the events. The zero value works.
type Env struct {
	Now      time.Time
	Location *time.Location  // the tenant's zone; nil is UTC
	Week     time.Weekday    // the first day of the tenant's week; time.Sunday is the zero value
	Range    event.TimeRange // for a query without one; zero is all of time
}

// Store holds events ready for queries.
type Store struct {
	rows []*row // newest first
	// profiles holds the properties of every user by name.
	profiles map[string]map[string]event.Value
	linked   *linked         // nil: nothing is linked
	known    map[string]bool // fields
	events   map[string]bool // names
}

// Load makes a Store of all stored events, in any order. They are not copied.
func Load(events []event.Event) *Store {
	s := &Store{rows: rowsOf(events), known: map[string]bool{}, events: map[string]bool{}}
	for i := range events {
		s.events[events[i].Name] = true
		for _, f := range events[i].Fields {
			s.known[f.Name] = true
		}
	}
	s.profiles = profiles(s.rows)
	return s
}

// rowsOf returns the rows of events, newest first.
func rowsOf(events []event.Event) []*row {
	var list []*row
	for i := range events {
		list = append(list, newRow(&events[i]))
	}
	slices.SortFunc(list, func(a, b *row) int { return compareEvents(a.event, b.event) })
	return list
}

// Run evaluates a checked query over all stored events, in any order. An error is a *syntax.Error.
func Run(q *syntax.Query, events []event.Event, env Env) (*result.Table, error) {
	return Load(events).Run(q, env)
}

// Run evaluates a checked query. An error is a *syntax.Error.
func (s *Store) Run(q *syntax.Query, env Env) (*result.Table, error) {
	location, week := env.Location, env.Week
	if q.Settings.Location != nil {
		location = q.Settings.Location
	}
	if q.Settings.Week != nil {
		week = *q.Settings.Week
	}
	r := &run{
		calendar: scalar.NewCalendar(location, week),
		now:      env.Now.UnixNano(),
		actor:    q.Settings.Actor,
		sets:     map[string]map[event.Value]bool{},
		profiles: s.profiles,
	}
	if r.actor == nil {
		r.actor = &syntax.Column{Name: syntax.ColumnUser}
	}
	stored := s.rows
	if s.linked != nil && q.Settings.Identity != syntax.IdentityRaw {
		stored = s.linked.rows
		r.profiles, r.persons = s.linked.profiles, s.linked.canonical
		if q.Settings.Actor == nil {
			r.canonical = s.linked.canonical
		}
	}
	for _, stored := range stored {
		row := *stored
		if v := row.column(r.actor); v.Exists() {
			row.user = v.Canonical()
			row.own = row.user
		}
		r.all = append(r.all, &row)
	}
	for _, let := range q.Lets {
		got, err := r.pipeline(let.Body, event.TimeRange{})
		if err != nil {
			return nil, err
		}
		r.sets[let.Name] = map[event.Value]bool{}
		for _, row := range got.list {
			if u := r.person(row); u.Exists() {
				r.sets[let.Name][u] = true
			}
		}
	}
	got, err := r.pipeline(&q.Pipeline, env.Range)
	if err != nil {
		return nil, err
	}
	t := got.table()
	t.Meta = result.Meta{Location: r.calendar.Location(), Exact: true, Warnings: s.warnings(q)}
	return t, nil
}

// run is one evaluation.
type run struct {
	calendar *scalar.Calendar
	now      int64
	actor    *syntax.Column
	all      []*row                          // every stored event, newest first
	sets     map[string]map[event.Value]bool // the users of each let
	rng      event.TimeRange                 // of the pipeline at work
	profiles map[string]map[string]event.Value
	// canonical returns the user whom an id stands for; nil: everyone is himself. persons is the same for
	// profiles, which are of users also where another field is the actor.
	canonical, persons map[string]string
}

// userOf returns who did the row, canonical, or absent.
func userOf(r *row) event.Value {
	if r.event != nil {
		return r.user
	}
	if v := r.columns[syntax.ColumnUser]; v.Exists() {
		return v.Canonical()
	}
	return event.Value{}
}

func (r *run) pipeline(p *syntax.Pipeline, fallback event.TimeRange) (*rows, error) {
	var err error
	if r.rng, err = scalar.Resolve(p.Range, r.calendar, r.now); err != nil {
		return nil, err
	}
	if p.Range == nil && fallback != (event.TimeRange{}) {
		r.rng = fallback
	}
	matches, err := r.selector(p.Selector)
	if err != nil {
		return nil, err
	}
	flow := &rows{events: true, open: true, hidden: map[string]bool{}, rng: r.rng, window: []*row{}, after: []*row{}}
	for _, row := range r.all {
		switch at := row.event.Time; {
		case !matches(row):
		case at >= r.rng.To && r.rng.To != math.MaxInt64:
			flow.after = append(flow.after, row)
		case at >= r.rng.From:
			flow.list = append(flow.list, row)
		default:
			flow.window = append(flow.window, row)
		}
	}
	for i, stage := range p.Stages {
		var next syntax.Stage
		if i+1 < len(p.Stages) {
			next = p.Stages[i+1]
		}
		if flow, err = r.stage(flow, stage, next); err != nil {
			return nil, err
		}
	}
	return flow, nil
}

// stage applies one stage. next is the stage behind it, or nil.
func (r *run) stage(in *rows, stage, next syntax.Stage) (*rows, error) {
	switch s := stage.(type) {
	case *syntax.Where:
		return r.where(in, s)
	case *syntax.Extend:
		return r.extend(in, s)
	case *syntax.Project:
		return r.project(in, s)
	case *syntax.Rename:
		return in.rename(s), nil
	case *syntax.Drop:
		return in.drop(s), nil
	case *syntax.Stats:
		return r.stats(in, s, next)
	case *syntax.Top:
		return r.top(in, s)
	case *syntax.Facets:
		return in.facets(s), nil
	case *syntax.Sort:
		return r.sort(in, s)
	case *syntax.Limit:
		return r.limit(in, s)
	case *syntax.Offset:
		return in.offset(s), nil
	case *syntax.Running:
		return r.running(in, s)
	case *syntax.Fill:
		return in.fill(s)
	case *syntax.Users:
		return r.users(in), nil
	case *syntax.Funnel:
		return r.funnel(in, s)
	case *syntax.Trend, *syntax.Times, *syntax.Converted, *syntax.Dropped, *syntax.Pending:
		return r.funnelView(in, s)
	case *syntax.Match:
		return r.match(in, s)
	case *syntax.Session:
		return r.session(in, s), nil
	case *syntax.Gap:
		return r.gap(in), nil
	case *syntax.Retention:
		return r.retention(in, s)
	case *syntax.Lifecycle:
		return r.lifecycle(in, s)
	case *syntax.Stickiness:
		return r.stickiness(in, s)
	case *syntax.Paths:
		return r.paths(in, s)
	case *syntax.Events:
		return in.newestFirst(), nil
	}
	return nil, syntax.Errorf(stage.Position(), "the reference cannot run %s", stage.Keyword())
}

// selector compiles a selector into a test of an event's row.
func (r *run) selector(s *syntax.Selector) (func(*row) bool, error) {
	var terms []func(*row) bool
	for _, term := range s.Terms {
		passes := func(*row) bool { return true }
		if term.Cond != nil {
			var err error
			if passes, err = r.test(term.Cond); err != nil {
				return nil, err
			}
		}
		terms = append(terms, func(x *row) bool {
			return (term.Any || x.event.Name == term.Name) && passes(x)
		})
	}
	return func(x *row) bool {
		return slices.ContainsFunc(terms, func(term func(*row) bool) bool { return term(x) })
	}, nil
}

// bound is a row as an expression sees it: the leaves of the expression by slot.
type bound struct {
	row    *row
	leaves []func(*row) event.Value
}

func (b bound) Value(slot int) event.Value { return b.leaves[slot](b.row) }

// test compiles a condition, value an expression.
func (r *run) test(e syntax.Expr) (func(*row) bool, error) {
	var leaves []func(*row) event.Value
	t, err := scalar.CompileTest(e, r.env(&leaves))
	return func(x *row) bool { return t(bound{x, leaves}) }, err
}

func (r *run) value(e syntax.Expr) (func(*row) event.Value, error) {
	var leaves []func(*row) event.Value
	f, err := scalar.Compile(e, r.env(&leaves))
	return func(x *row) event.Value { return f(bound{x, leaves}) }, err
}

func (r *run) values(list []syntax.Expr) ([]func(*row) event.Value, error) {
	var fs []func(*row) event.Value
	for _, e := range list {
		f, err := r.value(e)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

func (r *run) env(leaves *[]func(*row) event.Value) *scalar.Env {
	return &scalar.Env{Calendar: r.calendar, Range: r.rng, Bind: func(e syntax.Expr) (int, error) {
		f, err := r.leaf(e)
		*leaves = append(*leaves, f)
		return len(*leaves) - 1, err
	}}
}

func (r *run) leaf(e syntax.Expr) (func(*row) event.Value, error) {
	switch e := e.(type) {
	case *syntax.Column:
		if e.Scope == syntax.ScopeProfile {
			return func(x *row) event.Value { return r.profile(x)[e.Name] }, nil
		}
		return func(x *row) event.Value { return x.column(e) }, nil
	case *syntax.UserIn:
		return func(x *row) event.Value { return event.Bool(r.sets[e.Name][r.person(x)]) }, nil
	case *syntax.Did:
		return r.did(e)
	case *syntax.FirstTime:
		return r.firstTime(e)
	}
	return nil, syntax.Errorf(e.Position(), "an aggregate stands outside of stats")
}

func (r *run) did(e *syntax.Did) (func(*row) event.Value, error) {
	matches, err := r.selector(e.Selector)
	if err != nil {
		return nil, err
	}
	span := r.rng
	if e.Last > 0 {
		if span.To == math.MaxInt64 {
			span.To = r.now
		}
		span.From = math.MinInt64
		if span.To >= math.MinInt64+e.Last {
			span.From = span.To - e.Last
		}
	}
	counts := map[event.Value]int64{}
	for _, row := range r.all {
		if span.Contains(row.event.Time) && matches(row) {
			counts[userOf(row)]++
		}
	}
	delete(counts, event.Value{})
	return func(x *row) event.Value { return event.Int(counts[r.person(x)]) }, nil
}

func (r *run) firstTime(e *syntax.FirstTime) (func(*row) event.Value, error) {
	matches, err := r.selector(e.Selector)
	if err != nil {
		return nil, err
	}
	first := map[event.Value]event.Value{}
	for _, row := range r.all { // newest first
		if matches(row) {
			first[userOf(row)] = event.Time(row.event.Time)
		}
	}
	delete(first, event.Value{})
	return func(x *row) event.Value { return first[r.person(x)] }, nil
}

// table is the answer.
func (in *rows) table() *result.Table {
	t := &result.Table{}
	names := in.names
	if in.open {
		names = slices.Concat(in.eventColumns(), in.names)
	}
	for _, name := range names {
		t.Columns = append(t.Columns, result.Column{Name: name})
	}
	for _, r := range in.list {
		values := make([]event.Value, len(names))
		for i, name := range names {
			values[i] = r.columns[name]
			if values[i].IsAbsent() && !in.open {
				values[i] = event.Null
			}
		}
		t.Rows = append(t.Rows, values)
	}
	t.Infer()
	return t
}

// eventColumns returns the columns of events that stages have left alone: those of every event, and
// the fields that a row has.
func (in *rows) eventColumns() []string {
	mine := func(name string) bool { return !in.hidden[name] && !slices.Contains(in.names, name) }
	fields := map[string]bool{}
	for _, r := range in.list {
		for name, v := range r.columns {
			if mine(name) && !v.IsAbsent() && !slices.Contains(syntax.EventColumns[:], name) {
				fields[name] = true
			}
		}
	}
	var names []string
	for _, name := range syntax.EventColumns {
		if mine(name) {
			names = append(names, name)
		}
	}
	return slices.Concat(names, sortedKeys(fields))
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
