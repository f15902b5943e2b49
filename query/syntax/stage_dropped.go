package syntax

// Dropped is `dropped [after n]` behind a funnel: the users who got to step n and no further, and have not
// converted. Rows: the groups, user, and time, that of the step.
type Dropped struct {
	Pos
	After int // from 1; 0: after any step before the goal; nobody has dropped out from the goal on
}

func (p *parser) dropped(pos Pos) Stage {
	s := &Dropped{Pos: pos}
	if t := p.peek(); t.kind == tokenInt {
		panic(p.unexpected(`"after", "|" or the end`).WithHint("dropped after %s", shorten(t.text)))
	}
	if p.takeWord("after") {
		s.After = int(p.wantCount("the number of a step", 1, countMax))
	}
	return s
}

// Keyword returns the stage's name.
func (*Dropped) Keyword() string { return "dropped" }

func (s *Dropped) print(w *printer) {
	if s.After > 0 {
		w.text("after ")
		w.int(int64(s.After))
	}
}

func (s *Dropped) exprs(func(Expr)) {}

func (s *Dropped) columns(c *scope) error { return c.funnelUsers(s, s.After) }
