package ingest

import "cairn/engine/event"

// list reads an array at p and returns its compact text, valid until the next list: without white
// space, numbers as they stand, strings with the least of escapes.
func (s *Scanner) list(p, depth int) (text []byte, next int) {
	s.compact = s.compact[:0]
	next = s.listValue(p, depth+1)
	return s.compact, next
}

// listValue appends the value at p, which is inside a list or is one, to s.compact; depth is its own
// if it holds others.
func (s *Scanner) listValue(p, depth int) int {
	c := s.at(p)
	if c == '{' || c == '[' {
		if depth > s.opt.DepthMax {
			return s.refuse(p, TooDeep, "", "more than %d objects and lists inside each other", s.opt.DepthMax)
		}
	}
	switch {
	case c == '[':
		return s.listElements(p+1, depth)
	case c == '{':
		return s.listMembers(p+1, depth)
	case c == '"':
		return s.listText(p + 1)
	case c == '-' || c-'0' <= 9:
		_, _, n := number(s.data[p:])
		if n <= 0 {
			return s.badNumber(p, n)
		}
		s.compact = append(s.compact, s.data[p:p+n]...)
		return p + n
	case c == 't' || c == 'f' || c == 'n':
		_, _, next := s.literal(p)
		if next >= 0 {
			s.compact = append(s.compact, s.data[p:next]...)
		}
		return next
	}
	return s.bad(p, "expected a value, found "+s.found(p))
}

func (s *Scanner) listText(p int) int {
	text, _, next := s.text(p)
	if next < 0 {
		return -1
	}
	if len(text) > s.opt.StringBytesMax {
		return s.refuse(p, ValueTooLong, "", "a string in a list has %d bytes, more than %d", len(text), s.opt.StringBytesMax)
	}
	if next == p+len(text)+1 { // no escapes
		s.compact = append(s.compact, s.data[p-1:next]...)
	} else {
		s.compact = event.AppendString(s.compact, string(text))
	}
	return next
}

func (s *Scanner) listElements(p, depth int) int {
	s.compact = append(s.compact, '[')
	if p = s.space(p); s.at(p) == ']' {
		s.compact = append(s.compact, ']')
		return p + 1
	}
	for {
		if p = s.listValue(s.space(p), depth+1); p < 0 {
			return -1
		}
		p = s.space(p)
		c := s.at(p)
		if c != ',' && c != ']' {
			return s.bad(p, "expected a comma or a closing bracket after the value, found "+s.found(p))
		}
		s.compact = append(s.compact, c)
		p++
		if c == ']' {
			return p
		}
	}
}

func (s *Scanner) listMembers(p, depth int) int {
	s.compact = append(s.compact, '{')
	if p = s.space(p); s.at(p) == '}' {
		s.compact = append(s.compact, '}')
		return p + 1
	}
	seen := make(map[string]bool)
	for {
		p = s.space(p)
		if s.at(p) != '"' {
			return s.bad(p, "expected a key in double quotes, found "+s.found(p))
		}
		start := p
		name, _, next := s.text(p + 1)
		if next < 0 {
			return -1
		}
		if seen[string(name)] {
			return s.refuse(start, BadJSON, string(clip(name)), "the key stands twice in an object")
		}
		seen[string(name)] = true
		s.compact = append(event.AppendString(s.compact, string(name)), ':')
		if p = s.space(next); s.at(p) != ':' {
			return s.bad(p, "expected a colon after the key, found "+s.found(p))
		}
		if p = s.listValue(s.space(p+1), depth+1); p < 0 {
			return -1
		}
		p = s.space(p)
		c := s.at(p)
		if c != ',' && c != '}' {
			return s.bad(p, "expected a comma or a closing brace after the value, found "+s.found(p))
		}
		s.compact = append(s.compact, c)
		p++
		if c == '}' {
			return p
		}
	}
}
