package scalar

import (
	"testing"

	"cairn/engine/event"
)

func TestProperty(t *testing.T) {
	type step struct {
		op ProfileOp
		v  event.Value
	}
	set := func(v event.Value) step { return step{ProfileSet, v} }
	list := event.List
	for _, c := range []struct {
		name  string
		steps []step
		want  event.Value
	}{
		{"nothing", nil, event.Value{}},
		{"set", []step{set(event.Int(1)), set(event.String("a"))}, event.String("a")},
		{"set null", []step{set(event.Int(1)), set(event.Null)}, event.Null},
		{"set once", []step{{ProfileSetOnce, event.Int(1)}, {ProfileSetOnce, event.Int(2)}}, event.Int(1)},
		{"set once over null", []step{set(event.Null), {ProfileSetOnce, event.Int(2)}}, event.Int(2)},
		{"set once over an empty list", []step{set(list("[]")), {ProfileSetOnce, event.Int(2)}}, list("[]")},
		{"add to nothing", []step{{ProfileAdd, event.Int(3)}}, event.Int(3)},
		{"add to null", []step{set(event.Null), {ProfileAdd, event.Float(0.5)}}, event.Float(0.5)},
		{"add", []step{set(event.Int(3)), {ProfileAdd, event.Int(-5)}}, event.Int(-2)},
		{"add a float", []step{set(event.Int(3)), {ProfileAdd, event.Float(0.5)}}, event.Float(3.5)},
		{"add beyond int64", []step{set(event.Int(1<<63 - 1)), {ProfileAdd, event.Int(1)}}, event.Float(1 << 63)},
		{"add beyond float64", []step{set(event.Float(1.7e308)), {ProfileAdd, event.Float(1.7e308)}}, event.Float(1.7e308)},
		{"add to a text", []step{set(event.String("3")), {ProfileAdd, event.Int(1)}}, event.String("3")},
		{"add to a list", []step{{ProfileAppend, event.Int(1)}, {ProfileAdd, event.Int(1)}}, list("[1]")},
		{"add a text", []step{set(event.Int(3)), {ProfileAdd, event.String("1")}}, event.Int(3)},
		{"append to nothing", []step{{ProfileAppend, event.String("a\"b")}}, list(`["a\"b"]`)},
		{"append to null", []step{set(event.Null), {ProfileAppend, event.Null}}, list("[null]")},
		{"append to a value", []step{set(event.String("a")), {ProfileAppend, event.Float(1)}}, list(`["a",1.0]`)},
		{"append a list", []step{set(list("[1]")), {ProfileAppend, list(`[1,[2],{"k":"]"}]`)}}, list(`[1,1,[2],{"k":"]"}]`)},
		{"append an empty list", []step{{ProfileAppend, list("[]")}}, list("[]")},
		{"append an object", []step{{ProfileAppend, event.EmptyObject}}, list("[{}]")},
		{"union", []step{set(list(`[1,1,"é"]`)), {ProfileUnion, list(`[1.0,"\u00e9",2,2]`)}}, list(`[1,1,"é",2]`)},
		{"union twice", []step{{ProfileUnion, event.Int(1)}, {ProfileUnion, event.Int(1)}, {ProfileAppend, event.Int(1)}}, list("[1,1]")},
		{"remove", []step{set(list("[1,2,1.0,3]")), {ProfileRemove, event.Int(1)}}, list("[2,3]")},
		{"remove several", []step{set(list("[1,2,3]")), {ProfileRemove, list("[1,3,4]")}, {ProfileRemove, event.Int(2)}}, list("[]")},
		{"remove and take in again", []step{set(list("[1,2]")), {ProfileRemove, event.Int(1)}, {ProfileUnion, list("[2,1]")}}, list("[2,1]")},
		{"remove from a value", []step{set(event.Int(1)), {ProfileRemove, event.Int(1)}}, event.Int(1)},
		{"remove from nothing", []step{{ProfileRemove, event.Int(1)}}, event.Value{}},
		{"unset", []step{set(event.Int(1)), {ProfileUnset, event.Null}, {ProfileAdd, event.Int(2)}}, event.Int(2)},
	} {
		var p Property
		for _, s := range c.steps {
			p.Apply(s.op, s.v)
		}
		if got := p.Value(); got != c.want {
			t.Errorf("%s: %v %q, want %v %q", c.name, got.Kind(), event.AppendValue(nil, got), c.want.Kind(), event.AppendValue(nil, c.want))
		}
	}
}

func TestParseProfileField(t *testing.T) {
	for _, c := range []struct {
		name     string
		op       ProfileOp
		property string
		ok       bool
	}{
		{"$set.plan", ProfileSet, "plan", true},
		{"$set.address.city", ProfileSet, "address.city", true},
		{"$set_once.plan", ProfileSetOnce, "plan", true},
		{"$remove.plan", ProfileRemove, "plan", true},
		{"$unset", ProfileUnset, "", true},
		{"$unset.plan", ProfileUnset, "plan", true},
		{"$delete", ProfileDelete, "", true},
		{"$delete.plan", 0, "", false},
		{"$set", 0, "", false},
		{"$set.", 0, "", false},
		{"$unset.", 0, "", false},
		{"set.plan", 0, "", false},
		{"plan", 0, "", false},
	} {
		op, property, ok := ParseProfileField(c.name)
		if op != c.op || property != c.property || ok != c.ok {
			t.Errorf("%s: %v %q %v", c.name, op, property, ok)
		}
		if ok && property != "" && ProfileField(op, property) != c.name {
			t.Errorf("%s is written %s", c.name, ProfileField(op, property))
		}
	}
}

func TestUnsets(t *testing.T) {
	for _, c := range []struct {
		v        event.Value
		property string
		want     bool
	}{
		{event.String("a"), "a", true},
		{event.String("a"), "a.b", true},
		{event.String("a"), "ab", false},
		{event.String("a.b"), "a", false},
		{event.List(`["x","a"]`), "a.b.c", true},
		{event.List(`[["a"]]`), "a", false},
		{event.Int(1), "1", false},
		{event.Value{}, "a", false},
	} {
		if got := Unsets(c.v, c.property); got != c.want {
			t.Errorf("%q of %s: %v", event.AppendValue(nil, c.v), c.property, got)
		}
	}
}
