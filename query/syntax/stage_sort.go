package syntax

// Sort is `sort KEY [desc], …`: nulls last, ties by the remaining columns.
type Sort struct {
	Pos
	Keys []SortKey // at least one
}

// SortKey is one key of a sort.
type SortKey struct {
	Expr Expr
	Desc bool
}

func (p *parser) sort(pos Pos) Stage {
	s := &Sort{Pos: pos}
	if t := p.peek(); t.isWord("by") && p.peekAt(1).isName() {
		panic(p.unexpected("a column").WithHint("sort %s", p.peekAt(1).raw))
	}
	p.list(func() {
		k := SortKey{Expr: p.expr()}
		if p.takeWord("desc") {
			k.Desc = true
		} else {
			p.takeWord("asc")
		}
		s.Keys = append(s.Keys, k)
	})
	return s
}

// Keyword returns the stage's name.
func (*Sort) Keyword() string { return "sort" }

func (s *Sort) print(w *printer) {
	for i, k := range s.Keys {
		w.comma(i)
		w.expr(k.Expr)
		if k.Desc {
			w.text(" desc")
		}
	}
}

func (s *Sort) exprs(yield func(Expr)) {
	for _, k := range s.Keys {
		yield(k.Expr)
	}
}

func (s *Sort) columns(c *scope) error {
	for _, k := range s.Keys {
		if err := c.check(k.Expr); err != nil {
			return err
		}
	}
	return nil
}
