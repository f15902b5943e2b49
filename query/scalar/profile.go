package scalar

import (
	"strings"

	"cairn/engine/event"
)

// ProfileEvent is the name of the events whose fields are operations on the profile of their user.
const ProfileEvent = "$profile"

// ProfileOp is an operation on a profile. The order of the constants is the order in which operations of
// one instant are applied.
type ProfileOp uint8

// The operations. All but the first two are about one property.
const (
	ProfileDelete  ProfileOp = iota // $delete: true takes all properties away
	ProfileUnset                    // $unset: a name or a list of names, or $unset.NAME whatever its value
	ProfileSet                      // $set.NAME
	ProfileSetOnce                  // $set_once.NAME: only where the property is absent or null
	ProfileAdd                      // $add.NAME: a number
	ProfileAppend                   // $append.NAME: an element, or the elements of a list
	ProfileUnion                    // $union.NAME: likewise, those that are not in the list yet
	ProfileRemove                   // $remove.NAME: an element, or the elements of a list
)

// Makes reports whether an operation can give a property a value.
func (op ProfileOp) Makes() bool { return op >= ProfileSet && op != ProfileRemove }

var profileOps = [...]string{"$delete", "$unset", "$set", "$set_once", "$add", "$append", "$union", "$remove"}

// ProfileField returns the name of the field that applies an operation to a property, any but ProfileDelete.
func ProfileField(op ProfileOp, property string) string { return profileOps[op] + "." + property }

// The fields that are about more than one property.
const (
	ProfileDeleteField = "$delete"
	ProfileUnsetField  = "$unset"
)

// ParseProfileField says what a field of a profile event does; property is "" for ProfileDeleteField and
// ProfileUnsetField, which are about names in their value. ok is false for fields that are no operation.
func ParseProfileField(name string) (op ProfileOp, property string, ok bool) {
	switch name {
	case ProfileDeleteField:
		return ProfileDelete, "", true
	case ProfileUnsetField:
		return ProfileUnset, "", true
	}
	word, property, _ := strings.Cut(name, ".")
	if property == "" {
		return 0, "", false
	}
	for op, have := range profileOps {
		if have == word && ProfileOp(op) != ProfileDelete {
			return ProfileOp(op), property, true
		}
	}
	return 0, "", false
}

// Unsets reports whether a value of the field ProfileUnsetField takes a property away: it, or one of its
// elements, is the property's name or that of an object that it lies in.
func Unsets(v event.Value, property string) bool {
	switch v.Kind() {
	case event.KindString:
		return LiesIn(property, v.AsString())
	case event.KindList:
		return Elements(v, func(el event.Value) bool {
			return el.Kind() == event.KindString && LiesIn(property, el.AsString())
		})
	}
	return false
}

// LiesIn reports whether a property is called name or lies in the object of that name: address.city lies in
// address.
func LiesIn(property, name string) bool {
	rest, ok := strings.CutPrefix(property, name)
	return ok && (rest == "" || rest[0] == '.')
}

// Property is a property of a profile while operations are applied to it, one after the other. The zero
// value is an absent one. It is used by one goroutine.
type Property struct {
	value    event.Value // where it is no list
	list     bool
	elements []string            // of a list, as JSON
	members  map[event.Value]int // how often each is in the list, by its canonical value; nil until needed
}

// Apply applies an operation of the property's own: what v lets ProfileDelete and ProfileUnset do is for the
// caller to say. Operations that v does not suit do nothing.
//
//	set       the value, whatever it was
//	set_once  the value, if there was none but null
//	add       the sum of two numbers, v where there was none but null; other values stay
//	append    v behind the list, or each of its elements if it is a list; another value is a list of itself
//	union     likewise, without what is in the list (1 and 1.0 are one)
//	remove    the list without what equals v, or one of its elements; other values stay
func (p *Property) Apply(op ProfileOp, v event.Value) {
	switch op {
	case ProfileDelete, ProfileUnset:
		*p = Property{}
	case ProfileSet:
		*p = Property{value: v}
	case ProfileSetOnce:
		if !p.exists() {
			*p = Property{value: v}
		}
	case ProfileAdd:
		p.add(v)
	case ProfileAppend, ProfileUnion:
		p.toList()
		eachElement(v, func(el event.Value, text string) {
			if op == ProfileUnion && p.has(el) {
				return
			}
			p.elements = append(p.elements, text)
			if p.members != nil {
				p.members[el]++
			}
		})
	case ProfileRemove:
		p.remove(v)
	}
}

// Value returns the property, absent if there is none.
func (p *Property) Value() event.Value {
	if !p.list {
		return p.value
	}
	return event.List("[" + strings.Join(p.elements, ",") + "]")
}

func (p *Property) exists() bool { return p.list || p.value.Exists() }

func (p *Property) add(v event.Value) {
	switch {
	case !v.IsNumber():
	case !p.exists():
		*p = Property{value: v}
	case !p.list && p.value.IsNumber():
		if sum := add(p.value, v); sum.Exists() {
			p.value = sum
		}
	}
}

// toList makes the property a list, of its value if it has one.
func (p *Property) toList() {
	if p.list {
		return
	}
	before := p.value
	*p = Property{list: true}
	if before.Exists() {
		eachElement(before, func(_ event.Value, text string) { p.elements = append(p.elements, text) })
	}
}

// has reports whether an element is in the list.
func (p *Property) has(el event.Value) bool {
	if p.members == nil {
		p.members = make(map[event.Value]int, len(p.elements))
		for _, text := range p.elements {
			p.members[decodeJSON(text).Canonical()]++
		}
	}
	return p.members[el] > 0
}

func (p *Property) remove(v event.Value) {
	if !p.list && p.value.Kind() != event.KindList {
		return
	}
	p.toList()
	gone := map[event.Value]bool{}
	eachElement(v, func(el event.Value, _ string) {
		if p.has(el) {
			gone[el] = true
			delete(p.members, el)
		}
	})
	if len(gone) == 0 {
		return
	}
	kept := make([]string, 0, len(p.elements))
	for _, text := range p.elements {
		if !gone[decodeJSON(text).Canonical()] {
			kept = append(kept, text)
		}
	}
	p.elements = kept
}

// eachElement calls yield for the elements of a list, or for a value that is none, canonical and as JSON.
func eachElement(v event.Value, yield func(el event.Value, text string)) {
	if v.Kind() != event.KindList {
		yield(v.Canonical(), string(event.AppendValue(nil, v)))
		return
	}
	s := v.Text()
	for at := 1; at < len(s) && s[at] != ']'; {
		end := skipJSON(s, at)
		if end <= at {
			return
		}
		yield(decodeJSON(s[at:end]).Canonical(), s[at:end])
		at = end
		if at < len(s) && s[at] == ',' {
			at++
		}
	}
}
