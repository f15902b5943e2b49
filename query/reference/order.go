package reference

import (
	"fmt"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/syntax"
)

func (r *run) sort(in *rows, s *syntax.Sort) (*rows, error) {
	var exprs []syntax.Expr
	for _, k := range s.Keys {
		exprs = append(exprs, k.Expr)
	}
	fs, err := r.values(exprs)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(in.list)
	slices.SortStableFunc(list, func(a, b *row) int {
		for i, f := range fs {
			if c := compareValues(f(a), f(b), s.Keys[i].Desc); c != 0 {
				return c
			}
		}
		return in.compareRest(a, b)
	})
	return in.with(list), nil
}

// compareRest orders rows whose sort keys are equal.
func (in *rows) compareRest(a, b *row) int {
	if in.events {
		if c := compareEvents(a.event, b.event); c != 0 {
			return c
		}
	}
	for _, name := range in.names {
		if c := compareValues(a.columns[name], b.columns[name], false); c != 0 {
			return c
		}
	}
	return 0
}

func (in *rows) newestFirst() *rows {
	list := slices.Clone(in.list)
	slices.SortStableFunc(list, in.compareRest)
	return in.with(list)
}

func (r *run) limit(in *rows, s *syntax.Limit) (*rows, error) {
	fs, err := r.values(s.By)
	if err != nil {
		return nil, err
	}
	taken := map[string]int64{}
	var list []*row
	for _, row := range in.list {
		group := groupOf(row, fs)
		if taken[group]++; taken[group] <= s.N {
			list = append(list, row)
		}
	}
	return in.with(list), nil
}

// groupOf names the group of a row by its keys.
func groupOf(r *row, fs []func(*row) event.Value) string {
	var keys []event.Value
	for _, f := range fs {
		keys = append(keys, key(f(r)))
	}
	return nameOf(keys)
}

// nameOf makes a text of values, another one for other values.
func nameOf(values []event.Value) string {
	var name strings.Builder
	for _, v := range values {
		fmt.Fprintf(&name, "%d %d %q;", v.Kind(), v.Bits(), v.Text())
	}
	return name.String()
}

func (in *rows) offset(s *syntax.Offset) *rows {
	return in.with(in.list[min(s.N, int64(len(in.list))):])
}

func (r *run) running(in *rows, s *syntax.Running) (*rows, error) {
	by, err := r.values(s.By)
	if err != nil {
		return nil, err
	}
	var exprs []syntax.Expr
	for _, c := range s.Columns {
		exprs = append(exprs, c.Expr)
	}
	fs, err := r.values(exprs)
	if err != nil {
		return nil, err
	}
	before := map[string][][]event.Value{} // by group: the values of each column so far
	var list []*row
	for _, old := range in.list {
		group := groupOf(old, by)
		if before[group] == nil {
			before[group] = make([][]event.Value, len(fs))
		}
		made := old.clone()
		for i, f := range fs {
			before[group][i] = append(before[group][i], f(old))
			made.columns[s.Columns[i].Name] = sum(before[group][i])
		}
		list = append(list, made)
	}
	out := in.with(list)
	for _, c := range s.Columns {
		out.add(c.Name)
	}
	return out, nil
}

func (r *run) users(in *rows) *rows {
	if in.members != nil {
		return in.members
	}
	seen := map[event.Value]bool{}
	var list []*row
	for _, old := range in.list {
		u := userOf(old)
		if !u.Exists() || seen[u] {
			continue
		}
		seen[u] = true
		list = append(list, &row{columns: map[string]event.Value{syntax.ColumnUser: u}})
	}
	slices.SortFunc(list, func(a, b *row) int {
		return event.Compare(a.columns[syntax.ColumnUser], b.columns[syntax.ColumnUser])
	})
	return &rows{list: list, names: []string{syntax.ColumnUser}, rng: in.rng}
}

func (in *rows) facets(s *syntax.Facets) *rows {
	names := in.names
	if in.open {
		names = slices.Concat(in.eventColumns(), in.names)
		names = slices.DeleteFunc(names, func(name string) bool {
			hidden := []string{syntax.ColumnTime, syntax.ColumnUser, syntax.ColumnID, syntax.ColumnReceived}
			return slices.Contains(hidden, name) && !slices.Contains(in.names, name)
		})
	}
	out := &rows{names: syntax.FacetColumns[:], rng: in.rng}
	for _, name := range slices.Sorted(slices.Values(names)) {
		var values []event.Value
		for _, r := range in.list {
			values = append(values, r.columns[name])
		}
		for i, f := range frequencies(values) {
			if i == s.N {
				break
			}
			out.list = append(out.list, &row{columns: map[string]event.Value{
				out.names[0]: event.String(name), out.names[1]: f.value, out.names[2]: event.Int(f.count),
			}})
		}
	}
	return out
}

type frequency struct {
	value event.Value
	count int64
}

// frequencies counts the values that exist, the most frequent first, then the smaller.
func frequencies(values []event.Value) []frequency {
	counts := map[event.Value]int64{}
	for _, v := range values {
		if v.Exists() {
			counts[v.Canonical()]++
		}
	}
	var list []frequency
	for v, n := range counts {
		list = append(list, frequency{v, n})
	}
	slices.SortFunc(list, func(a, b frequency) int {
		if a.count != b.count {
			return int(b.count - a.count)
		}
		return event.Compare(a.value, b.value)
	})
	return list
}
