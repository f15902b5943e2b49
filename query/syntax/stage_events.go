package syntax

// Events is `events`: raw events, newest first.
type Events struct {
	Pos
}

func (p *parser) events(pos Pos) Stage { return &Events{Pos: pos} }

// Keyword returns the stage's name.
func (*Events) Keyword() string { return "events" }

func (s *Events) print(*printer) {}

func (s *Events) exprs(func(Expr)) {}

func (s *Events) columns(c *scope) error {
	if !c.rows {
		return Errorf(s.Pos, "the rows before this stage are no events").WithHint("put events before stats")
	}
	return nil
}
