package exec

import (
	"maps"
	"slices"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// with returns the table with other rows that look the same.
func (t *table) with(rows []row) *table {
	out := *t
	out.rows = rows
	return &out
}

func (x *Execution) where(t *table, s *syntax.Where) (*table, error) {
	passes, err := x.test(t, s.Cond)
	if err != nil {
		return nil, err
	}
	kept := make([]row, 0, len(t.rows))
	for i := range t.rows {
		if passes(&t.rows[i]) {
			kept = append(kept, t.rows[i])
		}
	}
	return t.with(kept), nil
}

func (x *Execution) extend(t *table, s *syntax.Extend) (*table, error) {
	out := t.with(slices.Clone(t.rows))
	for _, c := range s.Columns { // one after the other: each sees those before it
		f, err := x.value(out, c.Expr)
		if err != nil {
			return nil, err
		}
		values := make([]event.Value, len(out.rows))
		for i := range out.rows {
			values[i] = f(&out.rows[i])
		}
		out.set(c.Name, values)
		out.made = out.made || out.events && plan.MakesUser(c.Name, c.Expr)
	}
	x.Budget.Add("rows", 40*len(s.Columns)*len(t.rows))
	return out, nil
}

// set gives a column values, one a row; the rows' values are copied. A new column is the last.
func (t *table) set(name string, values []event.Value) {
	i := t.index(name)
	if i < 0 {
		i = len(t.names)
		t.names = append(slices.Clone(t.names), name)
	}
	for r := range t.rows {
		old := t.rows[r].values
		made := make([]event.Value, len(t.names))
		copy(made, old)
		made[i] = values[r]
		t.rows[r].values = made
	}
}

func (x *Execution) project(t *table, s *syntax.Project) (*table, error) {
	var names []string
	var exprs []syntax.Expr
	for _, c := range s.Columns {
		names = append(names, c.Name)
		exprs = append(exprs, c.Expr)
	}
	fs, err := x.exprs(t, exprs)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(t.rows))
	for i := range t.rows {
		rows[i] = row{make([]event.Value, len(fs)), t.rows[i].event}
		for j, f := range fs {
			rows[i].values[j] = f(&t.rows[i])
		}
	}
	out := t.with(rows)
	out.names, out.open, out.gone, out.made = names, false, nil, false
	for i, name := range names {
		if name == syntax.ColumnUser {
			out.made = t.events && (t.made || plan.MakesUser(name, exprs[i]))
		}
	}
	return out, nil
}

func (t *table) rename(s *syntax.Rename) *table {
	if t.open {
		return t.renameOpen(s)
	}
	out := *t
	renamed := func(name string) string {
		for _, c := range s.Columns {
			if c.From.Name == name {
				return c.New
			}
		}
		return name
	}
	out.made = t.made && renamed(syntax.ColumnUser) == syntax.ColumnUser
	out.names = slices.Clone(t.names)
	for i, name := range out.names {
		out.names[i] = renamed(name)
	}
	out.made = out.made || out.events && slices.ContainsFunc(s.Columns, func(c syntax.Renamed) bool { return c.New == syntax.ColumnUser })
	if b := t.bucket; b != nil {
		moved := *b
		moved.time, moved.keys = renamed(b.time), nil
		for _, name := range b.keys {
			moved.keys = append(moved.keys, renamed(name))
		}
		out.bucket = &moved
	}
	return &out
}

func (t *table) renameOpen(s *syntax.Rename) *table {
	out := t.with(slices.Clone(t.rows))
	columns := make([][]event.Value, len(s.Columns))
	for i, c := range s.Columns {
		get := t.named(c.From.Name)
		for r := range t.rows {
			columns[i] = append(columns[i], get(&t.rows[r]))
		}
	}
	for _, c := range s.Columns {
		out.remove(c.From.Name)
	}
	for i, c := range s.Columns {
		out.set(c.New, columns[i])
		out.made = out.made || out.events && c.New == syntax.ColumnUser
	}
	return out
}

func (t *table) drop(s *syntax.Drop) *table {
	out := t.with(slices.Clone(t.rows))
	for _, c := range s.Columns {
		out.remove(c.Name)
	}
	return out
}

func (t *table) remove(name string) {
	t.made = t.made && name != syntax.ColumnUser
	if i := t.index(name); i >= 0 {
		t.names = slices.Delete(slices.Clone(t.names), i, i+1)
		for r := range t.rows {
			t.rows[r].values = slices.Delete(slices.Clone(t.rows[r].values), i, i+1)
		}
	}
	if t.open {
		t.gone = maps.Clone(t.gone)
		if t.gone == nil {
			t.gone = map[string]bool{}
		}
		t.gone[name] = true
	}
}
