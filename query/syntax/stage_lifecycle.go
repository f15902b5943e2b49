package syntax

// Lifecycle is `lifecycle SEL every SPAN`: users by what they did in a period and the one before. Rows:
// LifecycleColumns.
type Lifecycle struct {
	Pos
	Selector *Selector
	Every    Span
}

// LifecycleColumns are the columns of a Lifecycle.
var LifecycleColumns = [...]string{ColumnTime, "new", "returning", "resurrected", "dormant"}

func (p *parser) lifecycle(pos Pos) Stage {
	s := &Lifecycle{Pos: pos, Selector: p.optionSelector(), Every: Span{1, Day}}
	p.options(map[string]func(*token){
		"every": func(*token) { s.Every = p.period() },
	})
	return s
}

// Keyword returns the stage's name.
func (*Lifecycle) Keyword() string { return "lifecycle" }

func (s *Lifecycle) print(w *printer) {
	w.selector(s.Selector)
	w.text(" every " + s.Every.String())
}

func (s *Lifecycle) exprs(yield func(Expr)) { yieldConds(s.selectors(), yield) }

func (s *Lifecycle) selectors() []*Selector { return []*Selector{s.Selector} }

func (s *Lifecycle) columns(c *scope) error {
	if err := c.behaviour(s); err != nil {
		return err
	}
	c.set(LifecycleColumns[:])
	return nil
}
