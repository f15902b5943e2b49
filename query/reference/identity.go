package reference

import (
	"cmp"
	"slices"

	"cairn/engine"
	"cairn/engine/event"
)

// linked are the rows of a Store with canonical users.
type linked struct {
	rows      []*row
	canonical map[string]string
	profiles  map[string]map[string]event.Value
}

// Link makes these links all that there are, in any order. Queries see canonical users then, unless they set
// identity = raw; syntax.MapUsers makes the texts that they compare with users canonical, by Canonical.
func (s *Store) Link(links []engine.Link) {
	s.linked = nil
	links = slices.DeleteFunc(slices.Clone(links), func(l engine.Link) bool {
		return l.User == l.ID || engine.IllegalID(l.User) || engine.IllegalID(l.ID) // the log has none of these
	})
	if len(links) == 0 {
		return
	}
	l := &linked{canonical: Resolve(links)}
	events := make([]event.Event, 0, len(s.rows))
	for _, x := range s.rows {
		e := *x.event
		if name, ok := l.canonical[e.User]; ok {
			e.User = name
		}
		events = append(events, e)
	}
	l.rows = rowsOf(events)
	l.profiles = profiles(l.rows)
	s.linked = l
}

// Canonical returns the user whom an id stands for, itself if it is not linked.
func (s *Store) Canonical(id string) (string, error) {
	if s.linked != nil {
		if name, ok := s.linked.canonical[id]; ok {
			return name, nil
		}
	}
	return id, nil
}

// person returns the user whom a row is of, or stands for: what a stage has made of the column user may be
// any id.
func (r *run) person(x *row) event.Value {
	u := userOf(x)
	if u.Kind() == event.KindString {
		if name, ok := r.canonical[u.AsString()]; ok {
			return event.String(name)
		}
	}
	return u
}

// Resolve returns the canonical user of every id that the links name, by the rules of engine.Link.
func Resolve(links []engine.Link) map[string]string {
	var standing []engine.Link
	for _, l := range links {
		gone := func(u engine.Link) bool {
			same := u.User == l.User && u.ID == l.ID || u.User == l.ID && u.ID == l.User
			return u.Kind == engine.LinkUnlink && same && u.Time >= l.Time
		}
		if l.Kind != engine.LinkUnlink && !slices.ContainsFunc(links, gone) {
			standing = append(standing, l)
		}
	}
	slices.SortFunc(standing, func(a, b engine.Link) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.User, b.User), cmp.Compare(a.ID, b.ID))
	})
	name := map[string]string{} // of the cluster, by id
	for _, l := range links {
		name[l.User], name[l.ID] = l.User, l.ID
	}
	rename := func(old, other string) {
		for id, n := range name {
			if n == old {
				name[id] = other
			}
		}
	}
	known := map[string]bool{} // a cluster with a known id has the name of one
	for _, l := range standing {
		if l.Kind != engine.LinkMerge {
			known[l.User] = true
			if !known[name[l.User]] {
				rename(name[l.User], l.User)
			}
		}
		user, id := name[l.User], name[l.ID]
		switch l.Kind {
		case engine.LinkIdentify, engine.LinkBind:
			if !known[id] {
				rename(id, user)
			}
		case engine.LinkAlias:
			rename(id, user)
		case engine.LinkMerge:
			if known[id] && !known[user] {
				user, id = id, user
			}
			rename(id, user)
		}
	}
	return name
}
