package syntax

// Pending is `pending` behind a funnel: the users who have not converted and whose window is open, which it
// still is at its last instant. Rows: the groups, user, and time, that of the furthest step.
type Pending struct {
	Pos
}

func (p *parser) pending(pos Pos) Stage { return &Pending{Pos: pos} }

// Keyword returns the stage's name.
func (*Pending) Keyword() string { return "pending" }

func (s *Pending) print(*printer) {}

func (s *Pending) exprs(func(Expr)) {}

func (s *Pending) columns(c *scope) error { return c.funnelUsers(s, 0) }
