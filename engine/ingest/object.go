package ingest

import (
	"cairn/engine/column"
	"cairn/engine/event"
)

// at returns the byte at p, or 0 at the end, which is nothing that JSON has outside strings.
func (s *Scanner) at(p int) byte {
	if uint(p) < uint(len(s.data)) {
		return s.data[p]
	}
	return 0
}

// space skips white space. The line end is white space only outside NDJSON.
func (s *Scanner) space(p int) int {
	for p < len(s.data) {
		switch s.data[p] {
		case ' ', '\t', '\r':
		case '\n':
			if !s.newline {
				return p
			}
		default:
			return p
		}
		p++
	}
	return p
}

// object reads the members of an object into the builder's event, p being after its brace, and
// returns the position after the closing one, or -1 with s.fail set.
func (s *Scanner) object(o *object, p, depth int) int {
	data := s.data
	if depth > s.opt.DepthMax {
		return s.refuse(p-1, TooDeep, "", "more than %d objects and lists inside each other", s.opt.DepthMax)
	}
	expected := &o.first
	for {
		var k *key
		switch {
		case expected[0] != nil && expected[0].follows(data, p):
			k = expected[0]
			p += len(k.text)
		case expected[1] != nil && expected[1].follows(data, p):
			k = expected[1]
			p += len(k.text)
		default:
			if k, p = s.key(o, p, expected); p < 0 {
				return -1
			}
			if k == nil { // an empty object
				return p
			}
		}
		if k.seen == s.event {
			return s.refuse(p, BadJSON, k.name, "the key stands twice in an object")
		}
		k.seen = s.event
		if s.at(p) == ' ' {
			p++
		}
		if k.role == roleField {
			p = s.value(o, k, p, depth)
		} else {
			p = s.attribute(o, k, p, depth)
		}
		if p < 0 {
			return -1
		}
		c := s.at(p)
		if c != ',' && c != '}' {
			p = s.space(p)
			c = s.at(p)
		}
		switch c {
		case ',':
			p++
			if s.at(p) == ' ' {
				p++
			}
			expected = &k.next
		case '}':
			return p + 1
		default:
			return s.bad(p, "expected a comma or a closing brace after the value, found "+s.found(p))
		}
	}
}

// key reads a key that was not foreseen, and its colon. It returns no key at the brace of an empty object.
func (s *Scanner) key(o *object, p int, expected *guess) (*key, int) {
	p = s.space(p)
	if s.at(p) != '"' {
		if s.at(p) == '}' && expected == &o.first {
			return nil, p + 1
		}
		return nil, s.bad(p, "expected a key in double quotes, found "+s.found(p))
	}
	name, hash, p := s.text(p + 1)
	if p < 0 {
		return nil, -1
	}
	k := s.find(o, name, hash)
	if expected[0] != k && expected[1] != k {
		expected[0], expected[1] = k, expected[0]
	}
	if p = s.space(p); s.at(p) != ':' {
		return nil, s.bad(p, "expected a colon after the key, found "+s.found(p))
	}
	return k, p + 1
}

// value reads the value of a field.
func (s *Scanner) value(o *object, k *key, p, depth int) int {
	c := s.at(p)
	if c <= ' ' {
		p = s.space(p)
		c = s.at(p)
	}
	switch c {
	case '"':
		text, hash, next := s.text(p + 1)
		if next < 0 {
			return -1
		}
		if len(text) > s.opt.StringBytesMax {
			return s.tooLong(p, k, len(text))
		}
		target := s.column(o, k, p)
		if target == nil {
			return -1
		}
		target.AppendTextHash(s.builder.Row(), event.KindString, text, hash)
		return next
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		kind, bits, n := number(s.data[p:])
		if n <= 0 {
			return s.badNumber(p, n)
		}
		target := s.column(o, k, p)
		if target == nil {
			return -1
		}
		target.AppendNum(s.builder.Row(), kind, bits)
		return p + n
	case 't', 'f', 'n':
		kind, bits, next := s.literal(p)
		if next < 0 {
			return -1
		}
		target := s.column(o, k, p)
		if target == nil {
			return -1
		}
		target.AppendNum(s.builder.Row(), kind, bits)
		return next
	case '{':
		if next := s.space(p + 1); s.at(next) == '}' {
			if depth >= s.opt.DepthMax {
				return s.refuse(p, TooDeep, k.name, "more than %d objects and lists inside each other", s.opt.DepthMax)
			}
			return s.textValue(o, k, p, next+1, event.KindObject, emptyObject)
		}
		return s.object(s.innerOf(o, k), p+1, depth+1)
	case '[':
		list, next := s.list(p, depth)
		if next < 0 {
			return -1
		}
		return s.textValue(o, k, p, next, event.KindList, list)
	}
	return s.bad(p, "expected a value, found "+s.found(p))
}

var emptyObject = []byte("{}")

func (s *Scanner) textValue(o *object, k *key, p, next int, kind event.Kind, text []byte) int {
	target := s.column(o, k, p)
	if target == nil {
		return -1
	}
	target.AppendText(s.builder.Row(), kind, text)
	return next
}

// literal reads true, false or null.
func (s *Scanner) literal(p int) (kind event.Kind, bits uint64, next int) {
	rest := s.data[p:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		return event.KindBool, 1, p + 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return event.KindBool, 0, p + 5
	case len(rest) >= 4 && string(rest[:4]) == "null":
		return event.KindNull, 0, p + 4
	}
	return 0, 0, s.bad(p, "expected a value, found "+s.found(p))
}

// column returns the column for the value of a key in the current event, or nil with s.fail set.
func (s *Scanner) column(o *object, k *key, p int) *column.Column {
	if k.epoch != s.epoch {
		k.column, k.epoch = s.builder.Column([]byte(k.name)), s.epoch
	}
	if s.fields++; s.fields > s.opt.FieldsMax {
		s.refuse(p, TooManyFields, "", "more than %d fields", s.opt.FieldsMax)
		return nil
	}
	if !s.builder.Touch(k.column) {
		s.refuse(p, DuplicateField, k.name, "the field has a value already")
		return nil
	}
	if k.dotted {
		s.dots = append(s.dots, dottedKey{o, k})
	}
	return k.column
}

func (s *Scanner) tooLong(p int, k *key, n int) int {
	return s.refuse(p, ValueTooLong, k.name, "the string has %d bytes, more than %d", n, s.opt.StringBytesMax)
}

func (s *Scanner) badNumber(p, n int) int {
	if n < 0 {
		return s.bad(p, "the number is beyond a 64-bit float")
	}
	return s.bad(p, "not a number as JSON writes them")
}
