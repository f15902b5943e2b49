package ingest

import (
	"fmt"
	"time"

	"cairn/engine/column"
)

// attribute reads the value of a key with a role.
func (s *Scanner) attribute(o *object, k *key, p, depth int) int {
	p = s.space(p)
	switch k.role {
	case roleBag:
		if s.at(p) != '{' {
			return s.value(o, k, p, depth)
		}
		return s.object(s.innerOf(o, k), p+1, depth)
	case roleRefuse:
		if k.refuse == NameTooLong {
			return s.refuse(p, NameTooLong, k.name[:min(len(k.name), 64)], "the name has %d bytes, more than %d", len(k.name), s.opt.NameBytesMax)
		}
		return s.refuse(p, k.refuse, "", "the name begins with U+0000")
	}
	if bit := uint8(1) << k.role; s.has&bit != 0 {
		return s.refuse(p, DuplicateField, k.name, "the event has a second value for it")
	}
	next := -1
	if k.keep {
		if next = s.value(o, k, p, depth); next < 0 {
			return -1
		}
	}
	after := s.set(k, p)
	if after < 0 {
		return -1
	}
	return max(after, next)
}

// set gives the event the attribute whose value is at p and returns the position after it.
func (s *Scanner) set(k *key, p int) int {
	switch c := s.at(p); {
	case c == '"':
		if k.role == roleTime && s.times.plain {
			// A time with milliseconds, or with none, that ends where it should needs no search.
			for _, n := range [...]int{len("2006-01-02T15:04:05.000Z"), len("2006-01-02T15:04:05Z")} {
				if s.at(p+1+n) == '"' {
					if nanos, ok := rfc3339(s.data[p+1 : p+1+n]); ok {
						s.setNanos(roleTime, nanos)
						return p + n + 2
					}
				}
			}
		}
		text, hash, next := s.text(p + 1)
		if next < 0 || !s.setText(k.role, k.name, p, text, hash) {
			return -1
		}
		return next
	case c == '-' || c-'0' <= 9:
		kind, bits, n := number(s.data[p:])
		if n <= 0 {
			return s.badNumber(p, n)
		}
		text := s.data[p : p+n]
		switch {
		case k.role == roleTime || k.role == roleReceived:
			nanos, ok := s.times.number(text, kind, bits)
			if !ok {
				return s.refuse(p, BadTime, k.name, "%s is not a time", clip(text))
			}
			s.setNanos(k.role, nanos)
		case k.role == roleEvent && !k.keep:
			return s.refuse(p, BadEvent, k.name, "expected a string, found a number")
		default:
			if !s.setText(k.role, k.name, p, text, column.Hash(text)) {
				return -1
			}
		}
		return p + n
	case c == 'n':
		_, _, next := s.literal(p)
		if next >= 0 && k.role == roleEvent {
			return s.refuse(p, BadEvent, k.name, "expected a string, found null")
		}
		return next
	case c == 0:
		return s.bad(p, "expected a value, found "+s.found(p))
	}
	reason, want := BadEvent, "a string"
	if k.role == roleTime || k.role == roleReceived {
		reason, want = BadTime, "a string or a number"
	}
	return s.refuse(p, reason, k.name, "expected %s, found %s", want, valueNames[s.at(p)])
}

// valueNames are what a value is called by its first byte.
var valueNames = func() (names [256]string) {
	for i := range names {
		names[i] = fmt.Sprintf("%q", rune(i))
	}
	for c := '0'; c <= '9'; c++ {
		names[c] = "a number"
	}
	names['-'], names['"'], names['{'], names['['] = "a number", "a string", "an object", "a list"
	names['t'], names['f'], names['n'] = "true", "false", "null"
	return names
}()

// setText gives the event an attribute by its text; empty is absent. It reports whether that is
// allowed.
func (s *Scanner) setText(r role, name string, p int, text []byte, hash uint32) bool {
	longest, reason := 0, ""
	switch r {
	case roleTime, roleReceived:
		nanos, ok := s.times.text(text)
		if !ok {
			s.refuse(p, BadTime, name, "%q is not a time as %s", clip(text), s.times.expects())
			return false
		}
		s.setNanos(r, nanos)
		return true
	case roleEvent:
		if len(text) == 0 {
			s.refuse(p, BadEvent, name, "the event's name is empty")
			return false
		}
		longest, reason = s.opt.EventNameMax, BadEvent
	case roleUser:
		longest, reason = s.opt.UserBytesMax, UserTooLong
	case roleID:
		longest, reason = s.opt.IDBytesMax, IDTooLong
	}
	if len(text) > longest {
		s.refuse(p, reason, name, "it has %d bytes, more than %d", len(text), longest)
		return false
	}
	s.has |= 1 << r
	if len(text) == 0 {
		return true
	}
	switch r {
	case roleEvent:
		s.builder.SetEventHash(text, hash)
	case roleUser:
		s.builder.SetUserHash(text, hash)
	case roleID:
		s.builder.SetIDHash(text, hash)
	}
	return true
}

func (s *Scanner) setNanos(r role, nanos int64) {
	s.has |= 1 << r
	if r == roleTime {
		s.time = nanos
	} else {
		s.received = nanos
	}
}

// complete checks an event whose fields are all there, fills what it lacks and commits it.
func (s *Scanner) complete(p int) bool {
	if s.has&(1<<roleEvent) == 0 {
		if s.opt.EventName == "" {
			s.refuse(p, BadEvent, s.roles.names[roleEvent], "the event has no name")
			return false
		}
		s.builder.SetEvent(s.eventName)
	}
	if s.has&(1<<roleTime) == 0 {
		if s.opt.TimeField != "" || s.opt.Received == 0 {
			s.refuse(p, BadTime, s.roles.names[roleTime], "the event has no time")
			return false
		}
		s.time = s.opt.Received
	}
	if s.opt.TimeMax != 0 && s.time > s.opt.TimeMax {
		s.refuse(p, TimeTooNew, s.roles.names[roleTime], "%s is after %s", time.Unix(0, s.time).UTC().Format(time.RFC3339Nano), time.Unix(0, s.opt.TimeMax).UTC().Format(time.RFC3339))
		return false
	}
	s.builder.SetTime(s.time)
	switch {
	case s.has&(1<<roleReceived) != 0:
		if !s.arrivals {
			s.arrivals = true
			s.builder.FillReceived(0, s.opt.Received)
		}
		s.builder.SetReceived(s.received)
	case s.arrivals:
		s.builder.SetReceived(s.opt.Received)
	}
	if len(s.dots) > 0 {
		s.addDots()
	}
	s.builder.Commit()
	return true
}

// clip shortens text for a message.
func clip(text []byte) []byte { return text[:min(len(text), 64)] }

// expects says in a message how times are written.
func (r *timeReader) expects() string {
	switch {
	case r.format != "":
		return fmt.Sprintf("%q writes it", r.format)
	case r.unit != 0:
		return "a number"
	case r.lenient:
		return "RFC 3339, a date or a number"
	}
	return "RFC 3339 writes it"
}
