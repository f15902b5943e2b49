package ingest

// skip passes over one JSON value of any kind and depth, at p after white space, and returns the
// position after it. It looks at the grammar alone, to find where a rejected event ends: not at
// UTF-8, surrogates, repeated keys or the size of numbers. -1 is a value without an end; s.fail
// then says where and why.
func (s *Scanner) skip(p int) int {
	nesting := s.nesting[:0] // the closing bytes to come
	defer func() { s.nesting = nesting }()
	for {
		p = s.space(p)
		c := s.at(p)
		switch {
		case c == '{' || c == '[':
			end := c + 2
			if next := s.space(p + 1); s.at(next) == end {
				p = next + 1
				break
			}
			nesting = append(nesting, end)
			p++
			if c == '{' {
				if p = s.skipKey(p); p < 0 {
					return -1
				}
			}
			continue
		case c == '"':
			if p = s.skipText(p + 1); p < 0 {
				return -1
			}
		case c == '-' || c-'0' <= 9:
			_, _, n := number(s.data[p:])
			if n == 0 {
				return s.badNumber(p, n)
			}
			if n < 0 {
				n = 1
				for p+n < len(s.data) && numberByte(s.data[p+n]) {
					n++
				}
			}
			p += n
		default:
			_, _, next := s.literal(p)
			if next < 0 {
				return -1
			}
			p = next
		}
		for {
			if len(nesting) == 0 {
				return p
			}
			end := nesting[len(nesting)-1]
			p = s.space(p)
			c := s.at(p)
			p++
			if c == end {
				nesting = nesting[:len(nesting)-1]
				continue
			}
			if c != ',' {
				return s.bad(p-1, "expected a comma or the end after the value, found "+s.found(p-1))
			}
			if end == '}' {
				if p = s.skipKey(p); p < 0 {
					return -1
				}
			}
			break
		}
	}
}

func (s *Scanner) skipKey(p int) int {
	p = s.space(p)
	if s.at(p) != '"' {
		return s.bad(p, "expected a key in double quotes, found "+s.found(p))
	}
	if p = s.skipText(p + 1); p < 0 {
		return -1
	}
	if p = s.space(p); s.at(p) != ':' {
		return s.bad(p, "expected a colon after the key, found "+s.found(p))
	}
	return p + 1
}

func (s *Scanner) skipText(p int) int {
	for ; p < len(s.data); p++ {
		switch c := s.data[p]; {
		case c == '"':
			return p + 1
		case c == '\\':
			if _, n := unescapeRune(s.data[p:]); n == 0 {
				return s.bad(p, "an unknown escape in a string")
			}
			p++
		case c < 0x20:
			return s.controlCharacter(p)
		}
	}
	return s.bad(p, "a string has no end")
}

func numberByte(c byte) bool {
	return c-'0' <= 9 || c == '.' || c == '-' || c == '+' || c|0x20 == 'e'
}
