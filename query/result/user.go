package result

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

// User is what is stored of one user.
type User struct {
	Name        string
	First, Last int64         // the times of the first and the last event, Unix nanoseconds
	Events      int64         // how many there are
	Profile     []event.Field // the properties, by name; those of objects have dots in their names
	Links       []UserLink    // in the order of time, then id
}

// UserLink says how a user and another id became one, or were parted.
type UserLink struct {
	ID     string
	Kind   string
	Time   int64 // Unix nanoseconds
	Source string
}

// UserEvents is a page of a user's events.
type UserEvents struct {
	Events []event.Event
	// Cursor continues behind the page; "" when there is nothing more.
	Cursor string
}

// AppendUser appends {"user","first","last","events","profile":{…},"links":[{"id","kind","time","source"}…]}
// with times in the zone. The properties have the names that they have in queries behind user., dotted.
func AppendUser(dst []byte, u *User, zone *time.Location) []byte {
	dst = append(dst, `{"user":`...)
	dst = event.AppendString(dst, u.Name)
	dst = append(dst, `,"first":`...)
	dst = appendTime(dst, u.First, zone)
	dst = append(dst, `,"last":`...)
	dst = appendTime(dst, u.Last, zone)
	dst = append(dst, `,"events":`...)
	dst = strconv.AppendInt(dst, u.Events, 10)
	dst = append(dst, `,"profile":{`...)
	for i, f := range u.Profile {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(event.AppendString(dst, f.Name), ':')
		dst = AppendValue(dst, f.Value, zone)
	}
	dst = append(dst, `},"links":[`...)
	for i, l := range u.Links {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = event.AppendString(dst, l.ID)
		dst = append(dst, `,"kind":`...)
		dst = event.AppendString(dst, l.Kind)
		dst = append(dst, `,"time":`...)
		dst = appendTime(dst, l.Time, zone)
		dst = append(dst, `,"source":`...)
		dst = append(event.AppendString(dst, l.Source), '}')
	}
	return append(dst, ']', '}')
}

// AppendUserEvents appends {"events":[…],"cursor"} with times in the zone; cursor is null at the end.
func AppendUserEvents(dst []byte, u *UserEvents, zone *time.Location) []byte {
	dst = append(dst, `{"events":[`...)
	for i := range u.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendEvent(append(dst, '\n'), &u.Events[i], zone)
	}
	dst = append(dst, `],`...)
	dst = append(dst, '\n')
	dst = append(dst, `"cursor":`...)
	if u.Cursor == "" {
		dst = append(dst, "null"...)
	} else {
		dst = event.AppendString(dst, u.Cursor)
	}
	return append(dst, '}')
}

// AppendEvent appends an event as the stage events shows it in NDJSON, without a newline: its columns, then its
// fields, dotted; a field called like a column is fields.NAME. What is absent is left out.
func AppendEvent(dst []byte, e *event.Event, zone *time.Location) []byte {
	dst = append(dst, `{"time":`...)
	dst = appendTime(dst, e.Time, zone)
	dst = append(dst, `,"event":`...)
	dst = event.AppendString(dst, e.Name)
	if e.User != "" {
		dst = event.AppendString(append(dst, `,"user":`...), e.User)
	}
	if e.ID != "" {
		dst = event.AppendString(append(dst, `,"id":`...), e.ID)
	}
	if e.Received != 0 {
		dst = appendTime(append(dst, `,"received":`...), e.Received, zone)
	}
	for _, f := range e.Fields {
		if strings.HasPrefix(f.Name, "\x00") || f.Value.IsAbsent() {
			continue
		}
		name := f.Name
		if slices.Contains(attributes, name) {
			name = "fields." + name
		}
		dst = append(event.AppendString(append(dst, ','), name), ':')
		dst = AppendValue(dst, f.Value, zone)
	}
	return append(dst, '}')
}

var attributes = []string{"time", "event", "user", "id", "received"}
