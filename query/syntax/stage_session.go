package syntax

import "strings"

// Session is `session [gap 30m] [max 24h]`: cuts the events of each user into sessions and adds
// SessionColumns to them; session.entry.FIELD and session.exit.FIELD are the fields of a session's first
// and last event.
type Session struct {
	Pos
	Gap int64 // nanoseconds; a longer pause ends a session; 30m when not written
	Max int64 // nanoseconds; no event lies further from the session's first; 24h when not written
}

// SessionGap and SessionMax are what a Session has when its text says nothing, in nanoseconds.
const (
	SessionGap = 30 * 60 * 1_000_000_000
	SessionMax = 24 * 3600 * 1_000_000_000
)

// SessionColumns are the columns that a Session adds. dwell is absent on the last event of a session.
var SessionColumns = [...]string{
	"session.id", "session.number", "session.events", "session.duration", "session.entry", "session.exit", "dwell",
}

func (p *parser) session(pos Pos) Stage {
	s := &Session{Pos: pos, Gap: SessionGap, Max: SessionMax}
	p.options(map[string]func(*token){
		"gap": func(*token) { s.Gap = p.elapsedSpan("a duration such as 30m") },
		"max": func(*token) { s.Max = p.elapsedSpan("a duration such as 24h") },
	})
	if t := p.peek(); t.kind == tokenSpan {
		panic(p.unexpected(`"gap", "max", "|" or the end`).WithHint("session gap %s", t.raw))
	}
	return s
}

// Prefixes of the columns that are fields of a session's first and last event.
const (
	sessionEntry = "session.entry."
	sessionExit  = "session.exit."
)

// SessionColumn splits the name of a column session.entry.FIELD or session.exit.FIELD.
func SessionColumn(name string) (exit bool, field string, ok bool) {
	if field, ok = strings.CutPrefix(name, sessionEntry); ok && field != "" {
		return false, field, true
	}
	if field, ok = strings.CutPrefix(name, sessionExit); ok && field != "" {
		return true, field, true
	}
	return false, "", false
}

// Keyword returns the stage's name.
func (*Session) Keyword() string { return "session" }

func (s *Session) print(w *printer) {
	w.text("gap " + durationText(s.Gap) + " max " + durationText(s.Max))
}

func (s *Session) exprs(func(Expr)) {}

func (s *Session) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	for _, name := range SessionColumns {
		c.add(name)
	}
	c.prefixes = []string{sessionEntry, sessionExit}
	return nil
}
