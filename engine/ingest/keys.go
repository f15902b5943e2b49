package ingest

import (
	"encoding/binary"
	"slices"
	"strings"

	"cairn/engine/column"
	"cairn/engine/event"
)

// role says what a key means beyond being a field.
type role uint8

const (
	roleField role = iota
	roleTime
	roleEvent
	roleUser
	roleID
	roleReceived
	roleBag    // the object "fields"
	roleRefuse // a name that cannot be stored
)

// object is a place in the tree of keys: the event, the object "fields", or a nested object. The
// scanner keeps the tree from event to event, so that a known key costs one comparison.
type object struct {
	keys   []*key // open addressing by hash
	used   int
	first  guess
	prefix string   // of the dotted names of its keys
	path   []string // the keys that lead here
	top    bool     // its keys may be attributes by their default names
}

// guess is the keys seen lately at some point of an object.
type guess [2]*key

// key is one key of an object.
type key struct {
	text   []byte // "name": as the input has it, unless it is written with an escape
	head   uint64 // the first eight bytes of text, and the mask of those it has
	mask   uint64
	tail   uint64 // the last eight bytes, if it has as many
	hash   uint32
	epoch  uint32 // the batch of column
	column *column.Column
	role   role
	keep   bool   // an attribute that is a field too
	dotted bool   // some key on the path has a dot
	seen   uint64 // the event that had it last
	next   guess  // what came after it
	inner  *object
	key    string
	name   string // dotted
	refuse string // roleRefuse: the reason
}

// follows reports whether the key stands in data at p, with quotes and colon.
func (k *key) follows(data []byte, p int) bool {
	n := len(k.text)
	if p+n+8 > len(data) {
		return p+n <= len(data) && string(data[p:p+n]) == string(k.text)
	}
	return (binary.LittleEndian.Uint64(data[p:])^k.head)&k.mask == 0 &&
		(n <= 8 || binary.LittleEndian.Uint64(data[p+n-8:]) == k.tail) &&
		(n <= 16 || string(data[p+8:p+n-8]) == string(k.text[8:n-8]))
}

// find returns the key called name, making it if it is new.
func (s *Scanner) find(o *object, name []byte, hash uint32) *key {
	if o.used*2 >= len(o.keys) {
		o.grow()
	}
	mask := uint32(len(o.keys) - 1)
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		k := o.keys[slot]
		if k == nil {
			k = s.newKey(o, string(name), hash)
			o.keys[slot] = k
			o.used++
			return k
		}
		if k.hash == hash && k.key == string(name) {
			return k
		}
	}
}

func (o *object) grow() {
	old := o.keys
	o.keys = make([]*key, max(8, 2*len(old)))
	mask := uint32(len(o.keys) - 1)
	for _, k := range old {
		if k == nil {
			continue
		}
		slot := k.hash & mask
		for o.keys[slot] != nil {
			slot = (slot + 1) & mask
		}
		o.keys[slot] = k
	}
}

func (s *Scanner) newKey(o *object, name string, hash uint32) *key {
	s.treeBytes += 200 + 2*len(name) + len(o.prefix)
	k := &key{
		hash: hash, key: name, name: o.prefix + name,
		dotted: strings.Contains(name, ".") || slices.ContainsFunc(o.path, func(step string) bool { return strings.Contains(step, ".") }),
	}
	k.text = append(append(append(k.text, '"'), name...), '"', ':')
	var padded [8]byte
	n := copy(padded[:], k.text)
	k.head = binary.LittleEndian.Uint64(padded[:])
	k.mask = ^uint64(0) >> (64 - 8*n)
	if len(k.text) >= 8 {
		k.tail = binary.LittleEndian.Uint64(k.text[len(k.text)-8:])
	}
	k.role, k.keep = s.roles.of(k.name, o.top)
	switch {
	case k.role != roleField:
	case len(k.name) > s.opt.NameBytesMax:
		k.role, k.refuse = roleRefuse, NameTooLong
	case strings.HasPrefix(k.name, "\x00"):
		k.role, k.refuse = roleRefuse, BadJSON
	}
	return k
}

// innerOf returns the object below a key.
func (s *Scanner) innerOf(o *object, k *key) *object {
	if k.inner == nil {
		s.treeBytes += 200
		if k.role == roleBag {
			k.inner = &object{}
		} else {
			k.inner = &object{prefix: k.name + ".", path: append(slices.Clip(o.path), k.key)}
		}
	}
	return k.inner
}

// roles are the names with a role, by Options.
type roles struct {
	names    [roleReceived + 1]string
	anywhere [roleReceived + 1]bool // named by an option, other than by its default
	received bool
}

var defaultNames = [roleReceived + 1]string{roleTime: "time", roleEvent: "event", roleUser: "user", roleID: "id", roleReceived: "received"}

func newRoles(opt *Options) roles {
	r := roles{names: defaultNames, received: opt.AllowReceived}
	for role, name := range map[role]string{roleTime: opt.TimeField, roleEvent: opt.EventField, roleUser: opt.UserField, roleID: opt.IDField} {
		if name != "" && name != defaultNames[role] {
			r.names[role], r.anywhere[role] = name, true
		}
	}
	if opt.EventName != "" {
		r.names[roleEvent], r.anywhere[roleEvent] = "", false
	}
	if !opt.AllowReceived {
		r.names[roleReceived] = ""
	}
	return r
}

// of returns the role of a field's name, and whether an attribute stays as a field.
func (r *roles) of(name string, top bool) (role, bool) {
	if name == "" {
		return roleField, false
	}
	for role := roleTime; role <= roleReceived; role++ {
		if r.names[role] == name && (top || r.anywhere[role]) {
			return role, r.anywhere[role] && (role == roleEvent || role == roleUser)
		}
	}
	if top && name == "fields" {
		return roleBag, false
	}
	return roleField, false
}

// addDots appends the hidden field that tells dots inside keys from steps into objects.
func (s *Scanner) addDots() {
	paths := make([][]string, len(s.dots))
	for i, d := range s.dots {
		paths[i] = append(slices.Clip(d.object.path), d.key.key)
	}
	c := s.builder.Field([]byte(event.FieldDots))
	c.AppendText(s.builder.Row(), event.KindString, []byte(event.FormatDots(paths)))
}

// dottedKey is a key with a dot, in its object.
type dottedKey struct {
	object *object
	key    *key
}
