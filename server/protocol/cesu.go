package protocol

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// joinSurrogates returns data with every pair of surrogates that was written as two characters of three bytes
// written as the one of four bytes that it is. The browser's client of Mixpanel and the mini program's of
// Sensors Data turn text into UTF-8 by themselves, one UTF-16 unit after the other, so that an emoji comes
// like this. A lone surrogate stays what it is, invalid. Without pairs, data itself is returned.
func joinSurrogates(data []byte) []byte {
	var out []byte
	copied := 0
	for i := 0; i+6 <= len(data); i++ {
		next := bytes.IndexByte(data[i:], 0xed)
		if next < 0 {
			break
		}
		if i += next; i+6 > len(data) {
			break
		}
		r := utf16.DecodeRune(surrogate(data[i:]), surrogate(data[i+3:]))
		if r == utf8.RuneError {
			continue
		}
		out = utf8.AppendRune(append(out, data[copied:i]...), r)
		copied = i + 6
		i += 5
	}
	if copied == 0 {
		return data
	}
	return append(out, data[copied:]...)
}

// surrogate reads a surrogate written as three bytes; anything else is 0.
func surrogate(b []byte) rune {
	if b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2] < 0x80 || b[2] > 0xbf {
		return 0
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f)
}
