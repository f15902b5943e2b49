package syntax

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// lexer cuts a text into tokens.
type lexer struct {
	text string
	at   int // byte offset of the next character
	line int
	col  int
	// regexp says that the last token was ~ or !~, so that a string is a regular expression.
	regexp bool
}

// lex returns the tokens of a text, the last of kind tokenEnd or tokenBad.
func lex(text string) []token {
	l := &lexer{text: text, line: 1, col: 1}
	var tokens []token
	for {
		t := l.next()
		t.end = l.at
		t.raw = text[t.pos.Offset:l.at]
		tokens = append(tokens, t)
		l.regexp = t.is("~") || t.is("!~")
		if t.kind == tokenEnd || t.kind == tokenBad {
			return tokens
		}
	}
}

func (l *lexer) pos() Pos { return Pos{Line: l.line, Column: l.col, Offset: l.at} }

// peek returns the next character and its width; utf8.RuneError with width 1 for bad bytes, and
// width 0 at the end.
func (l *lexer) peek() (rune, int) { return utf8.DecodeRuneInString(l.text[l.at:]) }

func (l *lexer) rest() string { return l.text[l.at:] }

// skip moves over n bytes of whole characters.
func (l *lexer) skip(n int) {
	for _, r := range l.text[l.at : l.at+n] {
		if r == '\n' {
			l.line++
			l.col = 1
		} else {
			l.col++
		}
	}
	l.at += n
}

func bad(pos Pos, format string, args ...any) token {
	return token{kind: tokenBad, pos: pos, err: Errorf(pos, format, args...)}
}

func (l *lexer) blank() {
	for {
		r, n := l.peek()
		switch {
		case n > 0 && unicode.IsSpace(r) || r == '\uFEFF' && l.at == 0:
			l.skip(n)
		case strings.HasPrefix(l.rest(), "//"):
			line, _, _ := strings.Cut(l.rest(), "\n")
			if !utf8.ValidString(line) {
				return
			}
			l.skip(len(line))
		default:
			return
		}
	}
}

func (l *lexer) next() token {
	l.blank()
	pos := l.pos()
	r, n := l.peek()
	switch {
	case n == 0:
		return token{kind: tokenEnd, pos: pos}
	case isWordStart(r):
		return l.word(pos)
	case r >= '0' && r <= '9':
		return l.number(pos)
	case r == '"' || r == '\'':
		return l.quoted(pos, tokenString)
	case r == '`':
		return l.quoted(pos, tokenQuoted)
	case strings.HasPrefix(l.rest(), "//"):
		return bad(pos, "the comment is not valid UTF-8")
	}
	for _, m := range marks {
		if strings.HasPrefix(l.rest(), m) {
			l.skip(len(m))
			text := m
			if text == "==" {
				text = "="
			}
			return token{kind: tokenMark, pos: pos, text: text}
		}
	}
	if r == utf8.RuneError && n == 1 {
		return bad(pos, "the text is not valid UTF-8: byte 0x%02x", l.text[l.at])
	}
	t := bad(pos, "unexpected character %q", r)
	switch {
	case r == '“' || r == '”' || r == '‘' || r == '’' || r == '«' || r == '»':
		t.err.Hint = `strings stand in straight quotes: "…"`
	case r == '→' || r == '⇒':
		t.err.Hint = "arrows are written -> and =>"
	case r == '!':
		t.err.Hint = `write "not", or "!=" or "!~"`
	default:
		l.skip(n)
		l.skipWord()
		t.err.Hint = fmt.Sprintf("a name with such characters goes in backticks: `%s`", shorten(l.text[pos.Offset:l.at]))
	}
	return t
}

// marks are the operators and brackets, the longer ones first.
var marks = []string{
	"->", "=>", "==", "!=", "!~", "<=", ">=",
	"|", ",", ";", ":", "(", ")", "{", "}", "[", "]", ".", "*", "+", "-", "/", "%", "=", "<", ">", "~", "&", "?",
}

func isWordStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func isWordPart(r rune) bool { return isWordStart(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// isWord reports whether a name can be written without backticks, keywords aside.
func isWord(name string) bool {
	for i, r := range name {
		if i == 0 && !isWordStart(r) || !isWordPart(r) {
			return false
		}
	}
	return name != ""
}

// fractionalQuantile recognises p99.9( as one word.
var fractionalQuantile = regexp.MustCompile(`^p[0-9]+\.[0-9]+\s*\(`)

func (l *lexer) word(pos Pos) token {
	from := l.at
	if m := fractionalQuantile.FindString(l.rest()); m != "" {
		l.skip(len(strings.TrimRight(m, "( \t\r\n")))
		return token{kind: tokenWord, pos: pos, text: l.text[from:l.at]}
	}
	l.skipWord()
	return token{kind: tokenWord, pos: pos, text: l.text[from:l.at]}
}

func (l *lexer) skipWord() {
	for {
		r, n := l.peek()
		if n == 0 || !isWordPart(r) || r == utf8.RuneError {
			return
		}
		l.skip(n)
	}
}

var (
	dateText   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9][0-9:.]*(Z|[+-][0-9]{2}:?[0-9]{2})?)?`)
	numberText = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
	plainText  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?`)
)

// number reads an integer, a float, a span or a date.
func (l *lexer) number(pos Pos) token {
	if m := dateText.FindString(l.rest()); m != "" {
		instant, ok := parseInstant(m)
		if !ok {
			return token{kind: tokenBad, pos: pos, err: notDate(pos, fmt.Sprintf("%q", m), m)}
		}
		instant.Pos = pos
		l.skip(len(m))
		return token{kind: tokenDate, pos: pos, instant: instant}
	}
	text := numberText.FindString(l.rest())
	l.skip(len(text))
	if r, n := l.peek(); n > 0 && isWordPart(r) && !strings.ContainsAny(text, "eE") {
		return l.span(pos, text)
	}
	if r, n := l.peek(); n > 0 && isWordPart(r) {
		return bad(pos, "%q is not a number", text+string(r))
	}
	if strings.ContainsAny(text, ".eE") {
		return token{kind: tokenFloat, pos: pos, text: text}
	}
	return token{kind: tokenInt, pos: pos, text: text}
}

// span reads the rest of a number with a unit, such as 30d or 1h30m, from its first unit on.
func (l *lexer) span(pos Pos, number string) token {
	t := token{kind: tokenSpan, pos: pos}
	for {
		unitPos := l.pos()
		from := l.at
		for {
			r, n := l.peek()
			if n == 0 || !isWordStart(r) {
				break
			}
			l.skip(n)
		}
		name := l.text[from:l.at]
		unit, ok := units[name]
		if !ok {
			if name == "" || name[0] == '_' {
				l.skipWord()
				return bad(pos, "%q is neither a number nor a duration", shorten(l.text[pos.Offset:l.at]))
			}
			e := Errorf(unitPos, "unknown unit %q", shorten(name))
			if meant := unitCalled(strings.ToLower(name)); meant != "" {
				e.Hint = fmt.Sprintf("did you mean %q?", number+meant)
			} else {
				e.Hint = "units are ms, s, m, h, d, w, mo, q and y"
			}
			return token{kind: tokenBad, pos: pos, err: e}
		}
		t.span = append(t.span, spanPart{number: number, unit: unit})
		number = plainText.FindString(l.rest())
		if number == "" {
			if r, n := l.peek(); n > 0 && isWordPart(r) {
				l.skipWord()
				return bad(pos, "%q is not a duration", shorten(l.text[pos.Offset:l.at]))
			}
			return t
		}
		l.skip(len(number))
	}
}

var units = map[string]Unit{
	"ns": Nanosecond, "us": Microsecond, "µs": Microsecond, "μs": Microsecond, "ms": Millisecond, "s": Second,
	"m": Minute, "h": Hour, "d": Day, "w": Week, "mo": Month, "q": Quarter, "y": Year,
}

// unitNames are units as people also write them.
var unitNames = map[string]string{
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "wk": "w", "week": "w", "weeks": "w",
	"mon": "mo", "month": "mo", "months": "mo", "quarter": "q", "quarters": "q", "yr": "y", "year": "y", "years": "y",
	"mth": "mo", "msec": "ms", "millis": "ms",
}

// unitCalled returns the unit that a word means, or "".
func unitCalled(word string) string {
	if u := units[word]; u != 0 {
		return u.String()
	}
	return unitNames[word]
}

// quoted reads a string or a name in backticks; both know the same escapes.
func (l *lexer) quoted(pos Pos, kind tokenKind) token {
	what, quote := "string", l.text[l.at]
	if kind == tokenQuoted {
		what = "name in backticks"
	}
	l.skip(1)
	var b strings.Builder
	for {
		r, n := l.peek()
		switch {
		case n == 0 || r == '\n':
			return bad(pos, "the %s is not closed", what)
		case r == utf8.RuneError && n == 1:
			return bad(l.pos(), "the text is not valid UTF-8: byte 0x%02x", l.text[l.at])
		case r == rune(quote):
			l.skip(1)
			return token{kind: kind, pos: pos, text: b.String()}
		case r == '\\' && l.regexp && l.foreignEscape():
			b.WriteRune(r)
			l.skip(1)
		case r == '\\':
			r, err := l.escape()
			if err != nil {
				return token{kind: tokenBad, pos: pos, err: err}
			}
			b.WriteRune(r)
		default:
			b.WriteRune(r)
			l.skip(n)
		}
	}
}

// foreignEscape reports whether the escape sequence that comes next is not one of strings, so that in a
// regular expression it is one of its own: \d, \.
func (l *lexer) foreignEscape() bool {
	rest := l.rest()[1:]
	return rest != "" && !strings.ContainsAny(rest[:1], "\"'`\\/ntru\r\n")
}

// escape reads one escape sequence, from its backslash on.
func (l *lexer) escape() (rune, *Error) {
	pos := l.pos()
	l.skip(1)
	r, n := l.peek()
	switch r {
	case '"', '\'', '`', '\\', '/':
		l.skip(1)
		return r, nil
	case 'n':
		l.skip(1)
		return '\n', nil
	case 't':
		l.skip(1)
		return '\t', nil
	case 'r':
		l.skip(1)
		return '\r', nil
	case 'u':
		l.skip(1)
		first, ok := l.hex()
		if ok && utf16.IsSurrogate(first) && strings.HasPrefix(l.rest(), `\u`) {
			l.skip(2)
			var second rune
			if second, ok = l.hex(); ok {
				first = utf16.DecodeRune(first, second)
				ok = first != utf8.RuneError
			}
		}
		if !ok || utf16.IsSurrogate(first) {
			return 0, Errorf(pos, `"%s" is not a character`, shorten(l.text[pos.Offset:l.at])).
				WithHint(`four hexadecimal digits follow \u`)
		}
		return first, nil
	}
	if n == 0 {
		return 0, Errorf(pos, "the text ends within an escape")
	}
	if r == utf8.RuneError && n == 1 {
		return 0, Errorf(l.pos(), "the text is not valid UTF-8: byte 0x%02x", l.text[l.at])
	}
	return 0, Errorf(pos, "unknown escape %s", `"\`+string(r)+`"`).
		WithHint(`a backslash is written \\`)
}

// hex reads four hexadecimal digits.
func (l *lexer) hex() (rune, bool) {
	if len(l.rest()) < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(l.rest()[:4], 16, 16)
	if err != nil {
		return 0, false
	}
	l.skip(4)
	return rune(v), true
}
