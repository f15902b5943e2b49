package exec

import (
	"math"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// rowTest tells which rows of batches fulfil a condition, where rows have computed columns. Used by one
// goroutine.
type rowTest struct {
	x      *Execution
	reader *rowReader // not nil: the condition looks at computed columns
	quick  *quickTest // not nil: for columns that it suits

	condition *condition // of stored columns
	filter    *keptFilter
	kept      map[*view]*keptFilter
	scratch   *scratch

	rows    []uint16
	indices []uint32
	some    subBatch
}

// keptFilter is a filter of a segment to which blocks come again and again, ascending for a while.
type keptFilter struct {
	*blockFilter
	last int // block
}

// quickTest compares one computed column of whole numbers, or asks whether it has a value.
type quickTest struct {
	column int
	op     syntax.Op // 0: it has
	not    bool
	value  event.Value
}

func (x *Execution) newRowTest(e syntax.Expr) (*rowTest, error) {
	t := &rowTest{x: x, quick: x.quickTest(e)}
	for _, ref := range x.refs(e) {
		if ref.source != sourceMade {
			continue
		}
		p, err := x.program(e)
		t.reader = newRowReader(x, p)
		return t, err
	}
	t.kept, t.scratch = map[*view]*keptFilter{}, &scratch{}
	t.rows = make([]uint16, 0, 1<<16+1)
	var err error
	t.condition, err = x.compile(e)
	return t, err
}

// quickTest recognises exists(COLUMN) and COLUMN op LITERAL, negated or not.
func (x *Execution) quickTest(e syntax.Expr) *quickTest {
	number := func(e syntax.Expr) (int, bool) {
		c, ok := e.(*syntax.Column)
		if !ok || c.Scope != syntax.ScopeMade {
			return 0, false
		}
		return x.made.number(c.Name), true
	}
	switch e := e.(type) {
	case *syntax.Unary:
		if e.Op != syntax.OpNot {
			return nil
		}
		if t := x.quickTest(e.X); t != nil {
			t.not = !t.not
			return t
		}
	case *syntax.Call:
		if e.Name != "exists" || len(e.Args) != 1 {
			return nil
		}
		if n, ok := number(e.Args[0]); ok {
			return &quickTest{column: n}
		}
	case *syntax.Binary:
		literal, ok := e.Y.(*syntax.Literal)
		if !ok || mirrored(e.Op) == 0 {
			return nil
		}
		if n, ok := number(e.X); ok && (literal.Value.Kind() == event.KindInt || literal.Value.Kind() == event.KindDuration) {
			return &quickTest{column: n, op: e.Op, value: literal.Value}
		}
	}
	return nil
}

// open turns to a segment.
func (t *rowTest) open(v *view) error {
	if t.condition == nil {
		return nil
	}
	if t.filter = t.kept[v]; t.filter != nil {
		return nil
	}
	b, err := t.x.bind(t.condition, v)
	if err != nil {
		return err
	}
	t.filter = &keptFilter{blockFilter: newBlockFilter(t.x, v, b.resolve(), t.scratch)}
	t.kept[v] = t.filter
	return nil
}

// passing returns the indices of the rows of a batch that fulfil the condition; all says that they do. The
// slice is valid until the next call.
func (t *rowTest) passing(b *batch) (indices []uint32, all bool, err error) {
	if t.quick != nil {
		c, err := b.made.column(t.quick.column)
		if err != nil {
			return nil, false, err
		}
		if t.quick.suits(c) {
			t.indices = t.quick.passing(b, c, t.indices[:0])
			return t.indices, len(t.indices) == b.n, nil
		}
	}
	switch {
	case t.reader != nil:
		if err := t.reader.openBatch(b); err != nil {
			return nil, false, err
		}
		t.indices = t.indices[:0]
		for i := range b.n {
			if t.reader.turn(b, i); t.reader.p.test(t.reader) {
				t.indices = append(t.indices, uint32(i))
			}
		}
	default:
		if t.filter.bound.full() {
			return nil, true, nil
		}
		if b.block < t.filter.last {
			t.filter.blockFilter = newBlockFilter(t.x, b.view, t.filter.bound, t.scratch)
		}
		t.filter.last = b.block
		if t.rows, err = t.filter.apply(t.filter.bound, b.block, b.sel, t.rows[:0]); err != nil {
			return nil, false, err
		}
		t.indices = t.indices[:0]
		at := 0
		for _, row := range t.rows {
			for b.row(at) != int(row) {
				at++
			}
			t.indices = append(t.indices, uint32(at))
		}
	}
	return t.indices, len(t.indices) == b.n, nil
}

// of returns the batch of the rows that fulfil the condition. It is valid until the next call.
func (t *rowTest) of(b *batch) (*batch, error) {
	indices, all, err := t.passing(b)
	if err != nil || all {
		return b, err
	}
	return t.some.of(b, indices), nil
}

// suits reports whether the test can be made on a column as it is.
func (t *quickTest) suits(c *madeColumn) bool {
	return c.special == madePlain && (c.ints != nil && (t.op == 0 || t.value.Kind() == c.kind) || c.gids != nil && t.op == 0)
}

// passing appends the indices of the rows of a batch that pass.
func (t *quickTest) passing(b *batch, c *madeColumn, out []uint32) []uint32 {
	if c.gids != nil {
		for i := range b.n {
			if c.at(c.index(b, i)).Exists() != t.not {
				out = append(out, uint32(i))
			}
		}
		return out
	}
	least, greatest := t.bounds()
	not := t.not != (t.op == syntax.OpNe)
	for i := range b.n {
		at := c.index(b, i)
		n := c.ints[at]
		if in := least <= n && n <= greatest && (c.ok == nil || c.ok[at]); in != not {
			out = append(out, uint32(i))
		}
	}
	return out
}

// bounds returns between which numbers those lie that pass, or for != that do not.
func (t *quickTest) bounds() (least, greatest int64) {
	least, greatest = math.MinInt64, math.MaxInt64
	n := t.value.AsInt()
	switch t.op {
	case syntax.OpEq, syntax.OpNe:
		return n, n
	case syntax.OpLe:
		greatest = n
	case syntax.OpGe:
		least = n
	case syntax.OpLt:
		if n == math.MinInt64 {
			return 1, 0
		}
		greatest = n - 1
	case syntax.OpGt:
		if n == math.MaxInt64 {
			return 1, 0
		}
		least = n + 1
	}
	return least, greatest
}

// takeTested feeds the states of a condition with the rows of a batch that fulfil it.
func (w *statsWorker) takeTested(c int, b *batch, groups []uint32) error {
	indices, all, err := w.tests[c].passing(b)
	if err != nil || len(indices) == 0 && !all {
		return err
	}
	if !all {
		b = w.tests[c].some.of(b, indices)
		if groups != nil {
			w.groups = picked(w.groups[:0], groups, indices)
			groups = w.groups
		}
	}
	for i, s := range w.states {
		if w.pass.spec.states[i].cond == c {
			if err := s.update(b, groups); err != nil {
				return err
			}
		}
	}
	return nil
}
