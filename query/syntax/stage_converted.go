package syntax

// Converted is `converted [n]` behind a funnel: the users counted at step n. Rows: the groups, user, and
// time, that of the step.
type Converted struct {
	Pos
	Step int // from 1; 0: the goal
}

// userColumns are the columns of Converted, Dropped and Pending behind those of groups.
var userColumns = [...]string{ColumnUser, ColumnTime}

func (p *parser) converted(pos Pos) Stage {
	s := &Converted{Pos: pos}
	if p.peek().kind == tokenInt {
		s.Step = int(p.wantCount("the number of a step", 1, countMax))
	}
	return s
}

// Keyword returns the stage's name.
func (*Converted) Keyword() string { return "converted" }

func (s *Converted) print(w *printer) {
	if s.Step > 0 {
		w.int(int64(s.Step))
	}
}

func (s *Converted) exprs(func(Expr)) {}

func (s *Converted) columns(c *scope) error { return c.funnelUsers(s, s.Step) }
