package exec

import (
	"context"
	"slices"

	"cairn/engine/event"
	"cairn/query/syntax"
)

func (x *Execution) sort(ctx context.Context, t *table, s *syntax.Sort) (*table, error) {
	var exprs []syntax.Expr
	for _, k := range s.Keys {
		exprs = append(exprs, k.Expr)
	}
	fs, err := x.exprs(t, exprs)
	if err != nil {
		return nil, err
	}
	// The keys stand before the values while the rows are sorted.
	rows := make([]row, len(t.rows))
	for i := range t.rows {
		if err := interrupted(ctx, i); err != nil {
			return nil, err
		}
		values := make([]event.Value, 0, len(fs)+len(t.names))
		for _, f := range fs {
			values = append(values, f(&t.rows[i]))
		}
		rows[i] = row{append(values, t.rows[i].values...), t.rows[i].event}
	}
	n := len(fs)
	err = sortRows(ctx, rows, func(a, b *row) int {
		for i := range fs {
			if c := compareValues(a.values[i], b.values[i], s.Keys[i].Desc); c != 0 {
				return c
			}
		}
		return t.compareRest(&row{a.values[n:], a.event}, &row{b.values[n:], b.event})
	})
	for i := range rows {
		rows[i].values = rows[i].values[n:]
	}
	return t.with(rows), err
}

// newestFirst is the stage events.
func (t *table) newestFirst(ctx context.Context) (*table, error) {
	rows := slices.Clone(t.rows)
	err := sortRows(ctx, rows, t.compareRest)
	return t.with(rows), err
}

func (x *Execution) limit(t *table, s *syntax.Limit) (*table, error) {
	if s.By == nil {
		return t.with(t.rows[:min(s.N, int64(len(t.rows)))]), nil
	}
	fs, err := x.exprs(t, s.By)
	if err != nil {
		return nil, err
	}
	groups := x.newTuples(len(fs))
	var taken []int64
	var rows []row
	keys := make([]event.Value, len(fs))
	for i := range t.rows {
		for j, f := range fs {
			keys[j] = f(&t.rows[i])
		}
		g := int(groups.number(keys))
		taken = extended(taken, g+1)
		if taken[g]++; taken[g] <= s.N {
			rows = append(rows, t.rows[i])
		}
	}
	return t.with(rows), nil
}

func (t *table) offset(s *syntax.Offset) *table {
	return t.with(t.rows[min(s.N, int64(len(t.rows))):])
}

func (x *Execution) running(t *table, s *syntax.Running) (*table, error) {
	by, err := x.exprs(t, s.By)
	if err != nil {
		return nil, err
	}
	out := t.with(slices.Clone(t.rows))
	columns := make([][]event.Value, len(s.Columns))
	sumOf := &syntax.Agg{Func: syntax.AggSum}
	for c, column := range s.Columns {
		f, err := x.value(t, column.Expr)
		if err != nil {
			return nil, err
		}
		groups := x.newTuples(len(by))
		sums := x.newMoments(nil, false)
		keys := make([]event.Value, len(by))
		for i := range t.rows {
			for j, key := range by {
				keys[j] = key(&t.rows[i])
			}
			g := groups.number(keys)
			sums.resize(int(g) + 1)
			sums.addValue(g, f(&t.rows[i]))
			v, err := sums.finish(g, sumOf)
			if err != nil {
				return nil, err
			}
			columns[c] = append(columns[c], v)
		}
	}
	for c, column := range s.Columns {
		out.set(column.Name, columns[c])
	}
	return out, nil
}

// users is the stage on a table.
func (x *Execution) users(t *table) *table {
	user := x.user(t)
	seen := map[event.Value]bool{}
	out := &table{names: []string{syntax.ColumnUser}, rng: t.rng}
	for i := range t.rows {
		u := user(&t.rows[i])
		if u.Exists() && !seen[u] {
			seen[u] = true
			out.rows = append(out.rows, row{values: []event.Value{u}})
		}
	}
	out.sortByValues()
	return out
}

func (t *table) sortByValues() {
	slices.SortStableFunc(t.rows, func(a, b row) int { return compareRows(a.values, b.values) })
}
