package syntax

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is a mistake in a query text, with its place and, when there is one, advice.
type Error struct {
	Line    int    // from 1
	Column  int    // from 1, in characters
	Offset  int    // in bytes, from 0
	Message string // what was expected, and what was found
	Hint    string // what to write instead; "" when there is no advice
}

// Error prints the place, the message and the hint:
//
//	line 2, column 14: expected a step after "->", found "|"
//	line 1, column 5: unknown stage "stat" (did you mean "stats"?)
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Errorf makes an Error at a place; evaluators use it for what they find wrong in a tree.
func Errorf(pos Pos, format string, args ...any) *Error {
	return &Error{Line: pos.Line, Column: pos.Column, Offset: pos.Offset, Message: fmt.Sprintf(format, args...)}
}

// WithHint sets the hint and returns the error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithNearest sets a hint that names the known name nearest to a misspelt one, if any is near.
func (e *Error) WithNearest(name string, known []string) *Error {
	if near := Nearest(name, known); near != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return e
}

// UnknownField is the warning that no stored event has a field, with the nearest of those there are.
func UnknownField(name string, known []string) string {
	known = slices.DeleteFunc(slices.Clone(known), func(k string) bool { return strings.HasPrefix(k, "\x00") })
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("no stored event has the field %s (did you mean %q?)", name, near)
	}
	return "no stored event has the field " + name
}

// UnknownEvent is the warning that no event of a name is stored, with the nearest of those there are.
func UnknownEvent(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("no event called %s is stored (did you mean %q?)", name, near)
	}
	return fmt.Sprintf("no event called %s is stored", name)
}

// UnknownProperty is the warning that no event gives a profile property a value, with the nearest of those
// there are.
func UnknownProperty(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("no user has the property %s (did you mean %q?)", name, near)
	}
	return "no user has the property " + name
}

// Nearest returns the known name that a misspelt one most likely stands for, or "": at most a third
// of the letters differ, swapped neighbours counting as one, or one is the beginning of the other.
func Nearest(name string, known []string) string {
	folded := []rune(strings.ToLower(name))
	best, bestDistance := "", 1<<30
	for _, k := range slices.Sorted(slices.Values(known)) {
		if k == name {
			continue // well spelt, but in the wrong place
		}
		target := []rune(strings.ToLower(k))
		distance := editDistance(folded, target)
		allowed := max(1, max(len(folded), len(target))/3)
		if min(len(folded), len(target)) < 2 {
			allowed = 0
		}
		if distance > allowed {
			prefix := len(folded) >= 3 && strings.HasPrefix(string(target), string(folded)) ||
				len(target) >= 3 && strings.HasPrefix(string(folded), string(target))
			if !prefix {
				continue
			}
		}
		if distance < bestDistance {
			best, bestDistance = k, distance
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours between two words;
// it gives up on words that are too long to be a slip.
func editDistance(a, b []rune) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return 1 << 20
	}
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// shorten cuts a piece of query text down to what an error message can show.
func shorten(s string) string {
	const longest = 40
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest]) + "…"
}
