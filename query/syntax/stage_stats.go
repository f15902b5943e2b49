package syntax

// Stats is `stats AGG [as name], … [by KEY [as name], …]`. Its rows are the keys, then the
// aggregates.
type Stats struct {
	Pos
	Aggs []Named // at least one; each holds at least one Agg, and no column outside of an Agg
	Keys []Named // names distinct from each other and from those of Aggs
}

func (p *parser) stats(pos Pos) Stage {
	s := &Stats{Pos: pos}
	if t := p.peek(); t.isWord("by") {
		panic(p.unexpected("an aggregate").WithHint("stats count() by …"))
	}
	s.Aggs = p.named(p.aggregateExpr)
	if p.takeWord("by") {
		s.Keys = p.named(p.keyExpr)
	}
	fillNames(s.Keys, s.Aggs)
	for _, n := range s.Aggs {
		for _, a := range Aggregates(n.Expr) {
			if a.Over != 0 && TimeKey(s.Keys) < 0 {
				panic(Errorf(a.Pos, `%s over a time needs a time bucket`, a.Func).WithHint("add: by bin(1d)"))
			}
		}
	}
	return s
}

// TimeKey returns the index of the first key that is a bin of the column time, or -1.
func TimeKey(keys []Named) int {
	for i, k := range keys {
		if b, ok := k.Expr.(*Bin); ok {
			if c, ok := b.X.(*Column); ok && c.Scope == ScopeRow && c.Name == ColumnTime {
				return i
			}
		}
	}
	return -1
}

// Keyword returns the stage's name.
func (*Stats) Keyword() string { return "stats" }

func (s *Stats) print(w *printer) {
	omitted := omitNames(s.Keys, s.Aggs)
	w.named(s.Aggs, omitted[1])
	if len(s.Keys) > 0 {
		w.text(" by ")
		w.named(s.Keys, omitted[0])
	}
}

func (s *Stats) exprs(yield func(Expr)) {
	yieldNamed(s.Aggs, yield)
	yieldNamed(s.Keys, yield)
}

func (s *Stats) columns(c *scope) error {
	if err := c.checkNamed(s.Aggs); err != nil {
		return err
	}
	if err := c.checkNamed(s.Keys); err != nil {
		return err
	}
	c.result(s.Keys, s.Aggs)
	return nil
}
