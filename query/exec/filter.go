package exec

import "cairn/index"

// blockFilter applies bound conditions to the blocks of one segment, in ascending order. It is used
// by one goroutine.
type blockFilter struct {
	x       *Execution
	view    *view
	bound   *bound
	scratch *scratch
	sets    map[*bound]*index.Iterator
	readers map[*program]*rowReader
	buffer  []uint16
}

func newBlockFilter(x *Execution, v *view, b *bound, s *scratch) *blockFilter {
	return &blockFilter{x: x, view: v, bound: b, scratch: s}
}

// block returns the rows of a block that pass, in a slice that is valid until the next call; a nil
// slice and all mean the whole block.
func (f *blockFilter) block(b int) (sel []uint16, all bool, err error) {
	if f.bound.full() {
		return nil, true, nil
	}
	if f.buffer == nil {
		f.buffer = f.scratch.takeRows()
	}
	sel, err = f.apply(f.bound, b, nil, f.buffer[:0])
	if err != nil {
		return nil, false, err
	}
	f.buffer = sel[:0]
	from, to := f.view.reader.BlockRange(b)
	if len(sel) == to-from {
		return nil, true, nil
	}
	return sel, false, nil
}

// close gives the filter's buffers back.
func (f *blockFilter) close() {
	f.scratch.putRows(f.buffer)
	f.buffer = nil
}

// apply appends to dst the rows of sel (nil: the whole block) that pass.
func (f *blockFilter) apply(c *bound, b int, sel, dst []uint16) ([]uint16, error) {
	switch c.op {
	case boundRows:
		return f.members(c, b, sel, dst), nil
	case boundAnd:
		return f.all(c, b, sel, dst)
	case boundOr:
		return f.any(c, b, sel, dst)
	case boundNot:
		passing, err := f.apply(c.kids[0], b, sel, f.scratch.takeRows())
		if err != nil {
			return nil, err
		}
		dst = f.except(b, sel, passing, dst)
		f.scratch.putRows(passing)
		return dst, nil
	case boundCodes:
		vector, err := c.column.Block(b)
		if err != nil {
			return nil, err
		}
		if sel == nil {
			return scanRows(vector, c.table, dst), nil
		}
		f.scratch.codes = vector.Codes(f.scratch.codes[:0], sel)
		return keepCodes(f.scratch.codes, sel, c.table, dst), nil
	case boundNumbers:
		vector, err := c.column.Block(b)
		if err != nil {
			return nil, err
		}
		return scanNumbers(vector, c.span, sel, dst, f.scratch), nil
	}
	return f.generic(c, b, sel, dst)
}

func (f *blockFilter) rows(b int) int {
	from, to := f.view.reader.BlockRange(b)
	return to - from
}

func (f *blockFilter) members(c *bound, b int, sel, dst []uint16) []uint16 {
	if c.set.Full() {
		if sel == nil {
			return appendRange(dst, 0, f.rows(b))
		}
		return append(dst, sel...)
	}
	if c.set.Empty() {
		return dst
	}
	it := f.sets[c]
	if it == nil {
		it = index.NewIterator(c.set, f.view.info.Rows, f.view.reader.BlockRows())
		if f.sets == nil {
			f.sets = map[*bound]*index.Iterator{}
		}
		f.sets[c] = it
	}
	if sel == nil {
		dst, _ = it.Block(b, dst)
		return dst
	}
	members, _ := it.Block(b, f.scratch.takeRows())
	dst = common(sel, members, dst)
	f.scratch.putRows(members)
	return dst
}

func (f *blockFilter) all(c *bound, b int, sel, dst []uint16) ([]uint16, error) {
	var err error
	current, owned := sel, false
	step := func(kid *bound, last bool) error {
		target := dst
		if !last {
			target = f.scratch.takeRows()
		}
		next, err := f.apply(kid, b, current, target)
		if owned {
			f.scratch.putRows(current)
		}
		current, owned = next, !last
		return err
	}
	for i, kid := range c.kids {
		if owned && len(current) == 0 {
			f.scratch.putRows(current)
			return dst, nil
		}
		if err = step(kid, i == len(c.kids)-1); err != nil {
			return nil, err
		}
	}
	return current, nil
}

func (f *blockFilter) any(c *bound, b int, sel, dst []uint16) ([]uint16, error) {
	found := f.scratch.takeRows()
	for _, kid := range c.kids {
		more, err := f.apply(kid, b, sel, f.scratch.takeRows())
		if err != nil {
			return nil, err
		}
		both := unite(found, more, f.scratch.takeRows())
		f.scratch.putRows(found)
		f.scratch.putRows(more)
		found = both
	}
	dst = append(dst, found...)
	f.scratch.putRows(found)
	return dst, nil
}

func (f *blockFilter) generic(c *bound, b int, sel, dst []uint16) ([]uint16, error) {
	r := f.readers[c.program]
	if r == nil {
		r = newRowReader(f.x, c.program)
		if f.readers == nil {
			f.readers = map[*program]*rowReader{}
		}
		f.readers[c.program] = r
	}
	if err := r.open(f.view, b); err != nil {
		return nil, err
	}
	if sel != nil {
		for _, row := range sel {
			r.row = int(row)
			if c.program.test(r) {
				dst = append(dst, row)
			}
		}
		return dst, nil
	}
	for row := range f.rows(b) {
		r.row = row
		if c.program.test(r) {
			dst = append(dst, uint16(row))
		}
	}
	return dst, nil
}

// except appends the rows of sel (nil: the whole block) that are not in gone.
func (f *blockFilter) except(b int, sel, gone, dst []uint16) []uint16 {
	next := 0
	keep := func(row uint16) {
		if next < len(gone) && gone[next] == row {
			next++
			return
		}
		dst = append(dst, row)
	}
	if sel != nil {
		for _, row := range sel {
			keep(row)
		}
		return dst
	}
	for row := range f.rows(b) {
		keep(uint16(row))
	}
	return dst
}

// common and unite appends what is in both, or in either, of two ascending lists.
func common(a, b, dst []uint16) []uint16 {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			dst = append(dst, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return dst
}

func unite(a, b, dst []uint16) []uint16 {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			dst, a = append(dst, a[0]), a[1:]
		case a[0] > b[0]:
			dst, b = append(dst, b[0]), b[1:]
		default:
			dst = append(dst, a[0])
			a, b = a[1:], b[1:]
		}
	}
	dst = append(dst, a...)
	return append(dst, b...)
}
