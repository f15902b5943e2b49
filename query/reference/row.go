package reference

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// row is one row: its columns by name and, when it stands for one, its event and who did it.
type row struct {
	columns map[string]event.Value
	event   *event.Event
	user    event.Value // canonical; absent when nobody, and on rows that are no events
	own     event.Value // user as the event has it, whatever a stage has made of the column
	made    bool        // a stage has made the column user of an event
}

func (r *row) clone() *row {
	c := *r
	c.columns = maps.Clone(r.columns)
	return &c
}

// makesUser reports whether a column of that name and meaning says who did the event, in place of what
// the event says.
func makesUser(name string, e syntax.Expr) bool {
	c, ok := e.(*syntax.Column)
	return name == syntax.ColumnUser && !(ok && c.Scope == syntax.ScopeRow && c.Name == name)
}

// setUser makes a value of the column user the one who did the event.
func (r *row) setUser(v event.Value) {
	if r.event == nil {
		return
	}
	r.made = true
	if r.user = v.Canonical(); !v.Exists() {
		r.user = event.Value{}
	}
}

// rows is what flows between two stages.
type rows struct {
	list    []*row
	events  bool            // every row is an event
	open    bool            // events with all their fields; no project has named the columns
	names   []string        // the columns; when open, those that stages added
	hidden  map[string]bool // when open: columns not shown as fields: dropped, renamed, session.entry.FIELD
	bucket  *bucketing      // of the stats before, for fill
	window  []*row          // events before the range; nil behind stages that look at several rows
	after   []*row          // events behind the range, likewise
	members *rows           // the users behind the rows, for a users right behind
	funnel  *funnel         // for another view of it right behind
	rng     event.TimeRange // of the query
}

// bucketing is what fill has to know of the stats before it.
type bucketing struct {
	bins *scalar.Bins
	bin  *syntax.Bin
	time string   // the column of the time key
	keys []string // the columns of the other keys
}

// newRow makes the row of an event.
func newRow(e *event.Event) *row {
	text := func(s string) event.Value {
		if s == "" {
			return event.Value{}
		}
		return event.String(s)
	}
	r := &row{columns: map[string]event.Value{}, event: e}
	for _, f := range e.Fields {
		switch {
		case strings.HasPrefix(f.Name, "\x00"):
		case slices.Contains(syntax.EventColumns[:], f.Name):
			r.columns["fields."+f.Name] = f.Value
		default:
			r.columns[f.Name] = f.Value
		}
	}
	r.columns[syntax.ColumnTime] = event.Time(e.Time)
	r.columns[syntax.ColumnEvent] = event.String(e.Name)
	r.columns[syntax.ColumnUser] = text(e.User)
	r.columns[syntax.ColumnID] = text(e.ID)
	r.columns[syntax.ColumnReceived] = event.Value{}
	if e.Received != 0 {
		r.columns[syntax.ColumnReceived] = event.Time(e.Received)
	}
	return r
}

// column looks a name up, but for the properties of profiles.
func (r *row) column(c *syntax.Column) event.Value {
	switch c.Scope {
	case syntax.ScopeRow:
		return r.columns[c.Name]
	case syntax.ScopeFields:
		if r.event != nil {
			return r.event.Get(c.Name)
		}
	}
	return event.Value{}
}

// compareEvents is the order of events: newest first, ties by everything else.
func compareEvents(a, b *event.Event) int {
	if c := cmp.Or(
		cmp.Compare(b.Time, a.Time),
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.User, b.User),
		strings.Compare(a.ID, b.ID),
		cmp.Compare(a.Received, b.Received),
	); c != 0 {
		return c
	}
	return slices.CompareFunc(sortedFields(a), sortedFields(b), func(f, g event.Field) int {
		return cmp.Or(strings.Compare(f.Name, g.Name), event.Compare(f.Value, g.Value))
	})
}

func sortedFields(e *event.Event) []event.Field {
	return slices.SortedFunc(slices.Values(e.Fields), func(f, g event.Field) int { return strings.Compare(f.Name, g.Name) })
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

// key makes a value of a group key: absent is null, 1.0 is 1.
func key(v event.Value) event.Value {
	if !v.Exists() {
		return event.Null
	}
	return v.Canonical()
}

// bounded reports whether the range has a beginning, and an end.
func bounded(r event.TimeRange) (from, to bool) {
	return r.From != math.MinInt64, r.To != math.MaxInt64
}
