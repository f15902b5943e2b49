package reference

import (
	"strings"
	"time"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// cutByPause cuts events in time order where the pause is longer than gap, and, with longest above 0, where
// the distance from the first event of the piece is more than that.
func cutByPause(list []*row, gap, longest int64) [][]*row {
	var pieces [][]*row
	for i, x := range list {
		if i > 0 {
			last := pieces[len(pieces)-1]
			pause, length := x.event.Time-list[i-1].event.Time, x.event.Time-last[0].event.Time
			if pause <= gap && (longest == 0 || length <= longest) {
				pieces[len(pieces)-1] = append(last, x)
				continue
			}
		}
		pieces = append(pieces, []*row{x})
	}
	return pieces
}

// session keeps the events of sessions that begin in the range, also those behind it.
func (r *run) session(in *rows, s *syntax.Session) *rows {
	made := map[*row]*row{}
	for _, stream := range in.streams() {
		number := int64(0)
		for _, events := range cutByPause(stream.list, s.Gap, s.Max) {
			if !in.inRange(events[0].event.Time) {
				continue
			}
			number++
			for i, x := range events {
				made[x] = sessionRow(events, i, number, stream.user)
			}
		}
	}
	var list []*row
	for _, x := range in.all() {
		if made[x] != nil {
			list = append(list, made[x])
		}
	}
	out := in.with(list)
	for _, name := range syntax.SessionColumns {
		out.add(name)
	}
	for _, x := range list {
		for name := range x.columns {
			if isSessionField(name) {
				out.hide(name)
			}
		}
	}
	return out
}

// sessionRow adds the columns to the event number i of a session.
func sessionRow(events []*row, i int, number int64, user event.Value) *row {
	first, last := events[0].event, events[len(events)-1].event
	values := []event.Value{
		event.String(sessionID(user, first.Time)),
		event.Int(number),
		event.Int(int64(len(events))),
		event.Duration(last.Time - first.Time),
		event.String(first.Name),
		event.String(last.Name),
		{}, // dwell
	}
	if i+1 < len(events) {
		values[len(values)-1] = event.Duration(events[i+1].event.Time - events[i].event.Time)
	}
	made := events[i].clone()
	for i, name := range syntax.SessionColumns {
		made.columns[name] = values[i]
	}
	for name := range made.columns {
		if isSessionField(name) { // of a session stage before
			delete(made.columns, name)
		}
	}
	for name, v := range newRow(first).columns {
		made.columns["session.entry."+name] = v
	}
	for name, v := range newRow(last).columns {
		made.columns["session.exit."+name] = v
	}
	return made
}

func isSessionField(name string) bool {
	return strings.HasPrefix(name, "session.entry.") || strings.HasPrefix(name, "session.exit.")
}

// sessionID joins the user and the time of the session's first event.
func sessionID(user event.Value, at int64) string {
	text := user.Text()
	if user.Kind() != event.KindString {
		text = string(event.AppendValue(nil, user))
	}
	return text + "@" + time.Unix(0, at).UTC().Format(time.RFC3339Nano)
}
