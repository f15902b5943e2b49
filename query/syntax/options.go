package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// options reads the options of a stage in any order, each by what reads the rest behind its word. An
// option may be given once, unless it is one of those that may repeat.
func (p *parser) options(read map[string]func(*token), repeat ...string) {
	given := map[string]bool{}
	for {
		t := p.peek()
		option := read[t.text]
		if t.kind != tokenWord || option == nil {
			return
		}
		if given[t.text] && !slices.Contains(repeat, t.text) {
			panic(Errorf(t.pos, "the option %q is given twice", t.text))
		}
		given[t.text] = true
		p.take()
		option(t)
	}
}

// choice reads one of some words and returns its index.
func (p *parser) choice(words ...string) int {
	t := p.peek()
	if i := slices.Index(words, t.text); i >= 0 && t.kind == tokenWord {
		p.take()
		return i
	}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = fmt.Sprintf("%q", word)
	}
	last := len(words) - 1
	e := p.unexpected(strings.Join(quoted[:last], ", ") + " or " + quoted[last])
	if t.kind == tokenWord {
		e.WithNearest(t.text, words)
	}
	panic(e)
}

// optionSelector reads a selector of a stage that has options behind it.
func (p *parser) optionSelector() *Selector {
	s := p.selector()
	if t := p.peek(); t.is(",") {
		panic(p.unexpected(`an option, "|" or the end`).WithHint(`several events are joined by "or"`))
	}
	return s
}

// period reads a span that bins of time can have.
func (p *parser) period() Span {
	pos := p.peek().pos
	s := p.calendarSpan("a duration such as 1d")
	if !s.Bins() {
		panic(Errorf(pos, "a day cannot be divided into periods of %s", s).
			WithHint("such as 15m, 1h, 6h, or whole days"))
	}
	return s
}

// fixed are columns whose names are given, for fillNames and omitNames.
func fixed(names []string) []Named {
	list := make([]Named, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	return list
}

// namesOf returns the names of columns.
func namesOf(list []Named) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	return names
}
