package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"cairn/engine/ingest"
)

// sensorsEvents are the types of messages about events, with the name that an event has if it says none.
var sensorsEvents = map[string]string{
	"track": "", "track_signup": "$SignUp", "track_id_bind": "$BindID", "track_id_unbind": "$UnbindID",
}

// sensorsProfiles are the types of messages about profiles, in our operations.
var sensorsProfiles = map[string]string{
	"profile_set": "$set", "profile_set_once": "$set_once", "profile_append": "$append", "profile_increment": "$add",
	"profile_unset": "$unset", "profile_delete": "$delete",
}

// sensorsKnown are the members of a message that become something else than a field of their name.
var sensorsKnown = map[string]bool{
	"type": true, "event": true, "properties": true, "time": true, "_track_id": true, "_flush_time": true,
}

// sensorsMessage reads one message. Each has its own time of sending.
func sensorsMessage(raw []byte, received time.Time, l *Limits) (item Item) {
	item.Raw = raw
	m, reject := ParseEvent(raw, l)
	if reject != nil {
		item.Reject = reject
		return item
	}
	kind, clock := m.Get("type").Name(), NewClock(received, m.Get("_flush_time"))
	d := NewDraft(l, clock)
	user := m.Get("login_id").Name()
	if user == "" {
		user = m.Get("distinct_id").Name()
	}
	d.SetUser(user)
	d.SetTime("time", m.Get("time"), clock, false)
	event, isEvent := sensorsEvents[kind]
	op, isProfile := sensorsProfiles[kind]
	switch {
	case isEvent:
		if given := m.Get("event").Name(); given != "" {
			event = given
		}
		d.SetName("event", event)
		item.ID = sensorsID(&m, l)
		d.SetID(item.ID)
		d.Properties("properties", m.Get("properties"))
	case isProfile:
		d.SetName("", EventProfile)
		sensorsProfile(d, op, user, m.Get("properties"))
	case kind == "" && m.Get("payload", "payloads").Exists():
		d.Refuse(ingest.BadEvent, "payload", "the message is encrypted; leave the encryption plugin out, HTTPS encrypts")
	default:
		d.Refuse(ingest.BadEvent, "type", "expected track, track_signup, track_id_bind, track_id_unbind or profile_set and the like, found %.40q", kind)
	}
	for i := range m.Members {
		if member := &m.Members[i]; !sensorsKnown[member.Name] {
			d.Envelope(member.Name, &member.Value)
		}
	}
	item.Add(d)
	if item.Reject == nil {
		sensorsLinks(&item, kind, &m, d, l)
	}
	return item
}

// sensorsProfile adds an operation on the user's profile.
func sensorsProfile(d *Draft, op, user string, properties *Value) {
	switch {
	case user == "":
		d.Refuse(ingest.BadEvent, "distinct_id", "the message says of no user")
	case op == "$delete":
		d.Delete()
	default:
		d.Operation(op, properties)
	}
}

// sensorsID joins the message's random number, which is too short to be told from others by itself, with whose and
// of when it is; "" without one.
func sensorsID(m *Value, l *Limits) string {
	track := m.Get("_track_id").Name()
	if track == "" {
		return ""
	}
	id := strings.Join([]string{track, m.Get("time").Name(), m.Get("distinct_id").Name()}, "/")
	if len(id) > l.IDBytes {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return id
}

// sensorsLinks asks for the links of a login, and of ids of other types that are bound and unbound. What is
// bound before a login is one person with the anonymous id, but makes it no known user: the login to come
// takes both.
func sensorsLinks(item *Item, kind string, m *Value, d *Draft, l *Limits) {
	link := func(kind string, v *Value) {
		if id := v.Name(); item.Reject == nil && id != "" && d.Event.User != "" {
			item.Link(l, Link{Kind: kind, User: d.Event.User, ID: id, Time: d.Event.Time, Source: "sensors"})
		}
	}
	switch kind {
	case "track_signup":
		link(LinkIdentify, m.Get("original_id"))
		if m.Get("anonymous_id").Name() != m.Get("original_id").Name() {
			link(LinkIdentify, m.Get("anonymous_id"))
		}
	case "track_id_bind", "track_id_unbind":
		of := LinkBind
		switch {
		case kind == "track_id_unbind":
			of = LinkUnlink
		case m.Get("login_id").Name() == "":
			of = LinkMerge
		}
		identities, linked := m.Get("identities"), map[string]bool{}
		for i := range identities.Members {
			if v := &identities.Members[i].Value; !linked[v.Name()] { // two types may have one id
				linked[v.Name()] = true
				link(of, v)
			}
		}
	}
}
