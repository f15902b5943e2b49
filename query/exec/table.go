package exec

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/result"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// table is rows between two stages: what the first breaking stage has made, and what the stages
// after it make of it.
type table struct {
	names  []string // of row.values
	rows   []row
	events bool            // every row is an event
	open   bool            // events with all their fields: names are the columns that stages added
	made   bool            // events whose column user was made by a stage: it says who did them
	wide   bool            // events outside of the range are there too, for a behavioural stage to come
	gone   map[string]bool // when open: columns that were dropped or renamed
	extra  map[string]bool // columns that later stages may name but that are not shown; see storedEvent
	bucket *bucketing      // of the stats before, for fill
	rng    event.TimeRange
}

// row is one row and, when it stands for one, its event.
type row struct {
	values []event.Value
	event  *storedEvent
}

// storedEvent is an event in a table. Fields are by name; hidden ones are left out.
type storedEvent struct {
	event.Event
	extra []event.Field // columns of the table that are not shown
}

// bucketing is what fill has to know of the stats before it.
type bucketing struct {
	bins *scalar.Bins
	bin  *syntax.Bin
	time string   // the column of the time key
	keys []string // the columns of the other keys
}

// narrow returns the table without the events outside of the range.
func (t *table) narrow() *table {
	if !t.wide {
		return t
	}
	out := t.with(nil)
	out.wide = false
	for _, r := range t.rows {
		if inRange(t.rng, r.event.Time) {
			out.rows = append(out.rows, r)
		}
	}
	return out
}

func (t *table) index(name string) int { return slices.Index(t.names, name) }

// field returns a field of the event, absent if there is none.
func (e *storedEvent) field(name string) event.Value {
	i, ok := slices.BinarySearchFunc(e.Fields, name, func(f event.Field, name string) int { return strings.Compare(f.Name, name) })
	if !ok || strings.HasPrefix(name, "\x00") {
		return event.Value{}
	}
	return e.Fields[i].Value
}

// column returns a column of the event as every row has it before stages change it.
func (e *storedEvent) column(name string) event.Value {
	switch name {
	case syntax.ColumnTime:
		return event.Time(e.Time)
	case syntax.ColumnEvent:
		return event.String(e.Name)
	case syntax.ColumnUser:
		return textOrAbsent(e.User)
	case syntax.ColumnID:
		return textOrAbsent(e.ID)
	case syntax.ColumnReceived:
		if e.Received == 0 {
			return event.Value{}
		}
		return event.Time(e.Received)
	}
	if field, ok := strings.CutPrefix(name, "fields."); ok && plan.IsEventColumn(field) {
		return e.field(field)
	}
	return e.field(name)
}

// columns appends columns of the event: first those of every event, or of fields called like one, then
// those of fields, by name.
func (e *storedEvent) columns(own, fields []string, dst []event.Value) []event.Value {
	for _, name := range own {
		dst = append(dst, e.column(name))
	}
	next := 0
	for _, name := range fields {
		for next < len(e.Fields) && e.Fields[next].Name < name {
			next++
		}
		if next < len(e.Fields) && e.Fields[next].Name == name {
			dst = append(dst, e.Fields[next].Value)
		} else {
			dst = append(dst, event.Value{})
		}
	}
	return dst
}

func textOrAbsent(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	return event.String(s)
}

// getter returns how a column is read from the rows of the table.
func (t *table) getter(c *syntax.Column) func(r *row) event.Value {
	switch c.Scope {
	case syntax.ScopeFields:
		name := c.Name
		return func(r *row) event.Value {
			if r.event == nil {
				return event.Value{}
			}
			return r.event.field(name)
		}
	case syntax.ScopeRow:
		return t.named(c.Name)
	}
	return func(*row) event.Value { return event.Value{} }
}

func (t *table) named(name string) func(r *row) event.Value {
	if i := t.index(name); i >= 0 {
		return func(r *row) event.Value { return r.values[i] }
	}
	if t.extra[name] {
		return func(r *row) event.Value {
			for _, f := range r.event.extra {
				if f.Name == name {
					return f.Value
				}
			}
			return event.Value{}
		}
	}
	if t.open && !t.gone[name] {
		return func(r *row) event.Value { return r.event.column(name) }
	}
	return func(*row) event.Value { return event.Value{} }
}

// user returns who did a row, canonical, or absent.
func (x *Execution) user(t *table) func(r *row) event.Value {
	return t.actor(x.actorColumn())
}

// actor returns who did a row, canonical, or absent, where a column stands for the user of events.
func (t *table) actor(actor *syntax.Column) func(r *row) event.Value {
	get := t.named(syntax.ColumnUser)
	if t.events && !t.made {
		switch {
		case actor.Scope == syntax.ScopeFields:
			get = func(r *row) event.Value { return r.event.field(actor.Name) }
		default:
			get = func(r *row) event.Value { return r.event.column(actor.Name) }
		}
	}
	return func(r *row) event.Value {
		v := get(r)
		if !v.Exists() {
			return event.Value{}
		}
		return v.Canonical()
	}
}

// tableRow is a row of a table as an expression sees it.
type tableRow struct {
	row    *row
	leaves []func(r *row) event.Value
}

// Value implements scalar.Row.
func (t *tableRow) Value(slot int) event.Value { return t.leaves[slot](t.row) }

func (x *Execution) tableEnv(t *table, into *tableRow) *scalar.Env {
	return x.environment(func(e syntax.Expr) (int, error) {
		var get func(r *row) event.Value
		switch e := e.(type) {
		case *syntax.Column:
			if e.Scope == syntax.ScopeProfile {
				var err error
				if get, err = x.profileOf(t, e); err != nil {
					return 0, err
				}
				break
			}
			get = t.getter(e)
		default:
			values, err := x.userValues(e)
			if err != nil {
				return 0, err
			}
			user := x.user(t)
			get = func(r *row) event.Value { return values.of(user(r)) }
		}
		into.leaves = append(into.leaves, get)
		return len(into.leaves) - 1, nil
	})
}

// value compiles an expression for the rows of a table, test a condition. The functions are for one
// goroutine.
func (x *Execution) value(t *table, e syntax.Expr) (func(r *row) event.Value, error) {
	at := &tableRow{}
	f, err := scalar.Compile(e, x.tableEnv(t, at))
	return func(r *row) event.Value { at.row = r; return f(at) }, err
}

func (x *Execution) test(t *table, e syntax.Expr) (func(r *row) bool, error) {
	at := &tableRow{}
	f, err := scalar.CompileTest(e, x.tableEnv(t, at))
	return func(r *row) bool { at.row = r; return f(at) }, err
}

func (x *Execution) exprs(t *table, list []syntax.Expr) ([]func(r *row) event.Value, error) {
	var fs []func(r *row) event.Value
	for _, e := range list {
		f, err := x.value(t, e)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// compareValues is the order of sort: nulls last, in both directions.
func compareValues(a, b event.Value, desc bool) int {
	switch {
	case !a.Exists() && !b.Exists():
		return 0
	case !a.Exists():
		return 1
	case !b.Exists():
		return -1
	case desc:
		return event.Compare(b, a)
	}
	return event.Compare(a, b)
}

func compareRows(a, b []event.Value) int {
	for i := range a {
		if c := compareValues(a[i], b[i], false); c != 0 {
			return c
		}
	}
	return 0
}

// compareEvents is the order of events: newest first, ties by everything else.
func compareEvents(a, b *storedEvent) int {
	if c := cmp.Compare(b.Time, a.Time); c != 0 {
		return c
	}
	if c := cmp.Or(
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.User, b.User),
		strings.Compare(a.ID, b.ID),
		cmp.Compare(a.Received, b.Received),
	); c != 0 {
		return c
	}
	return slices.CompareFunc(a.Fields, b.Fields, func(f, g event.Field) int {
		return cmp.Or(strings.Compare(f.Name, g.Name), event.Compare(f.Value, g.Value))
	})
}

// compareRest orders rows whose sort keys are equal.
func (t *table) compareRest(a, b *row) int {
	if t.events {
		if c := compareEvents(a.event, b.event); c != 0 {
			return c
		}
	}
	return compareRows(a.values, b.values)
}

// result is the answer.
func (t *table) result(ctx context.Context) (*result.Table, error) {
	out := &result.Table{}
	var added []string
	if t.open {
		added = t.eventColumns()
	}
	own := 0 // columns before those of plain fields
	for i, name := range added {
		if plan.IsEventColumn(name) || strings.HasPrefix(name, "fields.") {
			own = i + 1
		}
	}
	names := append(slices.Clone(added), t.names...)
	for _, name := range names {
		out.Columns = append(out.Columns, result.Column{Name: name})
	}
	for i := range t.rows {
		if err := interrupted(ctx, i); err != nil {
			return nil, err
		}
		r := &t.rows[i]
		values := r.values
		if t.open {
			values = r.event.columns(added[:own], added[own:], make([]event.Value, 0, len(names)))
			values = append(values, r.values...)
		} else {
			for j, v := range values {
				if v.IsAbsent() {
					values[j] = event.Null
				}
			}
		}
		out.Rows = append(out.Rows, values)
	}
	out.Infer()
	return out, nil
}

// eventColumns returns the columns of events that stages have left alone: those of every event, and
// the fields that a row has.
func (t *table) eventColumns() []string {
	mine := func(name string) bool { return !t.gone[name] && t.index(name) < 0 }
	fields := map[string]bool{}
	for i := range t.rows {
		for _, f := range t.rows[i].event.Fields {
			fields[f.Name] = true
		}
	}
	var names []string
	for _, name := range syntax.EventColumns {
		if mine(name) {
			names = append(names, name)
		}
	}
	var sorted []string
	for field := range fields {
		if name := fieldColumn(field); mine(name) {
			sorted = append(sorted, name)
		}
	}
	slices.Sort(sorted)
	return append(names, sorted...)
}

// fieldColumn is the column that shows a field: one called like a column of events has fields. in
// front.
func fieldColumn(name string) string {
	if plan.IsEventColumn(name) {
		return "fields." + name
	}
	return name
}
