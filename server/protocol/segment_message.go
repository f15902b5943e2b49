package protocol

import (
	"time"

	"cairn/engine/ingest"
)

// segmentBatch is what the messages of a request share.
type segmentBatch struct {
	limits   *Limits
	received time.Time
	sent     Value
	context  Value // the default of each message's
	pathType string
}

// segmentKnown are the members of a message that become something else than a field of their name.
var segmentKnown = map[string]bool{
	"type": true, "messageId": true, "userId": true, "anonymousId": true, "previousId": true, "groupId": true, "event": true,
	"properties": true, "context": true, "timestamp": true, "originalTimestamp": true, "sentAt": true, "writeKey": true,
}

// message reads one message and the key in it, if there is one.
func (b *segmentBatch) message(raw []byte) (item Item, key string) {
	item.Raw = raw
	m, reject := ParseEvent(raw, b.limits)
	if reject != nil {
		item.Reject = reject
		return item, ""
	}
	item.ID = m.Get("messageId").Name()
	sent := &b.sent
	if !sent.Exists() {
		sent = m.Get("sentAt")
	}
	clock := NewClock(b.received, sent)
	d := NewDraft(b.limits, clock)
	kind := m.Get("type").Name()
	if kind == "" {
		kind = b.pathType
	}
	switch kind {
	case "track":
		d.SetNameFrom("event", m.Get("event"))
	case "page", "screen", "identify", "group", "alias":
		d.SetName("type", "$"+kind)
	default:
		d.Refuse(ingest.BadEvent, "type", "expected track, identify, page, screen, group or alias, found %.40q", kind)
	}
	user, anonymous := m.Get("userId").Name(), m.Get("anonymousId").Name()
	if user != "" {
		d.SetUser(user)
	} else {
		d.SetUser(anonymous)
	}
	d.SetID(item.ID)
	d.SetTime("timestamp", m.Get("timestamp", "originalTimestamp"), clock, false)
	d.Properties("properties", m.Get("properties"))
	d.EnvelopeText("user_id", user)
	d.EnvelopeText("anonymous_id", anonymous)
	d.Envelope("previous_id", m.Get("previousId"))
	d.Envelope("group_id", m.Get("groupId"))
	if kind != "track" {
		d.Envelope("event", m.Get("event"))
	}
	b.addContext(d, m.Get("context"))
	for i := range m.Members {
		if member := &m.Members[i]; !segmentKnown[member.Name] {
			d.Envelope(member.Name, &member.Value)
		}
	}
	item.Add(d)
	switch kind {
	case "identify":
		if d.Event.User != "" {
			p := d.Profile()
			item.AddProfile(p, p.Operation("$set", m.Get("traits")))
		}
		if user != "" && anonymous != "" {
			item.Link(b.limits, Link{Kind: LinkIdentify, User: user, ID: anonymous, Time: d.Event.Time, Source: "segment"})
		}
	case "alias":
		if previous := m.Get("previousId").Name(); previous != "" && user != "" {
			item.Link(b.limits, Link{Kind: LinkAlias, User: user, ID: previous, Time: d.Event.Time, Source: "segment"})
		}
	}
	return item, m.Get("writeKey").Name()
}

// addContext adds the message's context, and of the batch's what the message's lacks.
func (b *segmentBatch) addContext(d *Draft, own *Value) {
	d.Envelope("context", own)
	if own.Exists() && !own.Object() {
		return
	}
	for i := range b.context.Members {
		m := &b.context.Members[i]
		if !own.Get(m.Name).Exists() {
			rest := Value{Kind: '{', Members: []Member{*m}}
			d.Envelope("context", &rest)
		}
	}
}
