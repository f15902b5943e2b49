package lookup

import (
	"strconv"
	"strings"

	"cairn/engine/event"
)

// AppendNDJSON appends the rows as one object a line, nulls included. Parse makes the same table of it, if
// there is a row.
func (t *Table) AppendNDJSON(dst []byte) []byte {
	names := make([][]byte, len(t.columns))
	for i, name := range t.columns {
		names[i] = append(event.AppendString(nil, name), ':')
	}
	for row := range t.rows {
		for i, v := range t.Row(row) {
			if i == 0 {
				dst = append(dst, '{')
			} else {
				dst = append(dst, ',')
			}
			dst = appendJSON(append(dst, names[i]...), v)
		}
		dst = append(dst, '}', '\n')
	}
	return dst
}

func appendJSON(dst []byte, v event.Value) []byte {
	switch v.Kind() {
	case event.KindBool:
		return strconv.AppendBool(dst, v.AsBool())
	case event.KindInt:
		return strconv.AppendInt(dst, v.AsInt(), 10)
	case event.KindFloat:
		return event.AppendFloat(dst, v.AsFloat())
	case event.KindString:
		return event.AppendString(dst, v.AsString())
	default:
		return append(dst, "null"...)
	}
}

// AppendCSV appends a line with the names of the columns and the rows. A string that Parse would take for
// something else is in quotes, so that it makes the same table of the text.
func (t *Table) AppendCSV(dst []byte) []byte {
	for i, name := range t.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCell(dst, name, strings.ContainsAny(name, ";\t") || i == 0 && strings.HasPrefix(name, "{"))
	}
	dst = append(dst, '\n')
	for row := range t.rows {
		for i, v := range t.Row(row) {
			if i > 0 {
				dst = append(dst, ',')
			}
			switch v.Kind() {
			case event.KindNull: // never alone in its line, which would be no row: a key has a value
			case event.KindString:
				plain := cell{text: []byte(v.AsString())}
				dst = appendCell(dst, v.AsString(), plain.value() != v)
			default:
				dst = appendJSON(dst, v)
			}
		}
		dst = append(dst, '\n')
	}
	return dst
}

func appendCell(dst []byte, text string, quote bool) []byte {
	if !quote && !strings.ContainsAny(text, ",\"\r\n") && strings.TrimSpace(text) == text && !strings.HasPrefix(text, "\ufeff") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}
