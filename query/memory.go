package query

import (
	"context"
	"slices"
	"time"

	"cairn/engine"
	"cairn/engine/column"
	"cairn/engine/event"
	"cairn/engine/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// MemoryOptions say how Memory lays events out; the zero value works. Answers do not depend on them.
type MemoryOptions struct {
	Location  *time.Location // default UTC
	WeekStart time.Weekday
	// Segments is how many segments the events are dealt out to, default 1.
	Segments int
	// BlockRows is the size of blocks, see segment.BuildOptions.
	BlockRows int
	// Hot keeps segments unencoded.
	Hot bool
	// Links are identity links; illegal ones are passed over.
	Links []engine.Link
}

// Memory makes a Source of events in memory.
func Memory(events []event.Event) (Source, error) { return MemoryWith(events, MemoryOptions{}) }

// MemoryWith is Memory with options.
func MemoryWith(events []event.Event, opt MemoryOptions) (Source, error) {
	m, err := layOut(events, opt)
	if err != nil || len(opt.Links) == 0 {
		return m, err
	}
	links := slices.DeleteFunc(slices.Clone(opt.Links), func(l engine.Link) bool {
		return engine.IllegalID(l.User) || engine.IllegalID(l.ID)
	})
	canonical := engine.ResolveLinks(links)
	moved := slices.Clone(events)
	for i := range moved {
		if name, ok := canonical[moved[i].User]; ok {
			moved[i].User = name
		}
	}
	linked, err := layOut(moved, opt)
	if err != nil {
		return nil, err
	}
	linked.canonical, linked.raw = canonical, m
	return linked, nil
}

// layOut makes segments of events.
func layOut(events []event.Event, opt MemoryOptions) (*memory, error) {
	m := &memory{location: opt.Location, week: opt.WeekStart, ids: map[string]uint32{}, names: []string{""}}
	if m.location == nil {
		m.location = time.UTC
	}
	parts := make([]column.Builder, max(1, opt.Segments))
	for i := range events {
		e := &events[i]
		if m.ids[e.User] == 0 && e.User != "" {
			m.ids[e.User] = uint32(len(m.names))
			m.names = append(m.names, e.User)
		}
		b := &parts[i%len(parts)]
		b.AppendEvent(e)
	}
	for i := range parts {
		if parts[i].Len() == 0 {
			continue
		}
		if err := m.add(received(parts[i].Finish(), events, i, len(parts)), opt); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// received gives a batch of every n-th event from the first the arrivals of these.
func received(b *column.Batch, events []event.Event, first, n int) *column.Batch {
	b.Received = b.Received[:0]
	for i := first; i < len(events); i += n {
		b.Received = append(b.Received, events[i].Received)
	}
	return b
}

// memory is a Source in memory.
type memory struct {
	location *time.Location
	week     time.Weekday
	readers  []*segment.Reader
	ids      map[string]uint32
	names    []string // by dense id

	canonical map[string]string // the users that ids stand for
	raw       *memory           // the same with ids as they were sent; nil: nothing is linked
}

// Raw returns the source with users as they were sent.
func (m *memory) Raw() *memory {
	if m.raw != nil {
		return m.raw
	}
	return m
}

// Canonical returns the user whom an id stands for.
func (m *memory) Canonical(id string) (string, error) {
	if name, ok := m.canonical[id]; ok {
		return name, nil
	}
	return id, nil
}

func (m *memory) add(b *column.Batch, opt MemoryOptions) error {
	users := make([]uint32, b.User.Dict.Len())
	for i := range users {
		users[i] = m.ids[b.User.Dict.String(uint32(i))]
	}
	inputs := []segment.Input{{Batch: b, Users: users}}
	if opt.Hot {
		m.readers = append(m.readers, segment.NewHot(inputs))
		return nil
	}
	encoded, err := segment.Build(inputs, segment.BuildOptions{BlockRows: opt.BlockRows})
	if err != nil {
		return err
	}
	for _, e := range encoded {
		r, err := e.Reader()
		if err != nil {
			return err
		}
		m.readers = append(m.readers, r)
	}
	return nil
}

// Segments implements Source.
func (m *memory) Segments(context.Context, event.TimeRange) ([]*segment.Reader, error) {
	return slices.Clone(m.readers), nil
}

// UserID implements Source.
func (m *memory) UserID(name string) (uint32, bool, error) {
	name, err := m.Canonical(name)
	id, ok := m.ids[name]
	return id, ok, err
}

// UserNames implements Source.
func (m *memory) UserNames(ids []uint32) ([]string, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = m.names[id]
	}
	return names, nil
}

// UserCount implements Source.
func (m *memory) UserCount() uint32 { return uint32(len(m.names) - 1) }

// ExpiredUsers implements Source.
func (m *memory) ExpiredUsers(string) (*roaring.Bitmap, error) { return nil, nil }

// Location implements Source.
func (m *memory) Location() *time.Location { return m.location }

// WeekStart implements Source.
func (m *memory) WeekStart() time.Weekday { return m.week }

// ID implements Source.
func (m *memory) ID() string { return "memory" }

// CompleteUntil implements Source.
func (m *memory) CompleteUntil() int64 { return 0 }
