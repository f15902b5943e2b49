package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"cairn/engine/column"
)

const (
	ones    = 0x0101010101010101
	highs   = 0x8080808080808080
	blanks  = 0x2020202020202020
	quotes  = '"' * ones
	slashes = '\\' * ones
)

// special marks, by the high bit of its byte, the first byte of word that ends a plain run of a
// string: a quote, a backslash, a control character or the beginning of a character beyond ASCII.
// Marks above the lowest may be false.
func special(word uint64) uint64 {
	return (((word ^ quotes) - ones) | ((word ^ slashes) - ones) | (word - blanks) | word) & highs
}

// text reads the string whose opening quote stands before p. It returns the content, which aliases
// the input or the scanner's scratch memory until the next call, its hash, and the position after
// the closing quote, or -1.
func (s *Scanner) text(p int) (text []byte, hash uint32, next int) {
	data := s.data
	h := column.HashStart()
	i := p
	for i+8 <= len(data) {
		word := binary.LittleEndian.Uint64(data[i:])
		if m := special(word); m != 0 {
			n := bits.TrailingZeros64(m) >> 3
			i += n
			if byte(word>>(8*n)) == '"' {
				return data[p:i], column.HashEnd(h, word&(1<<(8*n)-1)), i + 1
			}
			break
		}
		h = column.HashStep(h, word)
		i += 8
	}
	return s.textSlow(p, i)
}

// textSlow goes on with a string whose bytes from p to i are plain.
func (s *Scanner) textSlow(p, i int) (text []byte, hash uint32, next int) {
	data := s.data
	for i < len(data) {
		c := data[i]
		switch {
		case c == '"':
			text = data[p:i]
			return text, column.Hash(text), i + 1
		case c == '\\':
			return s.unescape(p, i)
		case c < 0x20:
			return nil, 0, s.controlCharacter(i)
		case c < utf8.RuneSelf:
			i++
		default:
			n := runeSize(data[i:])
			if n == 0 {
				return nil, 0, s.bad(i, "invalid UTF-8 in a string")
			}
			i += n
		}
	}
	return nil, 0, s.bad(i, "a string has no end")
}

// runeSize returns the length of the character at the beginning of b, which is not ASCII; 0 is
// invalid UTF-8.
func runeSize(b []byte) int {
	if len(b) >= 3 && b[0] >= 0xe1 && b[0] <= 0xef && b[0] != 0xed && b[1]&0xc0 == 0x80 && b[2]&0xc0 == 0x80 {
		return 3
	}
	if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n == 3 {
		return n
	}
	return 0
}

func (s *Scanner) controlCharacter(i int) int {
	if c := s.data[i]; !s.newline && (c == '\n' || c == '\r' && s.at(i+1) == '\n') {
		return s.bad(i, "the line ends inside a string")
	}
	return s.bad(i, "a control character in a string")
}

// unescape reads a string with a backslash at i into the scratch memory.
func (s *Scanner) unescape(p, i int) (text []byte, hash uint32, next int) {
	data := s.data
	out := append(s.scratch[:0], data[p:i]...)
	for i < len(data) {
		c := data[i]
		switch {
		case c == '"':
			s.scratch = out
			return out, column.Hash(out), i + 1
		case c == '\\':
			r, n := unescapeRune(data[i:])
			if n <= 0 {
				if n < 0 {
					return nil, 0, s.bad(i, "a lone surrogate in a string")
				}
				return nil, 0, s.bad(i, "an unknown escape in a string")
			}
			out = utf8.AppendRune(out, r)
			i += n
		case c < 0x20:
			return nil, 0, s.controlCharacter(i)
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			n := runeSize(data[i:])
			if n == 0 {
				return nil, 0, s.bad(i, "invalid UTF-8 in a string")
			}
			out = append(out, data[i:i+n]...)
			i += n
		}
	}
	return nil, 0, s.bad(i, "a string has no end")
}

// unescapeRune reads the escape at the beginning of b and returns its length: 0 for one that JSON
// does not know, -1 for half of a surrogate pair.
func unescapeRune(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 0, -1
	}
	low, ok := hex4(b[8:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, -1
	}
	return r, 12
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
