package protocol

import (
	"time"
	"unicode/utf8"

	"cairn/engine/ingest"
)

// amplitudeRequest is what the events of a request share.
type amplitudeRequest struct {
	limits     Limits
	clock      Clock
	received   time.Time
	ip         string // of the connection
	idRunesMin int64  // the least length of ids that the client asked for, in characters
	form       string // the path, if the events come in a form
}

func (m *amplitudeRequest) items(body *Body) []Item {
	items := make([]Item, 0, len(body.Items))
	for _, raw := range body.Items {
		items = append(items, m.event(raw))
	}
	return items
}

// event reads one event, or what a form says of a user or a group.
func (m *amplitudeRequest) event(raw []byte) (item Item) {
	item.Raw = raw
	v, reject := ParseEvent(raw, &m.limits)
	if reject != nil {
		item.Reject = reject
		return item
	}
	item.ID = v.Get("insert_id").Name()
	d := NewDraft(&m.limits, m.clock)
	name := v.Get("event_type").Name()
	switch m.form {
	case "/identify":
		name = "$identify"
	case "/groupidentify":
		name = EventGroup
	}
	d.SetName("event_type", name)
	user, device := v.Get("user_id").Name(), v.Get("device_id").Name()
	m.checkID(d, "user_id", user)
	m.checkID(d, "device_id", device)
	if user != "" {
		d.SetUser(user)
	} else {
		d.SetUser(device)
	}
	d.SetID(item.ID)
	d.SetTime("time", v.Get("time"), m.clock, false)
	d.Properties("event_properties", v.Get("event_properties"))
	for i := range v.Members {
		m.member(d, &v.Members[i])
	}
	profile := d.Profile()
	changes := v.Get("user_properties")
	changed := d.Event.User != "" && amplitudeOperations(profile, changes)
	if d.Event.User == "" {
		d.Envelope("user_properties", changes) // it is of nobody, but said
	}
	item.Add(d)
	if changed {
		item.Add(profile)
	}
	if item.Reject == nil && user != "" && device != "" {
		item.Link(&m.limits, Link{Kind: LinkIdentify, User: user, ID: device, Time: d.Event.Time, Source: "amplitude"})
	}
	return item
}

// member keeps a member of an event as a field of its name.
func (m *amplitudeRequest) member(d *Draft, member *Member) {
	switch member.Name {
	case "event_type", "time", "insert_id", "event_properties", "user_properties":
	case "ip":
		if member.Value.Text == "$remote" {
			d.EnvelopeText("ip", m.ip)
			return
		}
		d.Envelope("ip", &member.Value)
	default:
		d.Envelope(member.Name, &member.Value)
	}
}

// checkID holds an id to the least length that the client asked for.
func (m *amplitudeRequest) checkID(d *Draft, field, id string) {
	if id != "" && int64(utf8.RuneCountInString(id)) < m.idRunesMin {
		d.Refuse(ingest.BadEvent, field, "%q is shorter than min_id_length, %d", id, m.idRunesMin)
	}
}

// amplitudeOps are Amplitude's operations on profiles in ours. A list has no order to put something in front of, and
// what is inserted if it is not there yet is a union.
var amplitudeOps = map[string]string{
	"$set": "$set", "$setOnce": "$set_once", "$add": "$add", "$append": "$append", "$prepend": "$append",
	"$preInsert": "$union", "$postInsert": "$union", "$remove": "$remove", "$unset": "$unset",
}

// amplitudeOperations adds what an event says of its user's profile: operations, or properties, which are set. It
// reports whether there is anything.
func amplitudeOperations(profile *Draft, v *Value) (changed bool) {
	if v.Exists() && !v.Object() {
		profile.Refuse(ingest.BadEvent, "user_properties", "expected an object, found %s", kindNames[v.Kind])
		return true
	}
	plain := Value{Kind: '{'}
	for i := range v.Members {
		member := &v.Members[i]
		op, known := amplitudeOps[member.Name]
		switch {
		case member.Name == "$clearAll":
			profile.Delete()
			changed = true
		case known:
			changed = profile.Operation(op, &member.Value) || changed
		default:
			plain.Members = append(plain.Members, *member)
		}
	}
	return profile.Operation("$set", &plain) || changed || profile.reject != nil
}
