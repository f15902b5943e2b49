package syntax

import "slices"

// Rename is `rename new = old, …` or `rename old as new, …`: the column keeps its place. All renames
// happen at once.
type Rename struct {
	Pos
	Columns []Renamed // at least one; no name occurs twice on either side
}

// Renamed is one `new = old`.
type Renamed struct {
	Pos
	New  string
	From *Column // of ScopeRow
}

func (p *parser) rename(pos Pos) Stage {
	s := &Rename{Pos: pos}
	p.list(func() {
		r := Renamed{Pos: p.peek().pos}
		if p.assigns() {
			r.New = p.newName()
			p.take()
			r.From = p.plainColumn()
		} else {
			r.From = p.plainColumn()
			if !p.takeWord("as") {
				p.fail(`"=" or "as"`)
			}
			r.Pos = p.peek().pos
			r.New = p.newName()
		}
		for _, other := range s.Columns {
			if other.New == r.New {
				panic(Errorf(r.Pos, "two columns are named %q", r.New))
			}
			if other.From.Name == r.From.Name {
				panic(Errorf(r.From.Pos, "%s is renamed twice", r.From))
			}
		}
		s.Columns = append(s.Columns, r)
	})
	return s
}

// plainColumn reads a column of the row itself.
func (p *parser) plainColumn() *Column {
	c := p.column()
	if c.Scope != ScopeRow {
		panic(Errorf(c.Pos, "expected a column of the rows, found %s", c))
	}
	return c
}

// Keyword returns the stage's name.
func (*Rename) Keyword() string { return "rename" }

func (s *Rename) print(w *printer) {
	for i, r := range s.Columns {
		w.comma(i)
		w.name(r.New)
		w.text(" = ")
		w.expr(r.From)
	}
}

func (s *Rename) exprs(yield func(Expr)) {
	for _, r := range s.Columns {
		yield(r.From)
	}
}

func (s *Rename) columns(c *scope) error {
	before := slices.Clone(c.names)
	for _, r := range s.Columns {
		if err := c.check(r.From); err != nil {
			return err
		}
		if err := c.shown(r.From, "renamed", "extend "+nameText(r.New)+" = "+r.From.String()); err != nil {
			return err
		}
	}
	for _, r := range s.Columns {
		c.remove(r.From.Name)
	}
	for _, r := range s.Columns {
		if slices.Contains(c.names, r.New) {
			return Errorf(r.Pos, "there is a column %q already", r.New)
		}
	}
	if c.open {
		for _, r := range s.Columns {
			c.add(r.New)
		}
		return nil
	}
	c.names = before
	for i, name := range before {
		for _, r := range s.Columns {
			if name == r.From.Name {
				c.names[i] = r.New
			}
		}
	}
	return nil
}
