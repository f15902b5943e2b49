package syntax

// Stickiness is `stickiness SEL every SPAN [min k] [at least]`: users by the number of periods in which
// they match. Rows: StickinessColumns.
type Stickiness struct {
	Pos
	Selector *Selector
	Every    Span
	Min      int  // matches that make a period count, at least 1
	AtLeast  bool // users with at least so many periods
}

// StickinessColumns are the columns of a Stickiness.
var StickinessColumns = [...]string{"periods", "users"}

func (p *parser) stickiness(pos Pos) Stage {
	s := &Stickiness{Pos: pos, Selector: p.optionSelector(), Every: Span{1, Day}, Min: 1}
	p.options(map[string]func(*token){
		"every": func(*token) { s.Every = p.period() },
		"min":   func(*token) { s.Min = int(p.wantCount("a whole number", 1, countMax)) },
		"at": func(*token) {
			p.wantWord("least")
			s.AtLeast = true
		},
	})
	return s
}

// Keyword returns the stage's name.
func (*Stickiness) Keyword() string { return "stickiness" }

func (s *Stickiness) print(w *printer) {
	w.selector(s.Selector)
	w.text(" every " + s.Every.String())
	if s.Min != 1 {
		w.text(" min ")
		w.int(int64(s.Min))
	}
	if s.AtLeast {
		w.text(" at least")
	}
}

func (s *Stickiness) exprs(yield func(Expr)) { yieldConds(s.selectors(), yield) }

func (s *Stickiness) selectors() []*Selector { return []*Selector{s.Selector} }

func (s *Stickiness) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.set(StickinessColumns[:])
	return nil
}
