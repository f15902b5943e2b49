package syntax

// Top is `top n KEY, … [by AGG]`: the n groups with the highest AGG, ties by the keys. Its rows are
// the keys, then the aggregate.
type Top struct {
	Pos
	N    int     // 10 when not written
	Keys []Named // at least one
	By   Named   // count() when not written
}

func (p *parser) top(pos Pos) Stage {
	s := &Top{Pos: pos, N: 10}
	if p.peek().kind == tokenInt || p.peek().is("-") && p.peekAt(1).kind == tokenInt {
		s.N = int(p.wantCount("a whole number", 1, countMax))
	}
	s.Keys = p.named(p.keyExpr)
	by := []Named{{Pos: pos, Expr: &Agg{Pos: pos, Func: AggCount}}}
	if p.takeWord("by") {
		by[0].Pos = p.peek().pos
		by[0].Expr = p.aggregateExpr()
		if p.takeWord("as") {
			by[0].Pos = p.peek().pos
			by[0].Name = p.newName()
		}
		for _, a := range Aggregates(by[0].Expr) {
			if a.Over != 0 {
				panic(Errorf(a.Pos, `%s over a time needs a time bucket`, a.Func).WithHint("use stats … by bin(1d)"))
			}
		}
	}
	fillNames(s.Keys, by)
	s.By = by[0]
	return s
}

// Keyword returns the stage's name.
func (*Top) Keyword() string { return "top" }

func (s *Top) print(w *printer) {
	omitted := omitNames(s.Keys, []Named{s.By})
	w.int(int64(s.N))
	w.text(" ")
	w.named(s.Keys, omitted[0])
	if a, ok := s.By.Expr.(*Agg); ok && a.Func == AggCount && a.If == nil && a.Over == 0 && omitted[1][0] {
		return
	}
	w.text(" by ")
	w.named([]Named{s.By}, omitted[1])
}

func (s *Top) exprs(yield func(Expr)) {
	yieldNamed(s.Keys, yield)
	yield(s.By.Expr)
}

func (s *Top) columns(c *scope) error {
	if err := c.checkNamed(s.Keys); err != nil {
		return err
	}
	if err := c.check(s.By.Expr); err != nil {
		return err
	}
	c.result(s.Keys, []Named{s.By})
	return nil
}
