package exec

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// table makes the rows of the retention: the cohorts of each group, then their mean.
func (r *retentionRun) table(groups []*retentionGroup) (*table, error) {
	t := &table{rng: r.rng, names: append(names(r.stage.By), "cohort", "size")}
	for _, c := range r.columns {
		t.names = append(t.names, fmt.Sprintf("p%d", c.k))
	}
	from, to := r.rows(groups)
	if from == to {
		return t, nil
	}
	for _, g := range groups {
		r.x.Budget.Add("rows", (to-from+1)*(24+40*len(t.names)))
		if err := r.x.Budget.Err(); err != nil {
			return nil, err
		}
		mean := newRetentionMean(r.stage.Value, len(r.columns))
		for cohort := from; cohort < to; cohort++ {
			values := make([]event.Value, 0, len(t.names))
			values = append(values, g.keys...)
			values = append(values, event.Time(r.periods.start(cohort)), event.Int(g.sizes[cohort]))
			for i := range r.columns {
				v, err := r.show(g, cohort, i)
				if err != nil {
					return nil, err
				}
				values = append(values, v)
			}
			mean.add(g.sizes[cohort], values[len(values)-len(r.columns):])
			t.rows = append(t.rows, row{values: values})
		}
		t.rows = append(t.rows, row{values: mean.row(g.keys)})
	}
	return t, nil
}

// rows returns which cohorts have rows, [from, to).
func (r *retentionRun) rows(groups []*retentionGroup) (from, to int) {
	first, last := r.periods.n, -1
	for _, g := range groups {
		for cohort, size := range g.sizes {
			if size > 0 {
				first, last = min(first, cohort), max(last, cohort)
			}
		}
	}
	return r.periods.rows(first, last)
}

// show is what a cell shows.
func (r *retentionRun) show(g *retentionGroup, cohort, column int) (event.Value, error) {
	switch cell := r.cell(cohort, column); {
	case column >= r.over[cohort]:
		return event.Null, nil
	case g.values != nil:
		return g.values.finish(uint32(cell), &syntax.Agg{Func: r.stage.Value})
	default:
		return event.Int(g.counts[cell]), nil
	}
}

// retentionMean adds up the cohorts of a group.
type retentionMean struct {
	value   syntax.AggFunc
	users   int64   // of all cohorts
	squares big.Int // of their sizes, added up
	columns []retentionMeanColumn
}

type retentionMeanColumn struct {
	users              int64   // of the cohorts whose cell is there
	sum                big.Rat // of cells times sizes
	numbers, durations bool    // other than 0
}

func newRetentionMean(value syntax.AggFunc, columns int) *retentionMean {
	return &retentionMean{value: value, columns: make([]retentionMeanColumn, columns)}
}

// add adds a cohort.
func (m *retentionMean) add(size int64, cells []event.Value) {
	m.users += size
	m.squares.Add(&m.squares, new(big.Int).Mul(big.NewInt(size), big.NewInt(size)))
	for i, v := range cells {
		c := &m.columns[i]
		switch {
		case !v.Exists():
			continue
		case m.value == 0:
			c.sum.Add(&c.sum, new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(v.AsInt()), big.NewInt(size))))
		default:
			c.addValue(v, size)
		}
		c.users += size
	}
}

func (c *retentionMeanColumn) addValue(v event.Value, size int64) {
	x := new(big.Rat)
	if v.Kind() == event.KindFloat {
		x.SetFloat64(v.AsFloat())
	} else {
		x.SetInt64(v.AsInt())
	}
	c.durations = c.durations || v.Kind() == event.KindDuration
	c.numbers = c.numbers || v.IsNumber() && x.Sign() != 0
	c.sum.Add(&c.sum, x.Mul(x, new(big.Rat).SetInt64(size)))
}

// row is the last row of the group.
func (m *retentionMean) row(keys []event.Value) []event.Value {
	size := event.Float(0)
	if m.users > 0 {
		f, _ := new(big.Rat).SetFrac(&m.squares, big.NewInt(m.users)).Float64()
		size = scalar.Finite(f)
	}
	values := append(slices.Clone(keys), event.Null, size)
	for i := range m.columns {
		values = append(values, m.mean(&m.columns[i]))
	}
	return values
}

// mean is the mean of a column over the cohorts whose cell is there, weighted by their sizes.
func (m *retentionMean) mean(c *retentionMeanColumn) event.Value {
	if c.users == 0 || c.numbers && c.durations {
		return event.Null
	}
	mean := new(big.Rat).Quo(&c.sum, new(big.Rat).SetInt64(c.users))
	if c.durations {
		return durationOf(mean)
	}
	f, _ := mean.Float64()
	return scalar.Finite(f)
}

// memberTable lists who is counted in which cell.
func (r *retentionRun) memberTable(ctx context.Context, groups []*retentionGroup) (*table, error) {
	t := &table{rng: r.rng, names: append(append([]string{syntax.ColumnUser}, names(r.stage.By)...), "cohort", "period")}
	type member struct {
		retentionMember
		group int32
	}
	var list []member
	for n, g := range groups {
		r.x.Budget.Add("cohorts", 16*len(g.members))
		for i, m := range g.members {
			if err := interrupted(ctx, i); err != nil {
				return nil, err
			}
			v, err := r.show(g, int(m.cohort), int(m.column))
			if err != nil {
				return nil, err
			}
			if v.Exists() {
				list = append(list, member{m, int32(n)})
			}
		}
	}
	r.x.Budget.Add("rows", len(list)*(24+40*len(t.names)))
	if err := r.x.Budget.Err(); err != nil {
		return nil, err
	}
	users, err := orderByUser(r.feed, r.workers, len(list), func(i int) uint32 { return list[i].user })
	if err != nil {
		return nil, err
	}
	t.rows = make([]row, 0, len(list))
	err = users.each(ctx, func(i, j int32) int {
		a, b := &list[i], &list[j]
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.cohort, b.cohort), cmp.Compare(a.column, b.column))
	}, func(name event.Value, i int32) {
		m := &list[i]
		values := make([]event.Value, 0, len(t.names))
		values = append(append(values, name), groups[m.group].keys...)
		values = append(values, event.Time(r.periods.start(int(m.cohort))), event.Int(int64(r.columns[m.column].k)))
		t.rows = append(t.rows, row{values: values})
	})
	return t, err
}
