package syntax

// Gap is `gap`: adds the column gap, the time since the user's event before; absent on the first.
type Gap struct {
	Pos
}

// ColumnGap is the column that a Gap adds.
const ColumnGap = "gap"

func (p *parser) gap(pos Pos) Stage {
	if t := p.peek(); t.kind == tokenSpan {
		panic(p.unexpected(`"|" or the end`).WithHint("| session gap %s cuts into sessions", t.raw))
	}
	return &Gap{Pos: pos}
}

// Keyword returns the stage's name.
func (*Gap) Keyword() string { return "gap" }

func (s *Gap) print(*printer) {}

func (s *Gap) exprs(func(Expr)) {}

func (s *Gap) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.add(ColumnGap)
	return nil
}
