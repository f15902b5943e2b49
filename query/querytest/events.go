package querytest

import (
	"strings"
	"time"

	"cairn/engine/event"
)

// EventText writes events as ParseEvents reads them, one a line.
func EventText(events []event.Event) string {
	var b strings.Builder
	for i := range events {
		e := &events[i]
		b.WriteString(time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano) + " " + quoted(e.Name))
		if e.User == "" {
			b.WriteString(" -")
		} else {
			b.WriteString(" " + quoted(e.User))
		}
		if e.ID != "" {
			b.WriteString(" id=" + quoted(e.ID))
		}
		if len(e.Fields) > 0 {
			b.WriteString(" {")
			for i, f := range e.Fields {
				if i > 0 {
					b.WriteString(",")
				}
				b.Write(event.AppendString(nil, f.Name))
				b.WriteString(":")
				b.Write(event.AppendValue(nil, f.Value))
			}
			b.WriteString("}")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// quoted is a word as word reads it.
func quoted(s string) string {
	if s == "" || s == "-" || strings.ContainsAny(s, " \t") || strings.HasPrefix(s, "{") || strings.HasPrefix(s, "id=") {
		return `"` + s + `"`
	}
	return s
}
