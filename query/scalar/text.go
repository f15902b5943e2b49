package scalar

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/engine/event"
)

func lower(v event.Value) event.Value {
	if v.Kind() != event.KindString {
		return event.Null
	}
	return event.String(strings.ToLower(v.AsString()))
}

func upper(v event.Value) event.Value {
	if v.Kind() != event.KindString {
		return event.Null
	}
	return event.String(strings.ToUpper(v.AsString()))
}

func length(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindString:
		return event.Int(int64(utf8.RuneCountInString(v.AsString())))
	case event.KindList:
		n := int64(0)
		Elements(v, func(event.Value) bool { n++; return false })
		return event.Int(n)
	}
	return event.Null
}

// substring is substr(s, start[, n]).
func substring(args []event.Value) event.Value {
	start := args[1].Canonical()
	if args[0].Kind() != event.KindString || start.Kind() != event.KindInt {
		return event.Null
	}
	s := args[0].AsString()
	runes := int64(utf8.RuneCountInString(s))
	from := start.AsInt() - 1
	if start.AsInt() < 0 {
		from = runes + start.AsInt()
	}
	count := runes
	if len(args) == 3 {
		n := args[2].Canonical()
		if n.Kind() != event.KindInt {
			return event.Null
		}
		count = max(0, min(runes, n.AsInt()))
	}
	from = min(runes, from)
	to := max(0, min(runes, from+count))
	if len(args) == 2 {
		to = runes
	}
	from = max(0, from)
	return event.String(s[byteOffset(s, from):byteOffset(s, max(from, to))])
}

// byteOffset returns where the n-th character of s begins.
func byteOffset(s string, n int64) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

func (c *compiler) concat(args []event.Value) event.Value {
	var b strings.Builder
	for _, v := range args {
		text := c.text(v)
		if !text.Exists() {
			return event.Null
		}
		b.WriteString(text.AsString())
	}
	return event.String(b.String())
}

// text is str(x).
func (c *compiler) text(v event.Value) event.Value {
	switch v.Kind() {
	case event.KindString:
		return v
	case event.KindBool:
		return event.String(strconv.FormatBool(v.AsBool()))
	case event.KindInt, event.KindFloat:
		return event.String(numberText(v))
	case event.KindList, event.KindObject:
		return event.String(v.Text())
	case event.KindTime:
		return event.String(time.Unix(0, v.AsInt()).In(c.calendar.location).Format(time.RFC3339Nano))
	case event.KindDuration:
		return event.String(numberText(number(v)))
	}
	return event.Null
}
