package reference

import (
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// with returns the stream with another list of rows, which look the same.
func (in *rows) with(list []*row) *rows {
	out := *in
	out.list, out.window, out.after, out.members, out.funnel = list, nil, nil, nil, nil
	return &out
}

// each returns the stream with every row, those outside the range too, changed by itself; f returns nil to
// leave a row out.
func (in *rows) each(f func(*row) *row) *rows {
	apply := func(list []*row) []*row {
		changed := []*row{}
		for _, r := range list {
			if r = f(r); r != nil {
				changed = append(changed, r)
			}
		}
		return changed
	}
	out := *in
	out.list, out.members, out.funnel = apply(in.list), nil, nil
	if in.window != nil {
		out.window = apply(in.window)
	}
	if in.after != nil {
		out.after = apply(in.after)
	}
	return &out
}

func (r *run) where(in *rows, s *syntax.Where) (*rows, error) {
	passes, err := r.test(s.Cond)
	if err != nil {
		return nil, err
	}
	return in.each(func(x *row) *row {
		if !passes(x) {
			return nil
		}
		return x
	}), nil
}

func (r *run) extend(in *rows, s *syntax.Extend) (*rows, error) {
	out := in
	for _, c := range s.Columns { // one after the other: each sees those before it
		f, err := r.value(c.Expr)
		if err != nil {
			return nil, err
		}
		out = out.each(func(x *row) *row {
			made := x.clone()
			made.columns[c.Name] = f(x)
			if makesUser(c.Name, c.Expr) {
				made.setUser(made.columns[c.Name])
			}
			return made
		})
		out.add(c.Name)
	}
	return out, nil
}

func (in *rows) add(name string) {
	if !slices.Contains(in.names, name) {
		in.names = append(slices.Clone(in.names), name)
	}
}

func (r *run) project(in *rows, s *syntax.Project) (*rows, error) {
	var names []string
	var exprs []syntax.Expr
	for _, c := range s.Columns {
		names = append(names, c.Name)
		exprs = append(exprs, c.Expr)
	}
	fs, err := r.values(exprs)
	if err != nil {
		return nil, err
	}
	out := in.each(func(old *row) *row {
		made := &row{columns: map[string]event.Value{}, event: old.event, user: old.own, own: old.own}
		for i, f := range fs {
			made.columns[names[i]] = f(old)
			switch {
			case makesUser(names[i], exprs[i]):
				made.setUser(made.columns[names[i]])
			case names[i] == syntax.ColumnUser:
				made.user, made.made = old.user, old.made
			}
		}
		return made
	})
	out.names, out.open = names, false
	return out, nil
}

func (in *rows) rename(s *syntax.Rename) *rows {
	out := in.each(func(old *row) *row {
		made := old.clone()
		for _, c := range s.Columns {
			made.remove(c.From.Name)
		}
		for _, c := range s.Columns {
			made.columns[c.New] = old.columns[c.From.Name]
			if c.New == syntax.ColumnUser {
				made.setUser(made.columns[c.New])
			}
		}
		return made
	})
	if in.open {
		for _, c := range s.Columns {
			out.remove(c.From.Name)
		}
		for _, c := range s.Columns {
			out.add(c.New)
		}
		return out
	}
	out.names = slices.Clone(in.names)
	renamed := func(name string) string {
		for _, c := range s.Columns {
			if c.From.Name == name {
				return c.New
			}
		}
		return name
	}
	for i, name := range out.names {
		out.names[i] = renamed(name)
	}
	if b := in.bucket; b != nil {
		moved := *b
		moved.time, moved.keys = renamed(b.time), nil
		for _, name := range b.keys {
			moved.keys = append(moved.keys, renamed(name))
		}
		out.bucket = &moved
	}
	return out
}

func (in *rows) drop(s *syntax.Drop) *rows {
	out := in.each(func(old *row) *row {
		made := old.clone()
		for _, c := range s.Columns {
			made.remove(c.Name)
		}
		return made
	})
	for _, c := range s.Columns {
		out.remove(c.Name)
	}
	return out
}

func (r *row) remove(name string) {
	delete(r.columns, name)
	if name == syntax.ColumnUser {
		r.user, r.made = r.own, false
	}
}

func (in *rows) remove(name string) {
	in.names = slices.DeleteFunc(slices.Clone(in.names), func(n string) bool { return n == name })
	in.hide(name)
}

// hide keeps a column from being shown as a field.
func (in *rows) hide(name string) {
	hidden := map[string]bool{name: true}
	for n := range in.hidden {
		hidden[n] = true
	}
	in.hidden = hidden
}
