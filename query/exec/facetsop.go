package exec

import (
	"context"
	"slices"
	"strings"

	"cairn/query/plan"
	"cairn/query/syntax"
)

// facetsWorker counts the values of every column of the events that pass a filter.
type facetsWorker struct {
	x       *Execution
	row     *plan.Row
	columns map[string]*facetColumn
	current []*facetColumn // of the open segment
	account account
}

// facetColumn is the counts of one column.
type facetColumn struct {
	name   string
	key    *keyColumn
	counts []int64 // by gid
}

func (x *Execution) facetsOf(ctx context.Context, p *plan.Pipeline, op *plan.Facets, filter *condition) (*table, error) {
	s, err := x.newScan(ctx, x.Range, filter)
	if err != nil {
		return nil, err
	}
	workers, err := s.run(ctx, func() (consumer, error) {
		return &facetsWorker{
			x: x, row: p.Row, columns: map[string]*facetColumn{},
			account: account{budget: x.Budget, purpose: "counts of values"},
		}, nil
	})
	if err != nil {
		return nil, err
	}
	first := workers[0].(*facetsWorker)
	for _, w := range workers[1:] {
		if err := first.merge(w.(*facetsWorker)); err != nil {
			return nil, err
		}
	}
	return first.table(op.N)
}

// column returns the counts of a column, making them for the first time.
func (w *facetsWorker) column(name string, e syntax.Expr) (*facetColumn, error) {
	if c := w.columns[name]; c != nil {
		return c, nil
	}
	in, err := w.x.newInput(e)
	if err != nil {
		return nil, err
	}
	c := &facetColumn{name: name, key: w.x.newKeyColumn(in)}
	c.key.ids.account.purpose = "values of facets"
	w.columns[name] = c
	return c, nil
}

func (w *facetsWorker) whole(*view, *bound) (bool, error) { return false, nil }

// open implements consumer.
func (w *facetsWorker) open(v *view) error {
	w.current = w.current[:0]
	add := func(name string, e syntax.Expr) error {
		c, err := w.column(name, e)
		if err != nil {
			return err
		}
		w.current = append(w.current, c)
		return c.key.open(v)
	}
	for _, m := range w.row.Made() {
		if err := add(m.Name, m.Expr); err != nil {
			return err
		}
	}
	if w.row.Closed() {
		return nil
	}
	if !w.row.Hidden(syntax.ColumnEvent) {
		if err := add(syntax.ColumnEvent, &syntax.Column{Name: syntax.ColumnEvent}); err != nil {
			return err
		}
	}
	for _, field := range v.reader.Fields() {
		name := fieldColumn(field.Name())
		if strings.HasPrefix(name, "\x00") || w.row.Hidden(name) {
			continue
		}
		if err := add(name, &syntax.Column{Scope: syntax.ScopeFields, Name: field.Name()}); err != nil {
			return err
		}
	}
	return nil
}

// take implements consumer.
func (w *facetsWorker) take(b *batch) error {
	for _, c := range w.current {
		gids, err := c.key.gids(b)
		if err != nil {
			return err
		}
		before := cap(c.counts)
		c.counts = extended(c.counts, len(c.key.ids.values))
		w.account.add(8 * (cap(c.counts) - before))
		for _, gid := range gids {
			c.counts[gid]++
		}
		if err := w.x.Budget.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (w *facetsWorker) merge(o *facetsWorker) error {
	for name, other := range o.columns {
		c, err := w.column(name, other.key.program.expr)
		if err != nil {
			return err
		}
		for gid, n := range other.counts {
			mine := c.key.ids.intern(other.key.ids.values[gid])
			c.counts = extended(c.counts, int(mine)+1)
			c.counts[mine] += n
		}
	}
	return w.x.Budget.Err()
}

func (w *facetsWorker) table(n int) (*table, error) {
	t := &table{names: syntax.FacetColumns[:], rng: w.x.Range}
	var names []string
	for name := range w.columns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := w.columns[name]
		var list []valueCount
		for gid, count := range c.counts {
			if v := c.key.ids.values[gid]; v.Exists() && count > 0 {
				list = append(list, valueCount{v, count})
			}
		}
		if err := w.x.nameAll(list); err != nil {
			return nil, err
		}
		t.addFacet(name, mostFrequent(list, n))
	}
	return t, nil
}
