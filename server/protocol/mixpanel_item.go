package protocol

import "cairn/engine/ingest"

// mixpanelProfileOps are the operations of Mixpanel's updates beside $delete.
var mixpanelProfileOps = [...]string{"$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset"}

// mixpanelEnvelope are the members of an update that become no field.
var mixpanelEnvelope = map[string]bool{
	"$token": true, "$time": true, "$delete": true, "$ignore_time": true, "$ignore_alias": true, "$group_key": true, "$group_id": true,
	"$set": true, "$set_once": true, "$add": true, "$append": true, "$union": true, "$remove": true, "$unset": true,
}

// event reads one event, and the key in it.
func (m *mixpanelRequest) event(raw []byte) (item Item, key string) {
	item.Raw = raw
	v, reject := ParseEvent(raw, &m.limits)
	if reject != nil {
		item.Reject = reject
		return item, ""
	}
	properties := v.Get("properties")
	key, item.ID = properties.Get("token").Name(), properties.Get("$insert_id").Name()
	d := NewDraft(&m.limits, m.clock)
	name := v.Get("event").Name()
	d.SetName("event", name)
	d.SetUser(mixpanelUser(properties))
	d.SetID(item.ID)
	d.SetTime("properties.time", properties.Get("time"), m.clock, false)
	if properties.Exists() && !properties.Object() {
		d.Properties("properties", properties) // says what is wrong
	}
	for i := range properties.Members {
		switch p := &properties.Members[i]; p.Name {
		case "token", "time", "$insert_id":
		default:
			d.Property(p.Name, &p.Value)
		}
	}
	for i := range v.Members {
		if member := &v.Members[i]; member.Name != "event" && member.Name != "properties" {
			d.Envelope(member.Name, &member.Value)
		}
	}
	if !properties.Get("ip").Exists() {
		d.EnvelopeText("ip", m.ip)
	}
	item.Add(d)
	m.links(&item, d, name, properties)
	return item, key
}

// mixpanelUser returns whom an event or update is of.
func mixpanelUser(v *Value) string {
	for _, name := range [...]string{"$user_id", "distinct_id", "$distinct_id", "$device_id"} {
		if id := v.Get(name).Name(); id != "" {
			return id
		}
	}
	return ""
}

// links asks for the links that an event makes: those of aliases, merges and logins, and of a device whose user is
// known. What a device did before has the user "$device:<device id>" if a client of Mixpanel's made the
// name, and the bare id if somebody else did; both are the user's.
func (m *mixpanelRequest) links(item *Item, d *Draft, name string, properties *Value) {
	link := func(kind, user, id string) {
		if item.Reject == nil && user != "" && id != "" {
			item.Link(&m.limits, Link{Kind: kind, User: user, ID: id, Time: d.Event.Time, Source: "mixpanel"})
		}
	}
	known, device := properties.Get("$user_id").Name(), properties.Get("$device_id").Name()
	switch name {
	case "$create_alias":
		link(LinkAlias, properties.Get("distinct_id").Name(), properties.Get("alias").Name())
	case "$merge":
		ids := properties.Get("$distinct_ids").Elements(&m.limits)
		for i := 1; i < len(ids); i++ {
			link(LinkMerge, ids[0].Name(), ids[i].Name())
		}
	case "$identify":
		user := properties.Get("$identified_id").Name()
		if user == "" {
			user = d.Event.User
		}
		anonymous := properties.Get("$anon_distinct_id", "$anon_id").Name()
		if anonymous != "$device:"+device || user != known {
			link(LinkIdentify, user, anonymous) // else it is the same as below
		}
	}
	if device != "" {
		link(LinkIdentify, known, device)
		link(LinkIdentify, known, "$device:"+device)
	}
}

// profile reads one update of a user's profile, and the key in it.
func (m *mixpanelRequest) profile(raw []byte) (item Item, key string) {
	d, v, key := m.update(&item, raw, EventProfile)
	if item.Reject != nil {
		return item, key
	}
	user := mixpanelUser(v)
	if user == "" {
		d.Refuse(ingest.BadEvent, "$distinct_id", "the update says of no user")
	}
	d.SetUser(user)
	item.Add(d)
	m.links(&item, d, "", v)
	return item, key
}

// EventGroup is the name of the events that updates of groups are stored as.
const EventGroup = "$groupidentify"

// group reads one update of a group's profile, and the key in it.
func (m *mixpanelRequest) group(raw []byte) (item Item, key string) {
	d, v, key := m.update(&item, raw, EventGroup)
	if item.Reject != nil {
		return item, key
	}
	for _, name := range [...]string{"$group_key", "$group_id"} {
		id := v.Get(name)
		if id.Name() == "" {
			d.Refuse(ingest.BadEvent, name, "the update says of no group")
		}
		d.Property(name, id)
	}
	item.Add(d)
	return item, key
}

// update begins the event of an update. The item is rejected if it is none.
func (m *mixpanelRequest) update(item *Item, raw []byte, name string) (d *Draft, v *Value, key string) {
	item.Raw = raw
	parsed, reject := ParseEvent(raw, &m.limits)
	if reject != nil {
		item.Reject = reject
		return nil, nil, ""
	}
	v = &parsed
	d = NewDraft(&m.limits, m.clock)
	d.SetName("", name)
	d.SetTime("$time", v.Get("$time"), m.clock, false)
	found := false
	for _, op := range mixpanelProfileOps {
		if value := v.Get(op); value.Exists() {
			d.Operation(op, value)
			found = true
		}
	}
	for i := range v.Members {
		member := &v.Members[i]
		switch {
		case member.Name == "$delete": // whatever its value: clients send "", "null" and true
			d.Delete()
			found = true
		case mixpanelEnvelope[member.Name]:
		case member.Name == "$ip" && member.Value.Name() == "0": // not to be looked up
		default:
			d.Envelope(member.Name, &member.Value)
		}
	}
	if !found {
		d.Refuse(ingest.BadEvent, "", "expected one of $set, $set_once, $add, $append, $union, $remove, $unset and $delete")
	}
	return d, v, v.Get("$token").Name()
}
