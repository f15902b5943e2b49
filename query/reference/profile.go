package reference

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// profileUser returns the name of the user whose profile a row sees, or "": that of the event, also where
// another field is the actor, unless a stage has made the column user.
func profileUser(r *row) string {
	user := r.columns[syntax.ColumnUser]
	switch {
	case r.event != nil && !r.made:
		return r.event.User
	case r.event != nil:
		user = r.user
	}
	if user.Kind() != event.KindString {
		return ""
	}
	return user.AsString()
}

// profile returns the properties of the user whose profile a row sees.
func (r *run) profile(x *row) map[string]event.Value {
	user := profileUser(x)
	if name, ok := r.persons[user]; ok {
		user = name
	}
	return r.profiles[user]
}

// operation is what one field of a profile event does.
type operation struct {
	op       scalar.ProfileOp
	property string
	value    event.Value
}

// profiles folds the profile events of every user.
func profiles(rows []*row) map[string]map[string]event.Value {
	instants := map[string]map[int64][]operation{} // by user
	for _, r := range rows {
		e := r.event
		if e.Name != scalar.ProfileEvent || e.User == "" {
			continue
		}
		if instants[e.User] == nil {
			instants[e.User] = map[int64][]operation{}
		}
		for _, f := range e.Fields {
			if op, property, ok := scalar.ParseProfileField(f.Name); ok {
				instants[e.User][e.Time] = append(instants[e.User][e.Time], operation{op, property, f.Value})
			}
		}
	}
	out := map[string]map[string]event.Value{}
	for user, at := range instants {
		out[user] = fold(at)
	}
	return out
}

// fold applies the operations of a user, instant by instant.
func fold(instants map[int64][]operation) map[string]event.Value {
	profile := map[string]*scalar.Property{}
	for _, at := range sortedInts(instants) {
		operations := instants[at]
		slices.SortFunc(operations, func(a, b operation) int {
			return cmp.Or(cmp.Compare(a.op, b.op), event.Compare(a.value, b.value))
		})
		for _, o := range operations {
			switch {
			case o.op == scalar.ProfileDelete:
				if o.value == event.Bool(true) {
					clear(profile)
				}
			case o.op == scalar.ProfileUnset:
				for name := range profile {
					if o.property != "" && scalar.LiesIn(name, o.property) || o.property == "" && scalar.Unsets(o.value, name) {
						delete(profile, name)
					}
				}
			default:
				if profile[o.property] == nil {
					profile[o.property] = &scalar.Property{}
				}
				profile[o.property].Apply(o.op, o.value)
			}
		}
	}
	values := map[string]event.Value{}
	for name, p := range profile {
		if v := p.Value(); !v.IsAbsent() {
			values[name] = v
		}
	}
	return values
}

func sortedInts[V any](m map[int64]V) []int64 {
	var keys []int64
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
