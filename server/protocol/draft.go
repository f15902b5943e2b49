package protocol

import (
	"fmt"
	"math"
	"strings"

	"cairn/engine/event"
	"cairn/engine/ingest"
)

// Draft is an event in the making. Its methods note the first thing that is wrong with it; Done tells.
type Draft struct {
	Event event.Event

	limits *Limits
	layers []layer        // of each field of the event
	names  map[string]int // the fields by name, once there are many
	dots   [][]string
	reject *Reject
}

// layer says where the fields of an event come from. Names of a layer hide those of later ones, which are
// kept under another name.
type layer uint8

const (
	layerCairn    layer = iota + 1 // what Cairn adds
	layerProperty                  // what the application says, by its own names
	layerEnvelope                  // what the client says about itself
)

// aside is where a name of each layer goes that is taken or reserved.
var aside = [...]string{layerProperty: "properties", layerEnvelope: "envelope"}

// reservedName reports whether a field cannot be called so: the event has an attribute of that name.
func reservedName(step string) bool {
	switch step {
	case "time", "event", "user", "id", "received":
		return true
	}
	return false
}

// NewDraft begins an event that arrived when the clock says.
func NewDraft(l *Limits, clock Clock) *Draft {
	return &Draft{
		Event:  event.Event{Time: clock.Received, Received: clock.Received},
		limits: l,
	}
}

// fieldsFew is how many fields are looked through one by one.
const fieldsFew = 24

// field returns the index of the field called name, or -1.
func (d *Draft) field(name string) int {
	if d.names != nil {
		if i, ok := d.names[name]; ok {
			return i
		}
		return -1
	}
	for i := range d.Event.Fields {
		if d.Event.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// set appends a field whose name is new.
func (d *Draft) set(from layer, name string, v event.Value) {
	if d.Event.Fields == nil {
		d.Event.Fields, d.layers = make([]event.Field, 0, fieldsFew), make([]layer, 0, fieldsFew)
	}
	if n := len(d.Event.Fields); n == fieldsFew {
		d.names = make(map[string]int, 4*fieldsFew)
		for i := range d.Event.Fields {
			d.names[d.Event.Fields[i].Name] = i
		}
	}
	if d.names != nil {
		d.names[name] = len(d.Event.Fields)
	}
	d.Event.Fields, d.layers = append(d.Event.Fields, event.Field{Name: name, Value: v}), append(d.layers, from)
}

// Refuse notes what is wrong with the event, unless something is already.
func (d *Draft) Refuse(reason, field, format string, args ...any) {
	if d.reject == nil {
		d.reject = &Reject{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
	}
}

// SetName names the event. field is where the name stands, for the message.
func (d *Draft) SetName(field, name string) {
	switch {
	case name == "":
		d.Refuse(ingest.BadEvent, field, "the event has no name")
	case len(name) > d.limits.EventName:
		d.Refuse(ingest.BadEvent, field, "it has %d bytes, more than %d", len(name), d.limits.EventName)
	}
	d.Event.Name = name
}

// SetNameFrom names the event by a member, which has to be a string.
func (d *Draft) SetNameFrom(field string, name *Value) {
	if name.Exists() && name.Kind != '"' {
		d.Refuse(ingest.BadEvent, field, "expected a string, found %s", kindNames[name.Kind])
	}
	d.SetName(field, name.Text)
}

// SetUser sets who did it; "" is nobody.
func (d *Draft) SetUser(user string) {
	if len(user) > d.limits.UserBytes {
		reject := userTooLong(user, d.limits)
		d.Refuse(reject.Reason, reject.Field, "%s", reject.Message)
	}
	d.Event.User = user
}

func userTooLong(user string, l *Limits) *Reject {
	return &Reject{Reason: ingest.UserTooLong, Field: "user", Message: fmt.Sprintf("it has %d bytes, more than %d", len(user), l.UserBytes)}
}

// SetID sets the insert id; "" is none.
func (d *Draft) SetID(id string) {
	if len(id) > d.limits.IDBytes {
		d.Refuse(ingest.IDTooLong, "id", "it has %d bytes, more than %d", len(id), d.limits.IDBytes)
	}
	d.Event.ID = id
}

// SetTime sets the time from the client's, which is moved by the clock's skew; without one it is that of
// the arrival. field names it in messages. A time that cannot be read rejects the event, or, if lenient,
// is kept as a field of an event that has the time of its arrival.
func (d *Draft) SetTime(field string, client *Value, clock Clock, lenient bool) {
	if !client.Exists() {
		return
	}
	nanos, ok := ingest.ParseTime(client.Name())
	sum := nanos + clock.Skew
	if ok && (sum >= nanos) == (clock.Skew >= 0) {
		d.Event.Time = sum
		if clock.Skew != 0 {
			d.add(layerCairn, []string{FieldSkew}, event.Int(clock.Skew/1e6))
		}
		return
	}
	shown := client.Text
	if shown == "" && client.Kind != '"' {
		shown = kindNames[client.Kind]
	}
	shown = strings.ToValidUTF8(shown[:min(len(shown), 64)], "")
	if lenient {
		d.add(layerCairn, []string{FieldTimeError}, event.String(shown))
		return
	}
	d.Refuse(ingest.BadTime, field, "%q is not a time", shown)
}

// Properties makes fields of an object's members, by their own names: nested objects dotted, lists whole.
// What has a reserved name goes below "properties". Anything but an object is passed over if it is
// absent or null, and else refused.
func (d *Draft) Properties(field string, v *Value) {
	if !v.Exists() {
		return
	}
	if !v.Object() {
		d.Refuse(ingest.BadEvent, field, "expected an object, found %s", kindNames[v.Kind])
		return
	}
	d.members(layerProperty, nil, v)
}

// Property makes a field of one property, as Properties does.
func (d *Draft) Property(name string, v *Value) { d.flatten(layerProperty, []string{name}, v) }

// Envelope makes fields of what the client says about itself: name is that of the field, or the prefix of
// the names in an object. A name that a property has already goes below "envelope", unless both say the
// same. Absent, null and {} are passed over.
func (d *Draft) Envelope(name string, v *Value) {
	if v.Exists() && !(v.Object() && len(v.Members) == 0) {
		d.flatten(layerEnvelope, []string{name}, v)
	}
}

// EnvelopeText is Envelope of a text; "" is passed over.
func (d *Draft) EnvelopeText(name, text string) {
	if text != "" {
		d.flatten(layerEnvelope, []string{name}, &Value{Kind: '"', Text: text})
	}
}

func (d *Draft) members(from layer, path []string, v *Value) {
	for i := range v.Members {
		m := &v.Members[i]
		d.flatten(from, append(path[:len(path):len(path)], m.Name), &m.Value)
	}
}

func (d *Draft) flatten(from layer, path []string, v *Value) {
	if d.reject != nil {
		return
	}
	if v.Kind == '{' && len(v.Members) > 0 {
		d.members(from, path, v)
		return
	}
	depth := len(path) + v.height
	if v.Kind == '{' {
		depth++
	}
	if depth > d.limits.Depth {
		d.Refuse(ingest.TooDeep, path[0], "more than %d objects and lists inside each other", d.limits.Depth)
		return
	}
	d.add(from, path, v.Scalar())
}

// add appends a field.
func (d *Draft) add(from layer, path []string, v event.Value) {
	name := strings.Join(path, ".")
	if from != layerCairn {
		first, _, _ := strings.Cut(path[0], ".")
		taken := d.field(name)
		if taken >= 0 && from == layerEnvelope && d.Event.Fields[taken].Value == v {
			return // it says the same
		}
		if taken >= 0 && d.layers[taken] != from || reservedName(first) || name == FieldSkew || name == FieldTimeError {
			path = append([]string{aside[from]}, path...)
			name = strings.Join(path, ".")
		}
	}
	switch {
	case len(name) > d.limits.NameBytes:
		shown := strings.ToValidUTF8(name[:min(len(name), 64)], "")
		d.Refuse(ingest.NameTooLong, shown, "the name has %d bytes, more than %d", len(name), d.limits.NameBytes)
	case strings.HasPrefix(name, "\x00"):
		d.Refuse(ingest.BadJSON, "", "the name begins with U+0000")
	case d.field(name) >= 0:
		d.Refuse(ingest.DuplicateField, name, "the field has a value already")
	case len(d.Event.Fields) == d.limits.Fields:
		d.Refuse(ingest.TooManyFields, "", "more than %d fields", d.limits.Fields)
	case v.Kind() == event.KindString && len(v.AsString()) > d.limits.StringBytes:
		d.Refuse(ingest.ValueTooLong, name, "the string has %d bytes, more than %d", len(v.AsString()), d.limits.StringBytes)
	}
	if d.reject != nil {
		return
	}
	d.set(from, name, v)
	if strings.Count(name, ".") >= len(path) {
		d.dots = append(d.dots, path)
	}
}

// Done returns the event, or why it cannot be stored.
func (d *Draft) Done() (event.Event, *Reject) {
	if d.Event.Time == math.MinInt64 {
		d.Refuse(ingest.BadTime, "time", "it is out of range")
	}
	if d.reject != nil {
		return event.Event{}, d.reject
	}
	if len(d.dots) > 0 {
		d.Event.Fields = append(d.Event.Fields, event.Field{Name: event.FieldDots, Value: event.String(event.FormatDots(d.dots))})
		d.dots = nil
	}
	return d.Event, nil
}

// Add gives the item the event of the draft. If it cannot be stored, the item is rejected as a whole.
func (it *Item) Add(d *Draft) {
	if it.Reject != nil {
		return
	}
	e, reject := d.Done()
	if reject != nil {
		it.refuse(reject)
		return
	}
	it.Events = append(it.Events, e)
}
