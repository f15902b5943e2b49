package event

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object without white space, in the shape that the
// ingest scanner reads: reading it gives the same event again, with every field, type and
// nanosecond. Dotted names become nested objects; fields called like an attribute (time, event,
// user, id, received, fields) go into "fields". Attributes that are absent are left out.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"time":"`...)
	dst = AppendTime(dst, e.Time)
	dst = append(dst, `","event":`...)
	dst = AppendString(dst, e.Name)
	if e.User != "" {
		dst = AppendString(append(dst, `,"user":`...), e.User)
	}
	if e.ID != "" {
		dst = AppendString(append(dst, `,"id":`...), e.ID)
	}
	if e.Received != 0 {
		dst = append(dst, `,"received":"`...)
		dst = append(AppendTime(dst, e.Received), '"')
	}
	w := jsonWriter{dst: dst}
	w.fields(e.Fields)
	return append(w.dst, '}')
}

// AppendTime appends an instant as RFC 3339 in UTC with as many decimals as it needs.
func AppendTime(dst []byte, nanos int64) []byte {
	return time.Unix(0, nanos).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// AppendValue appends a value as JSON. An integer is exact; a float is the shortest text that reads
// back as the same float, with a point or an exponent so that it stays one; a time is a string, a
// duration a number of seconds. An absent value is null.
func AppendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.AsBool())
	case KindInt:
		return strconv.AppendInt(dst, v.AsInt(), 10)
	case KindFloat:
		return AppendFloat(dst, v.AsFloat())
	case KindString:
		return AppendString(dst, v.str)
	case KindList, KindObject:
		return append(dst, v.str...)
	case KindTime:
		return append(AppendTime(append(dst, '"'), v.AsInt()), '"')
	case KindDuration:
		return strconv.AppendFloat(dst, time.Duration(v.AsInt()).Seconds(), 'f', -1, 64)
	default:
		return append(dst, "null"...)
	}
}

// AppendFloat appends the shortest text that reads back as the float f: 1.0, 0.1, 1e+300.
func AppendFloat(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e15) {
		format = 'e'
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if format == 'f' && !slices.Contains(dst[n:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaping only what must be. Bytes that are not UTF-8,
// which no stored string has, become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// reserved are the top-level keys with a meaning of their own.
func reserved(step string) bool {
	switch step {
	case "time", "event", "user", "id", "received", "fields":
		return true
	}
	return false
}

// jsonWriter rebuilds the nesting of an event's fields.
type jsonWriter struct {
	dst   []byte
	comma bool // a member stands before the next one
}

// leaf is a field with its path of keys.
type leaf struct {
	path  []string
	value Value
}

// fields appends the members for the fields of an event; a member stands before them.
func (w *jsonWriter) fields(fields []Field) {
	w.comma = true
	var nested, bag []leaf
	var dots map[string][]string
	for i := range fields {
		if fields[i].Name == FieldDots {
			dots = ParseDots(fields[i].Value.Text())
		}
	}
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Value.IsAbsent() || f.Name == FieldDots:
		case dots == nil && !reserved(f.Name) && strings.IndexByte(f.Name, '.') < 0:
			nested = append(nested, leaf{path: []string{f.Name}, value: f.Value})
		default:
			path, ok := dots[f.Name]
			if !ok {
				path = strings.Split(f.Name, ".")
			}
			if reserved(path[0]) {
				bag = append(bag, leaf{path, f.Value})
			} else {
				nested = append(nested, leaf{path, f.Value})
			}
		}
	}
	nested, bag = moveChildren(nested, bag)
	w.members(nested, 0)
	if len(bag) > 0 {
		w.key("fields")
		w.object(bag, 0)
	}
}

// moveChildren moves leaves below another leaf, which no single object can hold, into the bag, where
// they may have come from: {"a":1,"fields":{"a":{"b":2}}}.
func moveChildren(nested, bag []leaf) (stay, moved []leaf) {
	if !slices.ContainsFunc(nested, func(l leaf) bool { return len(l.path) > 1 }) {
		return nested, bag
	}
	values := make(map[string]bool, len(nested))
	text := func(path []string) string { return FormatDots([][]string{path}) }
	for _, l := range nested {
		values[text(l.path)] = true
	}
	for _, l := range nested {
		below := false
		for n := 1; n < len(l.path); n++ {
			below = below || values[text(l.path[:n])]
		}
		if below {
			bag = append(bag, l)
		} else {
			stay = append(stay, l)
		}
	}
	return stay, bag
}

func (w *jsonWriter) key(name string) {
	if w.comma {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(AppendString(w.dst, name), ':')
	w.comma = true
}

func (w *jsonWriter) object(leaves []leaf, depth int) {
	w.dst = append(w.dst, '{')
	w.comma = false
	w.members(leaves, depth)
	w.dst = append(w.dst, '}')
	w.comma = true
}

// members writes leaves that share their path up to depth. A field that is both a value and the
// parent of others, even in the bag (which no JSON gives), keeps its children under dotted keys.
func (w *jsonWriter) members(leaves []leaf, depth int) {
	var groups map[string][]leaf
	var values map[string]bool
	for _, l := range leaves {
		if len(l.path) == depth+1 {
			continue
		}
		if groups == nil {
			groups, values = map[string][]leaf{}, map[string]bool{}
			for _, other := range leaves {
				if len(other.path) == depth+1 {
					values[other.path[depth]] = true
				}
			}
		}
		groups[l.path[depth]] = append(groups[l.path[depth]], l)
	}
	for _, l := range leaves {
		step := l.path[depth]
		switch {
		case len(l.path) == depth+1:
			w.key(step)
			w.dst = AppendValue(w.dst, l.value)
		case values[step]:
			w.key(strings.Join(l.path[depth:], "."))
			w.dst = AppendValue(w.dst, l.value)
		case groups[step] != nil:
			group := groups[step]
			delete(groups, step)
			w.key(step)
			w.object(group, depth+1)
		}
	}
}

// FormatDots returns the text of the hidden field FieldDots for paths of keys of which at least one
// holds a dot: a line each, sorted, keys joined by dots, with the dots, backslashes and line ends
// inside keys escaped by a backslash (and \n).
func FormatDots(paths [][]string) string {
	lines := make([]string, len(paths))
	for i, path := range paths {
		steps := make([]string, len(path))
		for j, step := range path {
			steps[j] = escapeDots.Replace(step)
		}
		lines[i] = strings.Join(steps, ".")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var escapeDots = strings.NewReplacer(`\`, `\\`, ".", `\.`, "\n", `\n`)

// ParseDots reads the text of FieldDots: field name to path of keys.
func ParseDots(text string) map[string][]string {
	paths := make(map[string][]string)
	if text == "" {
		return paths
	}
	for line := range strings.SplitSeq(text, "\n") {
		var path []string
		var step []byte
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '\\' && i+1 < len(line):
				i++
				if line[i] == 'n' {
					step = append(step, '\n')
				} else {
					step = append(step, line[i])
				}
			case c == '.':
				path = append(path, string(step))
				step = step[:0]
			default:
				step = append(step, c)
			}
		}
		path = append(path, string(step))
		paths[strings.Join(path, ".")] = path
	}
	return paths
}
