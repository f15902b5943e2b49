package querytest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"cairn/engine"
)

// RandomLinks draws links between the users of RandomEvents and RandomJourneys and some who have no events. Many
// are about the same two, and of one time.
func RandomLinks(t *rapid.T) []engine.Link {
	ids := []string{"u1", "u2", "u3", "u4", "n1", "n2"}
	kinds := []engine.LinkKind{
		engine.LinkIdentify, engine.LinkIdentify, engine.LinkIdentify, engine.LinkAlias, engine.LinkMerge, engine.LinkBind,
		engine.LinkUnlink, engine.LinkUnlink,
	}
	links := make([]engine.Link, uniform(t, 9))
	for i := range links {
		links[i] = rapid.Custom(func(t *rapid.T) engine.Link {
			l := engine.Link{Kind: pickFrom(t, kinds), User: pickFrom(t, ids), ID: pickFrom(t, ids), Source: "test"}
			l.Time = randomStart + int64(uniform(t, 6))*int64(12*time.Hour)
			if uniform(t, 12) == 0 {
				l.ID = pickFrom(t, []string{"null", "", "Guest"})
			}
			return l
		}).Draw(t, "link")
	}
	return links
}

// LinkText writes links as ParseLinks reads them.
func LinkText(links []engine.Link) string {
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, "%v %s %s %s\n", l.Kind, quoted(l.User), quoted(l.ID), time.Unix(0, l.Time).UTC().Format(time.RFC3339Nano))
	}
	return b.String()
}

// LinkLog is what a log of links has to make of them, as a list.
type LinkLog struct{ Rows []engine.Link }

// Add logs a link and returns the kind of its verdict but for hints: Duplicate, OK, or Rejected if it is illegal.
func (l *LinkLog) Add(link engine.Link) engine.VerdictKind {
	if engine.IllegalID(link.User) || engine.IllegalID(link.ID) {
		return engine.Rejected
	}
	same := func(r engine.Link) bool {
		gone := func(u engine.Link) bool {
			pair := u.User == r.User && u.ID == r.ID || u.User == r.ID && u.ID == r.User
			return u.Kind == engine.LinkUnlink && pair && u.Time >= r.Time
		}
		switch {
		case r.Kind != link.Kind:
			return false
		case r.Kind == engine.LinkUnlink:
			return r.Time == link.Time && (r.User == link.User && r.ID == link.ID || r.User == link.ID && r.ID == link.User)
		}
		return r.User == link.User && r.ID == link.ID && r.Time <= link.Time && !slices.ContainsFunc(l.Rows, gone)
	}
	if link.User == link.ID || slices.ContainsFunc(l.Rows, same) {
		return engine.Duplicate
	}
	l.Rows = append(l.Rows, link)
	return engine.OK
}
