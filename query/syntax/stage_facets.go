package syntax

// Facets is `facets [n]`: the top n values of every field, rows field, value, count.
type Facets struct {
	Pos
	N int // 10 when not written
}

// FacetColumns are the columns of a Facets.
var FacetColumns = [...]string{"field", "value", "count"}

func (p *parser) facets(pos Pos) Stage {
	s := &Facets{Pos: pos, N: 10}
	if p.peek().kind == tokenInt {
		s.N = int(p.wantCount("a whole number", 1, countMax))
	}
	return s
}

// Keyword returns the stage's name.
func (*Facets) Keyword() string { return "facets" }

func (s *Facets) print(w *printer) { w.int(int64(s.N)) }

func (s *Facets) exprs(func(Expr)) {}

func (s *Facets) columns(c *scope) error {
	c.set(FacetColumns[:])
	return nil
}
