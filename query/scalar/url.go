package scalar

import (
	"net/url"
	"strings"

	"cairn/engine/event"
)

// splitURL cuts scheme://authority/path?query#fragment apart without judging it.
func splitURL(s string) (authority, path, query string, hasHost bool) {
	s, _, _ = strings.Cut(s, "#")
	s, query, _ = strings.Cut(s, "?")
	colon := strings.Index(s, "://")
	switch {
	case colon > 0 && isScheme(s[:colon]):
		s = s[colon+3:]
	case strings.HasPrefix(s, "//"):
		s = s[2:]
	default:
		return "", s, query, false
	}
	slash := strings.IndexByte(s, '/')
	if slash < 0 {
		return s, "/", query, true
	}
	return s[:slash], s[slash:], query, true
}

func isScheme(s string) bool {
	for i := range len(s) {
		b := s[i] | 0x20
		letter := b >= 'a' && b <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(s[i]))) {
			return false
		}
	}
	return s != ""
}

func host(v event.Value) event.Value {
	if v.Kind() != event.KindString {
		return event.Null
	}
	authority, _, _, ok := splitURL(v.AsString())
	if !ok {
		return event.Null
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		authority = authority[:colon]
	}
	if authority == "" {
		return event.Null
	}
	return event.String(strings.ToLower(authority))
}

func path(v event.Value) event.Value {
	if v.Kind() != event.KindString {
		return event.Null
	}
	_, path, _, _ := splitURL(v.AsString())
	return event.String(path)
}

// param is param(url, name).
func param(v, name event.Value) event.Value {
	if v.Kind() != event.KindString || name.Kind() != event.KindString {
		return event.Null
	}
	_, _, query, _ := splitURL(v.AsString())
	for query != "" {
		var piece string
		piece, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(piece, "=")
		if unescape(key) == name.AsString() && key != "" {
			return event.String(unescape(value))
		}
	}
	return event.Null
}

// unescape decodes %XX and +; a text that is not well escaped, or not UTF-8 then, stays as it is.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	decoded, err := url.QueryUnescape(s)
	if err != nil || strings.ToValidUTF8(decoded, "") != decoded {
		return s
	}
	return decoded
}
