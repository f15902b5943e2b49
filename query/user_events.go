package query

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/result"
)

// UserEventsOptions say which events of a user are wanted. The zero value is the newest hundred.
type UserEventsOptions struct {
	Event     string           // the name of the events; "" is all
	Range     *event.TimeRange // nil is all of time
	Limit     int              // of a page; default 100
	Ascending bool             // oldest first, exactly the reverse of newest first
	// Cursor is that of the page before; "" is the first page. It goes with the same Ascending; Event and
	// Range may change.
	Cursor string
}

// DefaultUserEvents is how many events a page has unless UserEventsOptions say otherwise.
const DefaultUserEvents = 100

// ReadUserEvents returns a page of a user's events: newest first, simultaneous ones by event, id and arrival,
// then in an order that their content alone decides. Pages that follow each other's cursors have every event
// exactly once that was stored when the first was read; of those that arrive meanwhile they have what lies
// ahead of them. Fields are by name, without hidden ones; values may share memory with the source. A user that
// nobody knows has no events.
//
// An error matches ErrCursor if the cursor is not one that ReadUserEvents gave for that order.
func ReadUserEvents(ctx context.Context, src Source, name string, opt UserEventsOptions) (*result.UserEvents, error) {
	switch {
	case opt.Limit < 0:
		return nil, fmt.Errorf("query: a limit of %d events", opt.Limit)
	case opt.Range != nil && opt.Range.To < opt.Range.From:
		return nil, fmt.Errorf("query: the range ends before it begins")
	case opt.Limit == 0:
		opt.Limit = DefaultUserEvents
	}
	rng := event.AllTime
	if opt.Range != nil {
		rng = *opt.Range
	}
	var after *userCursor
	if opt.Cursor != "" {
		var err error
		if after, err = parseUserCursor(opt.Cursor, opt.Ascending); err != nil {
			return nil, err
		}
		switch {
		case opt.Ascending:
			rng.From = max(rng.From, after.time)
		case after.time != math.MaxInt64:
			rng.To = min(rng.To, after.time+1)
		}
	}
	page := &result.UserEvents{}
	if rng.Empty() {
		return page, nil
	}
	s, ok, err := newUserScan(ctx, src, name, rng)
	if err != nil || !ok {
		return page, err
	}
	s.event, s.ascending = opt.Event, opt.Ascending
	s.order()
	list, err := s.page(ctx, opt.Limit+1, after)
	if err != nil {
		return nil, err
	}
	more := len(list) > opt.Limit
	list = list[:min(len(list), opt.Limit)]
	for _, e := range list {
		page.Events = append(page.Events, e.event)
	}
	if more {
		page.Cursor = list[len(list)-1].cursor().text(opt.Ascending)
	}
	return page, nil
}

// pageEvent is an event of a page.
type pageEvent struct {
	event event.Event
	// same is how many events that are alike in everything come before it in its instant.
	same int
	hash [16]byte // of the event, where it is known
}

func (e *pageEvent) cursor() *userCursor {
	return &userCursor{
		time: e.event.Time, name: e.event.Name, id: e.event.ID, received: e.event.Received, hash: hashOf(&e.event), same: e.same,
	}
}

// hashOf sums an event up, so that a cursor need not hold it. Under which name its user is known does not
// matter.
func hashOf(e *event.Event) (h [16]byte) {
	nameless := *e
	nameless.User = ""
	sum := sha256.Sum256(event.AppendJSON(nil, &nameless))
	copy(h[:], sum[:])
	return h
}

// page returns at least n events behind a cursor, fewer only if there are no more.
func (s *userScan) page(ctx context.Context, n int, after *userCursor) ([]pageEvent, error) {
	var list []pageEvent
	var alone []userRow // rows of the events that come last and have an instant for themselves
	flush := func() error {
		events, err := s.events(ctx, alone)
		if err != nil {
			return err
		}
		for _, e := range events {
			list = append(list, pageEvent{event: e})
		}
		alone = alone[:0]
		return nil
	}
	var rows []userRow
	for len(list)+len(alone) < n {
		at, instant, ok, err := s.next(ctx, rows[:0])
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		rows = instant
		if len(rows) == 1 && (after == nil || at != after.time) {
			alone = append(alone, rows[0])
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		together, err := s.instant(ctx, rows)
		if err != nil {
			return nil, err
		}
		if after != nil && at == after.time {
			together = slices.DeleteFunc(together, func(e pageEvent) bool { return !s.behind(&e, after) })
		}
		list = append(list, together...)
	}
	return list, flush()
}

// instant returns the events of one instant in their order.
func (s *userScan) instant(ctx context.Context, rows []userRow) ([]pageEvent, error) {
	events, err := s.events(ctx, rows)
	if err != nil {
		return nil, err
	}
	list := make([]pageEvent, len(events))
	for i, e := range events {
		list[i] = pageEvent{event: e, hash: hashOf(&e)}
	}
	slices.SortFunc(list, func(a, b pageEvent) int { return s.directed(a.compare(b.position())) })
	for i := 1; i < len(list); i++ {
		if list[i].compare(list[i-1].position()) == 0 {
			list[i].same = list[i-1].same + 1
		}
	}
	return list, nil
}

// directed turns a comparison around where the oldest come first.
func (s *userScan) directed(c int) int {
	if s.ascending {
		return -c
	}
	return c
}

// behind reports whether an event of the cursor's instant comes behind it.
func (s *userScan) behind(e *pageEvent, after *userCursor) bool {
	if c := s.directed(e.compare(after)); c != 0 {
		return c > 0
	}
	return e.same > after.same
}

func (e *pageEvent) position() *userCursor {
	return &userCursor{name: e.event.Name, id: e.event.ID, received: e.event.Received, hash: e.hash}
}

// compare is the order of simultaneous events.
func (e *pageEvent) compare(p *userCursor) int {
	return cmp.Or(
		strings.Compare(e.event.Name, p.name),
		strings.Compare(e.event.ID, p.id),
		cmp.Compare(e.event.Received, p.received),
		slices.Compare(e.hash[:], p.hash[:]),
	)
}
