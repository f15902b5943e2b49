package protocol

import (
	"strconv"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
	"cairn/engine/ingest"
)

// posthogBatch is what the events of a request share.
type posthogBatch struct {
	limits   *Limits
	received time.Time
	clock    Clock
	key      string // outside the events, if it stands there
	ip       string // of the connection, if it is wanted
	v1       bool
	library  [2]string // of v1: name and version
}

// posthogUserMax is where PostHog cuts ids, in characters.
const posthogUserMax = 200

// posthogCookieless stands for a user in events of clients that may keep no id: nobody in particular.
const posthogCookieless = "$posthog_cookieless"

// posthogKnown are the members of an event that become something else than a field of their name.
var posthogKnown = map[string]bool{
	"event": true, "uuid": true, "distinct_id": true, "timestamp": true, "offset": true, "properties": true, "api_key": true, "token": true,
	"$token": true, "sent_at": true, "$set": true, "$set_once": true, "$unset": true, "session_id": true, "window_id": true, "options": true,
}

// posthogOptions are the members of "options" in v1, and the properties that they are in v0.
var posthogOptions = map[string]string{
	"cookieless_mode": "$cookieless_mode", "disable_skew_correction": "$ignore_sent_at",
	"process_person_profile": "$process_person_profile", "product_tour_id": "$product_tour_id",
}

// event reads one event and the key in it, if there is one.
func (b *posthogBatch) event(raw []byte) (item Item, key string) {
	item.Raw = raw
	m, reject := ParseEvent(raw, b.limits)
	if reject != nil {
		item.Reject = reject
		if b.v1 {
			item.ID = posthogUUID(raw, b.limits)
		}
		return item, ""
	}
	properties := m.Get("properties")
	item.ID = m.Get("uuid").Name()
	if !b.v1 {
		key = m.Get("api_key", "token", "$token").Name()
		if b.key == "" && key == "" {
			key = properties.Get("token").Name()
		}
	}
	d := NewDraft(b.limits, b.clock)
	d.SetNameFrom("event", m.Get("event"))
	user := posthogUser(m.Get("distinct_id"), properties.Get("distinct_id"))
	switch user {
	case "":
		d.Refuse(ingest.BadEvent, "distinct_id", "the event has no distinct_id")
	case posthogCookieless: // nobody
	default:
		d.SetUser(user)
	}
	id := item.ID
	if id == "" {
		id = properties.Get("$insert_id").Name()
	}
	d.SetID(id)
	b.setTime(d, &m, properties)
	b.addProperties(d, properties)
	if b.v1 {
		b.addV1(d, &m)
	}
	d.Envelope("distinct_id", m.Get("distinct_id"))
	for _, name := range []string{"$set", "$set_once", "$unset"} {
		if !properties.Get(name).Exists() && m.Get(name).Exists() {
			d.Property(name, m.Get(name)) // where other clients put it
		}
	}
	if b.ip != "" && !properties.Get("$ip").Exists() {
		d.EnvelopeText("$ip", b.ip)
	}
	for i := range m.Members {
		if member := &m.Members[i]; !posthogKnown[member.Name] || !b.v1 && (member.Name == "session_id" || member.Name == "window_id" || member.Name == "options") {
			d.Envelope(member.Name, &member.Value)
		}
	}
	item.Add(d)
	anonymous := d.Event.Get("$process_person_profile") == event.Bool(false)
	if item.Reject == nil && !anonymous && d.Event.User != "" {
		b.profile(&item, d, &m, properties)
		b.link(&item, d, properties)
	}
	return item, key
}

// setTime sets the time: timestamp moved by the skew, else received − offset.
func (b *posthogBatch) setTime(d *Draft, m, properties *Value) {
	clock := b.clock
	options := m.Get("options")
	if properties.Get("$ignore_sent_at").True() || b.v1 && options.Get("disable_skew_correction").True() {
		clock.Skew = 0
	}
	timestamp := m.Get("timestamp")
	if offset := m.Get("offset"); !timestamp.Exists() && offset.Kind == '0' {
		ms, err := strconv.ParseFloat(offset.Text, 64)
		if err == nil && ms >= 0 && ms < 1e12 {
			d.Event.Time = clock.Received - int64(ms*1e6)
			return
		}
	}
	d.SetTime("timestamp", timestamp, clock, true)
}

// addProperties makes fields of the properties, but for the key in them.
func (b *posthogBatch) addProperties(d *Draft, properties *Value) {
	token := properties.Get("token").Name()
	if b.v1 || token == "" || b.key != "" && token != b.key {
		d.Properties("properties", properties)
		return
	}
	for i := range properties.Members {
		if m := &properties.Members[i]; m.Name != "token" {
			d.Property(m.Name, &m.Value)
		}
	}
}

// addV1 puts what v1 sends beside the properties where v0 has it, so that an event is the same by either.
func (b *posthogBatch) addV1(d *Draft, m *Value) {
	options := m.Get("options")
	for i := range options.Members {
		o := &options.Members[i]
		if name, ok := posthogOptions[o.Name]; ok {
			d.Envelope(name, &o.Value)
		} else {
			d.Envelope("options", &Value{Kind: '{', Members: []Member{*o}})
		}
	}
	d.Envelope("$session_id", m.Get("session_id"))
	d.Envelope("$window_id", m.Get("window_id"))
	d.EnvelopeText("$lib", b.library[0])
	d.EnvelopeText("$lib_version", b.library[1])
}

// profile adds what the event says of its user's profile.
func (b *posthogBatch) profile(item *Item, d *Draft, m, properties *Value) {
	p := d.Profile()
	some := false
	for _, op := range []string{"$set", "$set_once", "$unset"} {
		v := properties.Get(op)
		if !v.Exists() {
			v = m.Get(op)
		}
		some = p.Operation(op, v) || some
	}
	item.AddProfile(p, some)
}

// link adds the link that the event asks for: the surviving user is the event's.
func (b *posthogBatch) link(item *Item, d *Draft, properties *Value) {
	kind, other := "", &Value{}
	switch d.Event.Name {
	case "$identify":
		kind, other = LinkIdentify, properties.Get("$anon_distinct_id")
	case "$create_alias":
		kind, other = LinkAlias, properties.Get("alias")
	case "$merge_dangerously":
		kind, other = LinkMerge, properties.Get("alias")
	}
	if kind != "" && other.Name() != "" {
		item.Link(b.limits, Link{Kind: kind, User: d.Event.User, ID: cutRunes(other.Name(), posthogUserMax), Time: d.Event.Time, Source: "posthog"})
	}
}

// posthogUser returns the first id that is a text or a number, as PostHog would store it.
func posthogUser(ids ...*Value) string {
	for _, id := range ids {
		if name := id.Name(); name != "" {
			return cutRunes(name, posthogUserMax)
		}
	}
	return ""
}

// cutRunes returns at most n characters of text.
func cutRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for i := 0; i < len(text); n-- {
		if n == 0 {
			return text[:i]
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return text
}

// posthogUUID finds the uuid of an event that cannot be read as a whole.
func posthogUUID(raw []byte, l *Limits) string {
	body, err := ReadBody(raw, "", l)
	if err != nil {
		return ""
	}
	uuid := body.Get("uuid")
	return uuid.Name()
}

// posthogLibrary takes "posthog-node/5.70.0" apart.
func posthogLibrary(info string) (library [2]string) {
	for i := len(info) - 1; i >= 0; i-- {
		if info[i] == '/' {
			return [2]string{info[:i], info[i+1:]}
		}
	}
	return [2]string{info}
}
