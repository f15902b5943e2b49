package query

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/result"
	"cairn/query/scalar"
)

// ReadUser returns what is stored of a user, without his links, which a Source does not know; nil if no event
// of his is stored. Of every segment it looks his rows up, of some their times; what is read whole are his
// events called $profile. Package reference says what these mean.
func ReadUser(ctx context.Context, src Source, name string) (*result.User, error) {
	s, ok, err := newUserScan(ctx, src, name, event.AllTime)
	if err != nil || !ok {
		return nil, err
	}
	u := &result.User{Name: s.name}
	if err := readExtent(ctx, s, u); err != nil || u.Events == 0 {
		return nil, err
	}
	u.Profile, err = readProfile(ctx, s)
	return u, err
}

// readExtent counts a user's events and finds the first and the last.
func readExtent(ctx context.Context, s *userScan, u *result.User) error {
	type piece struct {
		reader           *segment.Reader
		timeMin, timeMax int64
		from, to         int
	}
	var pieces []piece
	for _, r := range s.waiting {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		from, to, err := r.UserRows(s.user)
		if err != nil {
			return err
		}
		if from < to {
			info := r.Info()
			pieces = append(pieces, piece{r, info.TimeMin, info.TimeMax, from, to})
			u.Events += int64(to - from)
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.timeMin, b.timeMin) })
	u.First, u.Last = math.MaxInt64, math.MinInt64
	for _, p := range pieces {
		if p.timeMin >= u.First {
			break
		}
		at, err := timeOf(p.reader, p.from)
		if err != nil {
			return err
		}
		u.First = min(u.First, at)
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(b.timeMax, a.timeMax) })
	for _, p := range pieces {
		if p.timeMax <= u.Last {
			break
		}
		at, err := timeOf(p.reader, p.to-1)
		if err != nil {
			return err
		}
		u.Last = max(u.Last, at)
	}
	return nil
}

// profileStep is about how many profile events are held at a time.
const profileStep = 1024

// readProfile folds the profile events of a user.
func readProfile(ctx context.Context, s *userScan) ([]event.Field, error) {
	s.event, s.ascending = scalar.ProfileEvent, true
	s.order()
	f := profileFold{}
	for {
		var rows []userRow
		for len(rows) < profileStep {
			_, more, ok, err := s.next(ctx, rows)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			rows = more
		}
		if len(rows) == 0 {
			return f.fields(), nil
		}
		events, err := s.events(ctx, rows)
		if err != nil {
			return nil, err
		}
		for len(events) > 0 {
			n := 1
			for n < len(events) && events[n].Time == events[0].Time {
				n++
			}
			f.instant(events[:n])
			events = events[n:]
		}
	}
}

// profileFold is a profile while events are applied to it.
type profileFold map[string]*scalar.Property

// instant applies simultaneous events.
func (f profileFold) instant(events []event.Event) {
	type operation struct {
		op       scalar.ProfileOp
		property string
		value    event.Value
	}
	var list []operation
	for i := range events {
		for _, field := range events[i].Fields {
			if op, property, ok := scalar.ParseProfileField(field.Name); ok {
				list = append(list, operation{op, property, field.Value})
			}
		}
	}
	slices.SortFunc(list, func(a, b operation) int {
		return cmp.Or(cmp.Compare(a.op, b.op), event.Compare(a.value, b.value))
	})
	for _, o := range list {
		switch o.op {
		case scalar.ProfileDelete:
			if o.value == event.Bool(true) {
				clear(f)
			}
		case scalar.ProfileUnset:
			maps.DeleteFunc(f, func(name string, _ *scalar.Property) bool {
				if o.property != "" {
					return scalar.LiesIn(name, o.property)
				}
				return scalar.Unsets(o.value, name)
			})
		default:
			if f[o.property] == nil {
				f[o.property] = &scalar.Property{}
			}
			f[o.property].Apply(o.op, o.value)
		}
	}
}

// fields returns the properties by name.
func (f profileFold) fields() []event.Field {
	var out []event.Field
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if v := f[name].Value(); !v.IsAbsent() {
			out = append(out, event.Field{Name: name, Value: v})
		}
	}
	return out
}
