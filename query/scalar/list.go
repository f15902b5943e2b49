package scalar

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"cairn/engine/event"
)

// Elements calls test for the elements of a list until one passes, and reports whether one did. An
// element that is an object has KindObject and its text, which equals only the same text.
func Elements(list event.Value, test func(event.Value) bool) bool {
	s := list.Text()
	if len(s) < 2 || s[0] != '[' {
		return false
	}
	for at := 1; at < len(s) && s[at] != ']'; {
		end := skipJSON(s, at)
		if end <= at || test(decodeJSON(s[at:end])) {
			return end > at
		}
		at = end
		if at < len(s) && s[at] == ',' {
			at++
		}
	}
	return false
}

// skipJSON returns the end of the compact JSON value at s[at:].
func skipJSON(s string, at int) int {
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// decodeJSON makes a value of compact JSON text that is known to be well formed.
func decodeJSON(s string) event.Value {
	switch s[0] {
	case 'n':
		return event.Null
	case 't', 'f':
		return event.Bool(s[0] == 't')
	case '[':
		return event.List(s)
	case '{':
		return event.FromBits(event.KindObject, 0, s)
	case '"':
		return event.String(unquoteJSON(strings.TrimSuffix(s[1:], `"`)))
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return event.Int(i)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return event.Null
	}
	return Finite(f)
}

// unquoteJSON resolves the escapes of a JSON string.
func unquoteJSON(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b = append(b, '\n')
		case 't':
			b = append(b, '\t')
		case 'r':
			b = append(b, '\r')
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'u':
			r := hexRune(s, i+1)
			i += 4
			if utf16.IsSurrogate(r) && i+2 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
				r = utf16.DecodeRune(r, hexRune(s, i+3))
				i += 6
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func hexRune(s string, at int) rune {
	if at+4 > len(s) {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(s[at:at+4], 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// ListOf makes a list of values; absent ones become null, times RFC 3339 texts in the zone and
// durations numbers of seconds.
func ListOf(values []event.Value, zone *time.Location) event.Value {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		switch v.Kind() {
		case event.KindTime:
			b = append(b, '"')
			b = time.Unix(0, v.AsInt()).In(zone).AppendFormat(b, time.RFC3339Nano)
			b = append(b, '"')
		case event.KindDuration:
			b = event.AppendValue(b, number(v))
		default:
			b = event.AppendValue(b, v)
		}
	}
	return event.List(string(append(b, ']')))
}
