// Package query answers questions in Cairn's language: here is a text, what are the rows?
//
//	snapshot := tenant.Snapshot()
//	defer snapshot.Close()
//	table, err := query.Run(ctx, snapshot, "pay_success last 30d | stats count() by bin(1d)", query.Options{})
//
// Errors of the text are *syntax.Error, with the place and what was expected there. A query that needs
// more memory than it may have ends with ErrMemory, one that takes longer with ErrTimeout.
package query

import (
	"context"
	"maps"
	"slices"
	"time"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/exec"
	"cairn/query/plan"
	"cairn/query/result"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// Source is one snapshot of one tenant's events; *engine.Snapshot is one. It is safe for concurrent
// use, and gives the same answers for as long as it is used. Its users are canonical; one that knows of
// identity links also has the methods
//
//	Canonical(id string) (string, error) // the user whom an id stands for
//	Raw() S                              // the same events, users as they were sent; S is a Source
//
// where S is *engine.Snapshot or what Memory makes.
type Source interface {
	exec.Source
	// Location and WeekStart are the tenant's, for queries that set no others.
	Location() *time.Location
	WeekStart() time.Weekday
	// ID names the snapshot.
	ID() string
	// CompleteUntil is an instant up to which all events have arrived (Unix nanoseconds), or 0.
	CompleteUntil() int64
}

// Run answers a query.
func Run(ctx context.Context, src Source, text string, opt Options) (*result.Table, error) {
	r, err := newRun(src, text, opt)
	if err != nil {
		return nil, err
	}
	ctx, cancel := r.deadline(ctx)
	defer cancel()
	t, err := r.answer(ctx)
	if err != nil {
		return nil, r.cause(ctx, err)
	}
	return t, nil
}

// run is one query under way.
type run struct {
	src      Source
	raw      Source // its events as they were sent; src itself where the query wants that
	opt      Options
	query    *syntax.Query
	calendar *scalar.Calendar
	begin    time.Time
	now      int64
	budget   *exec.Budget
	read     *exec.Reading
	sets     map[string]*exec.UserSet
	streams  bool // rows are written as they come
	limit    int  // of the rows of the answer; 0: none
}

func newRun(src Source, text string, opt Options) (*run, error) {
	r := &run{src: src, begin: time.Now(), read: &exec.Reading{}, sets: map[string]*exec.UserSet{}}
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	opt.EnsureDefaults()
	r.opt = opt
	var err error
	if r.query, err = syntax.Parse(text); err != nil {
		return nil, err
	}
	set := &r.query.Settings
	if err := r.identity(); err != nil {
		return nil, err
	}
	location, week := src.Location(), src.WeekStart()
	if opt.Location != nil {
		location = opt.Location
	}
	if opt.WeekStart != nil {
		week = *opt.WeekStart
	}
	if set.Location != nil {
		location = set.Location
	}
	if set.Week != nil {
		week = *set.Week
	}
	r.calendar = scalar.NewCalendar(location, week)
	r.now = opt.Now.UnixNano()
	r.budget = exec.NewBudget(opt.MemoryBytes)
	return r, nil
}

// identity takes users as the query wants them.
func (r *run) identity() error {
	r.raw = rawOf(r.src)
	if r.query.Settings.Identity == syntax.IdentityRaw {
		r.src = r.raw
		return nil
	}
	if src, ok := r.src.(interface {
		Canonical(id string) (string, error)
	}); ok {
		return syntax.MapUsers(r.query, src.Canonical)
	}
	return nil
}

// rawOf returns a source with users as they were sent.
func rawOf(src Source) Source {
	switch src := src.(type) {
	case interface{ Raw() *engine.Snapshot }:
		return src.Raw()
	case interface{ Raw() *memory }:
		return src.Raw()
	}
	return src
}

// deadline applies the timeout.
func (r *run) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.opt.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.opt.Timeout, &TimeoutError{Limit: r.opt.Timeout})
}

// cause tells a timeout of ours from other ends.
func (r *run) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == ctx.Err() || err == context.Cause(ctx)) {
		return context.Cause(ctx)
	}
	return err
}

// plan plans a pipeline of the query; outside is the range given beside the text.
func (r *run) plan(p *syntax.Pipeline, outside event.TimeRange) (*plan.Pipeline, error) {
	return plan.Build(p, r.calendar, r.now, outside)
}

func (r *run) execution(p *plan.Pipeline) *exec.Execution {
	x := &exec.Execution{
		Source: r.src, Calendar: r.calendar, Range: p.Range, Now: r.now, Workers: r.opt.Workers,
		Knobs: r.opt.Knobs, Budget: r.budget, Sets: r.sets, Read: r.read,
	}
	x.SetActor(r.query.Settings.Actor)
	return x
}

func (r *run) answer(ctx context.Context) (*result.Table, error) {
	main, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	return r.table(ctx, main)
}

// prepare plans the query and works out its named results.
func (r *run) prepare(ctx context.Context) (*plan.Pipeline, error) {
	main, err := r.plan(&r.query.Pipeline, r.opt.rangeOutside())
	if err != nil || main.Explain {
		return main, err
	}
	for _, let := range r.query.Lets {
		p, err := r.plan(let.Body, event.AllTime)
		if err != nil {
			return nil, err
		}
		if r.sets[let.Name], err = r.execution(p).RunSet(ctx, p); err != nil {
			return nil, err
		}
	}
	if r.limit = r.opt.Limit; r.streams && r.opt.RawLimit > 0 && main.Raw() {
		r.limit = r.opt.RawLimit
	}
	if r.limit > 0 {
		main.Bound(int64(r.limit) + 1) // one more tells that there are more
	}
	return main, nil
}

// table runs a prepared plan.
func (r *run) table(ctx context.Context, main *plan.Pipeline) (*result.Table, error) {
	if main.Explain {
		return r.explainTable(ctx, main)
	}
	t, err := r.execution(main).Run(ctx, main)
	if err != nil {
		return nil, err
	}
	if limit := r.limit; limit > 0 && len(t.Rows) > limit {
		t.Rows = t.Rows[:limit]
		t.Meta.Truncated = true
	}
	t.Shape = shapeOf(&r.query.Pipeline)
	return t, r.finish(ctx, &t.Meta)
}

// finish fills in what is known when all rows are.
func (r *run) finish(ctx context.Context, m *result.Meta) (err error) {
	r.meta(m)
	m.Warnings, err = r.warnings(ctx)
	return err
}

func (r *run) meta(m *result.Meta) {
	m.Snapshot = r.src.ID()
	m.Location = r.calendar.Location()
	m.CompleteUntil = r.src.CompleteUntil()
	m.Exact = !r.read.Inexact.Load()
	if !m.Exact {
		m.ErrorBound = exec.SketchError
	}
	m.Segments = int(r.read.Segments.Load())
	m.RowsRead = r.read.Rows.Load()
	m.BytesRead = r.read.Bytes.Load()
	m.Elapsed = time.Since(r.begin)
}

// warnings names the events and fields of the text that are not stored.
func (r *run) warnings(ctx context.Context) ([]string, error) {
	var names plan.Names
	for _, let := range r.query.Lets {
		names.Add(let.Body)
	}
	names.Add(&r.query.Pipeline)
	if len(names.Fields)+len(names.Events)+len(names.Properties) == 0 {
		return nil, nil
	}
	slices.Sort(names.Properties)
	slices.Sort(names.Fields)
	slices.Sort(names.Events)
	readers, err := r.raw.Segments(ctx, event.AllTime) // names are the same, and no copies are made
	if err != nil {
		return nil, err
	}
	var warnings, known, events []string
	for _, name := range names.Events {
		found, err := anyReader(readers, func(r *segment.Reader) (bool, error) { return r.HasEvent(name) })
		if err != nil {
			return nil, err
		}
		if found {
			continue
		}
		if events == nil {
			if events, err = eventNames(readers); err != nil {
				return nil, err
			}
		}
		warnings = append(warnings, syntax.UnknownEvent(name, events))
	}
	for _, name := range names.Fields {
		found, err := anyReader(readers, func(r *segment.Reader) (bool, error) { return r.HasField(name) })
		if err != nil {
			return nil, err
		}
		if found {
			continue
		}
		if known == nil {
			if known, err = fieldNames(readers); err != nil {
				return nil, err
			}
		}
		warnings = append(warnings, syntax.UnknownField(name, known))
	}
	var properties []string
	for _, name := range names.Properties {
		found, err := anyReader(readers, func(r *segment.Reader) (bool, error) { return givesProperty(r, name) })
		if err != nil {
			return nil, err
		}
		if found {
			continue
		}
		if properties == nil {
			if properties, err = propertyNames(readers); err != nil {
				return nil, err
			}
		}
		warnings = append(warnings, syntax.UnknownProperty(name, properties))
	}
	return warnings, nil
}

// anyReader reports whether something holds for one of the readers.
func anyReader(readers []*segment.Reader, holds func(r *segment.Reader) (bool, error)) (bool, error) {
	for _, r := range readers {
		if ok, err := holds(r); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// givesProperty reports whether a field gives a profile property a value.
func givesProperty(r *segment.Reader, name string) (bool, error) {
	for op := scalar.ProfileSet; op <= scalar.ProfileRemove; op++ {
		if !op.Makes() {
			continue
		}
		if ok, err := r.HasField(scalar.ProfileField(op, name)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// propertyNames returns the names of all profile properties.
func propertyNames(readers []*segment.Reader) ([]string, error) {
	fields, err := fieldNames(readers)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range fields {
		if op, property, ok := scalar.ParseProfileField(name); ok && op.Makes() {
			names[property] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// eventNames returns the names of all events.
func eventNames(readers []*segment.Reader) ([]string, error) {
	names := map[string]bool{}
	for _, r := range readers {
		events, err := r.VisibleEvents()
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Rows > 0 {
				names[e.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// fieldNames returns the names of all fields.
func fieldNames(readers []*segment.Reader) ([]string, error) {
	names := map[string]bool{}
	for _, r := range readers {
		for _, c := range r.Fields() {
			if names[c.Name()] {
				continue
			}
			has, err := r.HasField(c.Name())
			if err != nil {
				return nil, err
			}
			if has {
				names[c.Name()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}
