package result

import (
	"strconv"
	"strings"
	"time"

	"cairn/engine/event"
)

// AppendCSV appends a header line and the rows as RFC 4180 has it, but for the line ends, which are
// line feeds alone, as command-line tools want them and every reader of CSV takes them. A cell is in
// quotes when it holds a comma, a quote, a line break or a leading or trailing space.
func AppendCSV(dst []byte, t *Table) []byte {
	for i, c := range t.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCell(dst, c.Name)
	}
	dst = append(dst, '\n')
	for _, row := range t.Rows {
		for j, v := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendCSVValue(dst, v, t.Meta.Zone())
		}
		dst = append(dst, '\n')
	}
	return dst
}

func appendCSVValue(dst []byte, v event.Value, zone *time.Location) []byte {
	switch v.Kind() {
	case event.KindAbsent, event.KindNull:
		return dst
	case event.KindInt:
		return strconv.AppendInt(dst, v.AsInt(), 10)
	case event.KindString:
		return appendCell(dst, v.AsString())
	case event.KindList, event.KindObject:
		return appendCell(dst, v.Text())
	case event.KindTime:
		return time.Unix(0, v.AsInt()).In(zone).AppendFormat(dst, time.RFC3339Nano)
	default:
		return AppendValue(dst, v, zone)
	}
}

func appendCell(dst []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}
