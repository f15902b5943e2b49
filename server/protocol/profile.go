package protocol

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/engine/event"
	"cairn/engine/ingest"
)

// EventProfile is the name of the events that operations on a user's profile are stored as.
const EventProfile = "$profile"

// Profile begins the $profile event that goes with an event: of the same user and time, its insert id made
// of the event's, so that what comes twice is stored once.
func (d *Draft) Profile() *Draft {
	p := NewDraft(d.limits, Clock{Received: d.Event.Received})
	p.Event.Name, p.Event.User, p.Event.Time = EventProfile, d.Event.User, d.Event.Time
	p.Event.ID = derivedID(d.Event.ID, "profile", d.limits)
	p.reject = d.reject
	for _, f := range d.Event.Fields {
		if f.Name == FieldSkew || f.Name == FieldTimeError {
			p.add(layerCairn, []string{f.Name}, f.Value)
		}
	}
	return p
}

// AddProfile gives the item the $profile event of a draft if it has any operations, or a warning if they
// are wrong: the event itself has them as fields and is not lost.
func (it *Item) AddProfile(p *Draft, operations bool) {
	switch {
	case it.Reject != nil:
	case p.reject != nil:
		it.Warning = p.reject
	case operations:
		it.Add(p)
	}
}

// derivedID makes the insert id of what comes with an event from that event's.
func derivedID(id, what string, l *Limits) string {
	switch {
	case id == "":
		return ""
	case len(id)+1+len(what) <= l.IDBytes:
		return id + "/" + what
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:]) + "/" + what
}

// Operation adds an operation with names and values: $set, $set_once, $add, $append, $union, $remove. It
// reports whether there is anything in it. $unset takes a list of names, one name, or an object whose
// names count.
func (d *Draft) Operation(op string, v *Value) bool {
	switch {
	case op == "$unset":
		return d.unset(v)
	case v.Object():
		d.members(layerProperty, []string{op}, v)
		return len(v.Members) > 0
	case v.Exists():
		d.Refuse(ingest.BadEvent, op, "expected an object, found %s", kindNames[v.Kind])
	}
	return false
}

func (d *Draft) unset(v *Value) bool {
	var names []string
	switch v.Kind {
	case '"':
		names = []string{v.Text}
	case '{':
		for _, m := range v.Members {
			names = append(names, m.Name)
		}
	case '[':
		for _, element := range v.Elements(d.limits) {
			if element.Kind != '"' {
				d.Refuse(ingest.BadEvent, "$unset", "expected names, found %s", kindNames[element.Kind])
				return false
			}
			names = append(names, element.Text)
		}
	case 0, 'n':
	default:
		d.Refuse(ingest.BadEvent, "$unset", "expected a list of names, found %s", kindNames[v.Kind])
	}
	if len(names) == 0 {
		return false
	}
	list := jsontext.Value("[")
	for i, name := range names {
		if i > 0 {
			list = append(list, ',')
		}
		list = event.AppendString(list, name)
	}
	d.add(layerProperty, []string{"$unset"}, event.List(string(append(list, ']'))))
	return true
}

// Delete says that the profile is to be forgotten.
func (d *Draft) Delete() { d.add(layerProperty, []string{"$delete"}, event.Bool(true)) }
