package syntax

// Users is `users`: the distinct users of the rows, as a column user.
type Users struct {
	Pos
}

func (p *parser) users(pos Pos) Stage { return &Users{Pos: pos} }

// Keyword returns the stage's name.
func (*Users) Keyword() string { return "users" }

func (s *Users) print(*printer) {}

func (s *Users) exprs(func(Expr)) {}

func (s *Users) columns(c *scope) error {
	if behind, err := c.usersBehind(s); behind {
		return err
	}
	if err := c.user(s.Pos, "users"); err != nil {
		return err
	}
	c.set([]string{ColumnUser})
	return nil
}
