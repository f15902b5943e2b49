package protocol

import (
	"bytes"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// units writes text as clients do that know no pairs: three bytes for each surrogate.
func units(text string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		switch {
		case u < 0x80:
			out = append(out, byte(u))
		case u < 0x800:
			out = append(out, 0xc0|byte(u>>6), 0x80|byte(u&0x3f))
		default:
			out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return out
}

func TestJoinSurrogates(t *testing.T) {
	for _, text := range []string{"", "a", "é", "苹果", "퟿", "\U00010000", "🍎", "a🍎b🍎🍎", "🍎", "x\U0010ffff", "íí🍎í"} {
		if got := joinSurrogates(units(text)); string(got) != text {
			t.Errorf("%q: got %q", text, got)
		}
	}
	for _, lone := range []string{"\xed\xa0\xbc", "a\xed\xbd\x8e", "\xed\xbd\x8e\xed\xa0\xbc", "\xed\xa0\xbcabc", "\xed\xa0\xbc\xed\xa0\xbc", "\xed\xa0", "\xed"} {
		if got := joinSurrogates([]byte(lone)); string(got) != lone {
			t.Errorf("%q: got %q", lone, got)
		}
	}
	if got := joinSurrogates([]byte("\xed\xa0\xbc\xed\xa0\xbc\xed\xbd\x8e")); string(got) != "\xed\xa0\xbc🍼"[:3]+"\U0001F34E" {
		t.Errorf("got %q", got)
	}
}

func FuzzJoinSurrogates(f *testing.F) {
	f.Add("🍎", []byte("\xed\xa0\xbc\xed\xbd\x8e"))
	f.Add("퟿\xed", []byte("a\xed\xa0"))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		if utf8.ValidString(text) && string(joinSurrogates(units(text))) != text {
			t.Fatalf("%q", text)
		}
		if utf8.Valid(data) && !bytes.Equal(joinSurrogates(data), data) {
			t.Fatalf("%q is valid and was changed", data)
		}
		joinSurrogates(data)
	})
}
