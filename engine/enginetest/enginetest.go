// Package enginetest helps tests that need an engine: events of all shapes, a model of what must be
// stored, and dumps to compare.
package enginetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine"
	"cairn/engine/event"
)

// Start is the time at which a Clock starts.
var Start = time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)

// Clock is a clock that stands still until it is moved.
type Clock struct{ nanos atomic.Int64 }

// NewClock returns a clock that shows Start.
func NewClock() *Clock {
	c := &Clock{}
	c.nanos.Store(Start.UnixNano())
	return c
}

// Now returns the time shown; it fits engine.Options.Now.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Generator makes events of all shapes, reproducibly.
type Generator struct {
	Rand *rand.Rand
	// Users and Names bound the distinct users and event names; Days is how far back times go.
	Users, Names, Days int
	// IDs is the share of events with an insert id, in percent; Repeats the share of those that
	// repeat an earlier one.
	IDs, Repeats int

	next int
	ids  []string
}

// NewGenerator returns a generator of modest variety.
func NewGenerator(seed uint64) *Generator {
	return &Generator{Rand: rand.New(rand.NewPCG(seed, 1)), Users: 50, Names: 8, Days: 5, IDs: 60, Repeats: 10}
}

// Events returns n events up to the given time.
func (g *Generator) Events(n int, now time.Time) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = g.Event(now)
	}
	return out
}

// Event returns one event.
func (g *Generator) Event(now time.Time) event.Event {
	r := g.Rand
	e := event.Event{
		Time: now.UnixNano() - r.Int64N(int64(g.Days)*24*int64(time.Hour)),
		Name: fmt.Sprintf("event_%d", r.IntN(g.Names)),
	}
	switch r.IntN(3) {
	case 0:
		e.Time -= e.Time % 1e9
	case 1:
		e.Time -= e.Time % 1e6
	}
	if r.IntN(10) > 0 {
		e.User = fmt.Sprintf("user-%d", r.IntN(g.Users))
	}
	if r.IntN(100) < g.IDs {
		if len(g.ids) > 0 && r.IntN(100) < g.Repeats {
			e.ID = g.ids[r.IntN(len(g.ids))]
		} else {
			g.next++
			e.ID = fmt.Sprintf("id-%d-%d", g.next, r.IntN(1e6))
			g.ids = append(g.ids, e.ID)
		}
	}
	for i := range r.IntN(6) {
		e.Fields = append(e.Fields, event.Field{Name: fmt.Sprintf("field_%d", i), Value: g.value()})
	}
	if r.IntN(20) == 0 {
		e.Fields = append(e.Fields, event.Field{Name: "a.b", Value: event.Int(1)}, event.Field{Name: event.FieldDots, Value: event.String("a.b")})
	}
	return e
}

func (g *Generator) value() event.Value {
	r := g.Rand
	switch r.IntN(10) {
	case 0:
		return event.Null
	case 1:
		return event.Bool(r.IntN(2) == 0)
	case 2:
		return event.Int(r.Int64N(100))
	case 3:
		return event.Int(int64(r.Uint64()))
	case 4:
		return event.Float(float64(r.IntN(10000)) / 100)
	case 5:
		return event.Float(r.NormFloat64() * 1e100)
	case 6:
		return event.List(fmt.Sprintf(`[%d,"x",null]`, r.IntN(5)))
	case 7:
		return event.EmptyObject
	case 8:
		return event.String("")
	default:
		return event.String(fmt.Sprintf("text %d", r.IntN(1000)))
	}
}

// Text prints an event so that equal texts mean equal events; the arrival is left out.
func Text(e *event.Event) string {
	fields := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		fields = append(fields, fmt.Sprintf("%q=%v:%x:%q", f.Name, f.Value.Kind(), f.Value.Bits(), f.Value.Text()))
	}
	slices.Sort(fields)
	return fmt.Sprintf("%d %q %q %q {%s}", e.Time, e.Name, e.User, e.ID, strings.Join(fields, " "))
}

// Texts prints events, sorted.
func Texts(events []event.Event) []string {
	out := make([]string, len(events))
	for i := range events {
		out[i] = Text(&events[i])
	}
	slices.Sort(out)
	return out
}

// Dump returns every event of a tenant in the order of Scan, and fails the test if times descend.
func Dump(t testing.TB, tenant *engine.Tenant) []event.Event {
	t.Helper()
	snap := tenant.Snapshot()
	defer snap.Close()
	return DumpSnapshot(t, snap, event.AllTime)
}

// DumpSnapshot is Dump of a snapshot and range.
func DumpSnapshot(t testing.TB, snap *engine.Snapshot, r event.TimeRange) []event.Event {
	t.Helper()
	var out []event.Event
	err := snap.Scan(context.Background(), engine.ScanOptions{Range: r}, func(e *event.Event) error {
		if n := len(out); n > 0 && out[n-1].Time > e.Time {
			t.Fatalf("scan goes back in time")
		}
		out = append(out, *e)
		return nil
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return out
}

// Compare fails the test unless the tenant holds exactly the wanted events.
func Compare(t testing.TB, tenant *engine.Tenant, want []event.Event) {
	t.Helper()
	CompareTexts(t, Texts(Dump(t, tenant)), Texts(want))
}

// CompareTexts fails the test with the first difference of two sorted lists.
func CompareTexts(t testing.TB, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%d events stored, %d wanted; first difference at %d:\n got %s\nwant %s", len(got), len(want), i, g, w)
		}
	}
}

// Model is what a tenant must hold: the shortest plain form of the engine's promises.
type Model struct {
	Window time.Duration
	Events []event.Event
	seen   map[string]int64 // arrival of the stored event by id
}

// NewModel returns an empty model with the default window.
func NewModel() *Model { return &Model{Window: 7 * 24 * time.Hour, seen: make(map[string]int64)} }

// Append returns the verdicts wanted for events that arrive at the time now.
func (m *Model) Append(events []event.Event, now time.Time) []engine.VerdictKind {
	out := make([]engine.VerdictKind, len(events))
	for i, e := range events {
		if e.ID != "" {
			if at, ok := m.seen[e.ID]; ok && at >= now.Add(-m.Window).UnixNano() {
				out[i] = engine.Duplicate
				continue
			}
			m.seen[e.ID] = now.UnixNano()
		}
		m.Events = append(m.Events, e)
	}
	return out
}
