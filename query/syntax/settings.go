package syntax

import (
	"strings"
	"time"
)

var settingNames = []string{"tz", "week", "actor", "identity"}

// set reads `set name = value, …;`.
func (p *parser) set(s *Settings) {
	t := p.take()
	if s.Pos == (Pos{}) {
		s.Pos = t.pos
	}
	p.list(func() {
		name := p.peek()
		if !name.isName() {
			p.fail("a setting")
		}
		p.take()
		read, given := p.setting(s, name.text)
		if read == nil {
			e := Errorf(name.pos, "unknown setting %q", shorten(name.text)).WithNearest(name.text, settingNames)
			if e.Hint == "" {
				e.Hint = "settings are tz, week, actor and identity"
			}
			panic(e)
		}
		if given {
			panic(Errorf(name.pos, "%q is set twice", name.text))
		}
		p.wantMark("=")
		read()
	})
	if !p.takeMark(";") {
		p.fail(`"," or ";"`)
	}
}

// setting returns what reads the value of a setting, and whether it has one already.
func (p *parser) setting(s *Settings, name string) (read func(), given bool) {
	switch name {
	case "tz":
		return func() { p.zone(s) }, s.Zone != ""
	case "week":
		return func() { p.week(s) }, s.Week != nil
	case "actor":
		return func() {
			s.Actor = p.column()
			if s.Actor.Scope == ScopeProfile {
				panic(Errorf(s.Actor.Pos, "a profile property cannot be the actor").WithHint("name a field of the events"))
			}
		}, s.Actor != nil
	case "identity":
		return func() { p.identity(s) }, s.Identity != IdentityDefault
	}
	return nil, false
}

func (p *parser) zone(s *Settings) {
	t := p.peek()
	if t.kind != tokenString {
		e := p.unexpected("a time zone")
		if t.kind == tokenWord {
			e.Hint = `zones stand in quotes: "Asia/Shanghai"`
		}
		panic(e)
	}
	p.take()
	zone, err := time.LoadLocation(t.text)
	if err != nil || t.text == "" || t.text == "Local" {
		e := Errorf(t.pos, "unknown time zone %s", shorten(t.raw))
		e.Hint = `zones are named as in "Europe/Berlin" or "UTC"`
		panic(e)
	}
	s.Zone, s.Location = t.text, zone
}

func (p *parser) week(s *Settings) {
	t := p.peek()
	if t.kind != tokenWord && t.kind != tokenString {
		p.fail("a day of the week")
	}
	p.take()
	day, ok := parseWeekday(t.text)
	if !ok {
		panic(Errorf(t.pos, "unknown day %s", t.describe()).WithHint("days are mon, tue, wed, thu, fri, sat and sun"))
	}
	s.Week = &day
}

// parseWeekday reads mon or monday, in any case.
func parseWeekday(text string) (time.Weekday, bool) {
	text = strings.ToLower(text)
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := strings.ToLower(d.String())
		if text == name || text == name[:3] {
			return d, true
		}
	}
	return 0, false
}

func (p *parser) identity(s *Settings) {
	t := p.peek()
	switch {
	case t.isWord("raw"):
		s.Identity = IdentityRaw
	case t.isWord("canonical"):
		s.Identity = IdentityCanonical
	default:
		p.fail(`"raw" or "canonical"`)
	}
	p.take()
}
