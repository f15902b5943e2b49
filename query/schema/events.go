package schema

import (
	"context"
	"slices"
	"strings"

	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// Event is a name of events.
type Event struct {
	Name  string
	Count int64 // events that count, at least 1
	// First and Last are the times of the first and last of them, or bounds of these: no event is before
	// First or after Last (Unix nanoseconds).
	First, Last int64
}

// EventPage is a page of names, ascending. Cursor leads to the next one; it is empty on the last.
type EventPage struct {
	Events []Event
	Cursor string
}

// Events lists the names of events. Of Options, Event and Numbers mean nothing here.
func Events(ctx context.Context, src Source, opt Options) (*EventPage, error) {
	opt.Event = ""
	wanted, err := opt.wanted()
	if err != nil {
		return nil, err
	}
	list, err := parts(ctx, src, &opt)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	bounds := map[string]*extent{}
	for _, p := range list {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		err := p.countEvents(func(name string, n int) {
			if n == 0 || !wanted(name) {
				return
			}
			if bounds[name] == nil {
				bounds[name] = &extent{p.from, p.to}
			}
			counts[name] += int64(n)
			bounds[name].add(p.from, p.to)
		})
		if err != nil {
			return nil, err
		}
	}
	page := &EventPage{}
	for name, n := range counts {
		page.Events = append(page.Events, Event{name, n, bounds[name].first, bounds[name].last})
	}
	slices.SortFunc(page.Events, func(a, b Event) int { return strings.Compare(a.Name, b.Name) })
	if opt.Limit > 0 && len(page.Events) > opt.Limit {
		page.Events = page.Events[:opt.Limit]
		page.Cursor = cursorBehind(page.Events[opt.Limit-1].Name)
	}
	if !opt.Exact {
		return page, nil
	}
	finder := newExtents(list)
	for i := range page.Events {
		e := &page.Events[i]
		times, err := finder.find(ctx, func(p *part) (*roaring.Bitmap, error) { return p.eventRows(e.Name) })
		if err != nil {
			return nil, err
		}
		e.First, e.Last = times.first, times.last
	}
	return page, nil
}

// countEvents calls count for the names of the part, with how many rows that count have each.
func (p *part) countEvents(count func(name string, n int)) error {
	if hidden, err := p.HiddenRows(); err != nil {
		return err
	} else if p.rows == nil || hidden != nil && p.from == p.info.TimeMin && p.to == p.info.TimeMax {
		events, err := p.VisibleEvents()
		for _, e := range events {
			count(e.Name, e.Rows)
		}
		return err
	}
	numbers := make([]int, len(p.info.Events))
	var codes []uint32
	err := p.eachBlock(p.rows, func(block int, sel []uint16) error {
		v, err := p.Event().Block(block)
		if err != nil {
			return err
		}
		codes = v.Codes(codes[:0], sel)
		for _, c := range codes {
			numbers[c]++
		}
		return nil
	})
	for code, n := range numbers {
		count(p.info.Events[code].Name, n)
	}
	return err
}

// eventRows returns the rows that count of an event name, nil if there are none.
func (p *part) eventRows(name string) (*roaring.Bitmap, error) {
	code, ok, err := p.Event().Find(event.String(name))
	if err != nil || !ok {
		return nil, err
	}
	rows, ok, err := p.Event().Postings(code)
	if err != nil || !ok {
		return nil, err
	}
	if p.rows != nil {
		rows = roaring.And(rows, p.rows)
	}
	return rows, nil
}
