package syntax

import (
	"time"
)

// Pos is a place in a query text. Lines and columns count from 1, columns in characters (not
// bytes); Offset is the byte offset from 0. The zero Pos means unknown.
type Pos struct {
	Line   int
	Column int
	Offset int
}

// Position returns p; nodes of the tree have it by embedding their Pos.
func (p Pos) Position() Pos { return p }

// Query is a whole text: settings, named results, and the pipeline that gives the answer.
type Query struct {
	Settings Settings
	Lets     []*Let // in the order of the text; each may use the names before it
	Pipeline
}

// Pipeline is a selector, a range and stages: the main part of a query, and the body of a Let.
type Pipeline struct {
	Pos      Pos
	Selector *Selector
	Range    *Range  // nil: everything stored
	Stages   []Stage // empty: the events themselves, as with `| events`
}

// Let gives the result of a pipeline a name for `user in NAME`.
type Let struct {
	Pos     Pos
	Name    string
	NamePos Pos
	Body    *Pipeline
}

// Settings are the `set` statements. A zero member means: as the tenant has it.
type Settings struct {
	Pos      Pos
	Zone     string         // IANA name as written; "" when not set
	Location *time.Location // of Zone; nil when not set
	Week     *time.Weekday  // first day of the week; nil when not set
	Actor    *Column        // the field that stands for the user; nil when not set
	Identity Identity
}

// Identity says which user ids a query sees.
type Identity uint8

const (
	IdentityDefault   Identity = iota // not set: canonical
	IdentityCanonical                 // after identity links
	IdentityRaw                       // ids as they were sent
)

func (i Identity) String() string { return [...]string{"", "canonical", "raw"}[i] }

// Selector chooses events: one that passes any of the terms.
type Selector struct {
	Pos   Pos
	Terms []*Term // at least one
}

// Term is one alternative of a selector: `name`, `name{cond}`, `*` or `{cond}`.
type Term struct {
	Pos  Pos
	Any  bool   // `*` or `{cond}`: every event name
	Name string // the event name; "" when Any
	Cond Expr   // nil: no condition
}

// All reports whether the selector lets every event through.
func (s *Selector) All() bool {
	for _, t := range s.Terms {
		if t.Any && t.Cond == nil {
			return true
		}
	}
	return false
}

// EventName returns the name that the selector consists of; ok is false if there is more to it.
func (s *Selector) EventName() (name string, ok bool) {
	if len(s.Terms) != 1 || s.Terms[0].Any || s.Terms[0].Cond != nil {
		return "", false
	}
	return s.Terms[0].Name, true
}

// RangeKind tells the forms of a time range apart.
type RangeKind uint8

const (
	RangeLast    RangeKind = iota // last SPAN
	RangeBetween                  // from T to T: [From, To)
	RangeOn                       // on T: the calendar day of From
)

// Range is the time range of a pipeline.
type Range struct {
	Pos  Pos
	Kind RangeKind
	Last Span    // RangeLast: d, w, mo, q, y count calendar units, smaller ones elapsed time
	From Instant // RangeBetween, RangeOn
	To   Instant // RangeBetween
}

// InstantKind tells the forms of an instant apart.
type InstantKind uint8

const (
	InstantNow   InstantKind = iota // now
	InstantDate                     // 2025-06-01: local midnight
	InstantLocal                    // 2025-06-01T10:30: wall clock in the query's zone
	InstantExact                    // RFC 3339 with an offset
)

// Instant is a point in time as written. Wall is the wall clock reading, in UTC, for InstantDate and
// InstantLocal, and the instant itself for InstantExact.
type Instant struct {
	Pos  Pos
	Kind InstantKind
	Wall time.Time
}

// Unit is a unit of time.
type Unit uint8

// The units, the shortest first.
const (
	Nanosecond Unit = iota + 1
	Microsecond
	Millisecond
	Second
	Minute
	Hour
	Day     // calendar or 24 h, as the place says
	Week    // calendar or 168 h, as the place says
	Month   // calendar only
	Quarter // calendar only
	Year    // calendar only
)

func (u Unit) String() string {
	return [...]string{"", "ns", "us", "ms", "s", "m", "h", "d", "w", "mo", "q", "y"}[u]
}

// Elapsed returns the length of the unit in nanoseconds; 0 for those that only the calendar knows.
func (u Unit) Elapsed() int64 {
	return [...]int64{
		0, 1, 1e3, 1e6, 1e9, 60e9, 3600e9, 24 * 3600e9, 7 * 24 * 3600e9, 0, 0, 0,
	}[u]
}

// Span is a number of units: `30d`, `1mo`, `5m`. Count is at least 1.
type Span struct {
	Count int64
	Unit  Unit
}

// Calendar reports whether the unit is one of the calendar: d, w, mo, q, y.
func (s Span) Calendar() bool { return s.Unit >= Day }

// Bins reports whether bins can have that length: a calendar unit, or what divides a day.
func (s Span) Bins() bool { return s.Calendar() || Day.Elapsed()%s.Elapsed() == 0 }

// Elapsed returns the length in nanoseconds, with d as 24 h and w as 168 h; 0 for mo, q, y.
func (s Span) Elapsed() int64 { return s.Count * s.Unit.Elapsed() }
