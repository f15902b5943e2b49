package result

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

const exactIntMax = 1 << 53 // JSON readers hold numbers as float64

// AppendJSON appends {"columns":[{"name","type"}…],"rows":[[…]…],"meta":{…}} and a newline.
func AppendJSON(dst []byte, t *Table) []byte {
	dst = append(dst, `{"columns":`...)
	dst = AppendColumns(dst, t.Columns)
	dst = append(dst, `,"rows":[`...)
	for i, row := range t.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '\n', '[')
		for j, v := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, v, t.Meta.Zone())
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `],`...)
	dst = append(dst, '\n')
	dst = append(dst, `"meta":`...)
	dst = AppendMeta(dst, &t.Meta)
	return append(dst, '}', '\n')
}

// AppendColumns appends [{"name","type"}…].
func AppendColumns(dst []byte, columns []Column) []byte {
	dst = append(dst, '[')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = event.AppendString(dst, c.Name)
		dst = append(dst, `,"type":`...)
		dst = event.AppendString(dst, string(c.Type))
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendNDJSON appends one row object a line and a last line {"meta":{…}}.
func AppendNDJSON(dst []byte, t *Table) []byte {
	for _, row := range t.Rows {
		dst = AppendNDJSONRow(dst, t, row)
	}
	dst = append(dst, `{"meta":`...)
	dst = AppendMeta(dst, &t.Meta)
	return append(dst, '}', '\n')
}

// AppendNDJSONRow appends one row of t as an object and a newline, for writers that stream. What is
// absent is left out.
func AppendNDJSONRow(dst []byte, t *Table, row []event.Value) []byte {
	dst = append(dst, '{')
	first := true
	for j, v := range row {
		if v.IsAbsent() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = event.AppendString(dst, t.Columns[j].Name)
		dst = append(dst, ':')
		dst = AppendValue(dst, v, t.Meta.Zone())
	}
	return append(dst, '}', '\n')
}

// AppendMeta appends the meta object.
func AppendMeta(dst []byte, m *Meta) []byte {
	dst = append(dst, `{"snapshot":`...)
	dst = event.AppendString(dst, m.Snapshot)
	dst = append(dst, `,"tz":`...)
	dst = event.AppendString(dst, m.Zone().String())
	dst = append(dst, `,"complete_until":`...)
	if m.CompleteUntil == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = appendTime(dst, m.CompleteUntil, m.Zone())
	}
	dst = append(dst, `,"exact":`...)
	dst = strconv.AppendBool(dst, m.Exact)
	if !m.Exact {
		dst = append(dst, `,"error":`...)
		dst = event.AppendFloat(dst, m.ErrorBound)
	}
	dst = append(dst, `,"partial":`...)
	dst = strconv.AppendBool(dst, m.Partial)
	dst = append(dst, `,"truncated":`...)
	dst = strconv.AppendBool(dst, m.Truncated)
	dst = append(dst, `,"segments":`...)
	dst = strconv.AppendInt(dst, int64(m.Segments), 10)
	dst = append(dst, `,"rows":`...)
	dst = strconv.AppendInt(dst, m.RowsRead, 10)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendInt(dst, m.BytesRead, 10)
	dst = append(dst, `,"seconds":`...)
	dst = strconv.AppendFloat(dst, math.Round(m.Elapsed.Seconds()*1e6)/1e6, 'f', -1, 64)
	dst = append(dst, `,"warnings":[`...)
	for i, w := range m.Warnings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = event.AppendString(dst, w)
	}
	return append(dst, ']', '}')
}

// AppendValue appends v as JSON by the rules of the package.
func AppendValue(dst []byte, v event.Value, zone *time.Location) []byte {
	switch v.Kind() {
	case event.KindBool:
		return strconv.AppendBool(dst, v.AsBool())
	case event.KindInt:
		i := v.AsInt()
		if i > exactIntMax || i < -exactIntMax {
			dst = append(dst, '"')
			dst = strconv.AppendInt(dst, i, 10)
			return append(dst, '"')
		}
		return strconv.AppendInt(dst, i, 10)
	case event.KindFloat:
		return event.AppendFloat(dst, v.AsFloat())
	case event.KindString:
		return event.AppendString(dst, v.AsString())
	case event.KindList, event.KindObject:
		return appendList(dst, v.Text())
	case event.KindTime:
		return appendTime(dst, v.AsInt(), zone)
	case event.KindDuration:
		return appendSeconds(dst, v.AsInt())
	default:
		return append(dst, "null"...)
	}
}

// appendList appends compact JSON text, with the integers beyond ±2^53 in it as strings.
func appendList(dst []byte, text string) []byte {
	const shortest = len("9007199254740993")
	for len(text) > 0 {
		n := 1
		switch c := text[0]; {
		case c == '"':
			for n < len(text) && text[n] != '"' {
				if text[n] == '\\' {
					n++
				}
				n++
			}
			n = min(n+1, len(text))
		case c == '-' || c >= '0' && c <= '9':
			for n < len(text) && strings.IndexByte("0123456789.eE+-", text[n]) >= 0 {
				n++
			}
			number := text[:n]
			if n >= shortest && !strings.ContainsAny(number, ".eE") {
				i, err := strconv.ParseInt(number, 10, 64)
				if err != nil || i > exactIntMax || i < -exactIntMax {
					dst = append(dst, '"')
					dst = append(dst, number...)
					dst = append(dst, '"')
					text = text[n:]
					continue
				}
			}
		}
		dst = append(dst, text[:n]...)
		text = text[n:]
	}
	return dst
}

func appendTime(dst []byte, nanos int64, zone *time.Location) []byte {
	dst = append(dst, '"')
	dst = time.Unix(0, nanos).In(zone).AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

// appendSeconds writes nanoseconds as seconds, exactly.
func appendSeconds(dst []byte, nanos int64) []byte {
	magnitude := uint64(nanos)
	if nanos < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/1e9, 10)
	fraction := magnitude % 1e9
	if fraction == 0 {
		return dst
	}
	start := len(dst)
	dst = strconv.AppendUint(dst, fraction+1e9, 10) // a leading 1 keeps the zeros
	dst[start] = '.'
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
