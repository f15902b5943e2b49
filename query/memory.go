package query

import (
	"context"
	"slices"
	"time"

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
}

// Memory makes a Source of events in memory.
func Memory(events []event.Event) (Source, error) { return MemoryWith(events, MemoryOptions{}) }

// MemoryWith is Memory with options.
func MemoryWith(events []event.Event, opt MemoryOptions) (Source, error) {
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
	id, ok := m.ids[name]
	return id, ok, nil
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
