package exec

import (
	"slices"

	"cairn/engine/event"
	"cairn/index"
)

// bindSelectors finds out how the classes of rows are told. Where no others are wanted, it narrows the
// filter to the rows that have one.
func (c *streamCursor) bindSelectors(filter **bound) error {
	x, s, src := c.w.x, c.w.stream, c.source
	src.once.Do(func() { src.err = s.classify(src) })
	if src.err != nil {
		return src.err
	}
	if src.byName {
		c.byCode = src.byCode
		for code, class := range c.byCode {
			if class != 0 && code < len(c.wanted) {
				c.wanted[code] = 1
			}
		}
		if src.rows != nil {
			*filter = both(*filter, src.rows)
		}
		return nil
	}
	var any *bound
	for i, sel := range s.selectors {
		b, err := x.bind(sel, src.view)
		if err != nil {
			return err
		}
		b = b.resolve()
		c.tests = append(c.tests, newBlockFilter(x, src.view, b, c.w.scratch))
		if i == 0 {
			any = b
		} else {
			any = either(any, b)
		}
	}
	if s.whole {
		return nil
	}
	if any == nil {
		any = constantBound(false)
	}
	*filter = both(*filter, any)
	return nil
}

// postingsMin is the size of a segment up to which names are looked at row by row, rather than in postings.
const postingsMin = 1 << 13

// classify finds the classes of a segment's events, if their names tell, and then the rows that have one.
func (s *stream) classify(src *streamSource) error {
	x, v := s.x, src.view
	if x.Knobs.NoDictEval {
		return nil
	}
	codes := len(v.info.Events)
	sets := make([]uint64, codes*s.words())
	for i, sel := range s.selectors {
		table, ok, err := x.nameTable(sel, v)
		if err != nil || !ok {
			return err
		}
		for code := range table {
			if table[code] {
				sets[code*s.words()+i/64] |= 1 << (i % 64)
			}
		}
	}
	src.byName = true
	src.byCode = make([]uint32, codes)
	rows := 0
	for code := range src.byCode {
		if src.byCode[code] = s.classes.class(sets[code*s.words() : (code+1)*s.words()]); src.byCode[code] != 0 {
			rows += v.info.Events[code].Rows
		}
	}
	if s.whole || rows == v.info.Rows {
		return nil
	}
	if rows == 0 {
		src.rows = constantBound(false)
	}
	if x.Knobs.NoIndex || v.info.Rows < postingsMin {
		return nil
	}
	var some []index.Rows
	for code, class := range src.byCode {
		if class == 0 {
			continue
		}
		set, ok, err := v.reader.Event().Postings(uint32(code))
		if err != nil || !ok {
			return err
		}
		some = append(some, index.Of(set))
	}
	src.rows = &bound{set: index.Union(some, v.info.Rows)}
	return nil
}

// either and both join two resolved conditions of a segment.
func either(a, b *bound) *bound {
	if a.op == boundRows && b.op == boundRows {
		return &bound{set: a.set.Or(b.set)}
	}
	return &bound{op: boundOr, kids: []*bound{a, b}}
}

func both(a, b *bound) *bound {
	a, b = a.resolve(), b.resolve()
	switch {
	case a.full() || b.nothing():
		return b
	case b.full() || a.nothing():
		return a
	}
	if a.op != boundRows && b.op == boundRows {
		a, b = b, a
	}
	return &bound{op: boundAnd, set: a.first(), kids: []*bound{a, b}}
}

// nameTable evaluates a condition that looks at nothing but the event's name, by code; ok is false if it
// looks at more.
func (x *Execution) nameTable(c *condition, v *view) (table []bool, ok bool, err error) {
	n := len(v.info.Events)
	if c == nil || c == always {
		return fullTable(n), true, nil
	}
	switch c.op {
	case conditionLeaf:
		if len(c.refs) != 1 || c.refs[0].source != sourceEvent {
			return nil, false, nil
		}
		for _, l := range c.program.leaves {
			if l.perUser != nil {
				return nil, false, nil
			}
		}
		table = make([]bool, n)
		one := &codeRow{p: c.program}
		for code := range table {
			one.value = event.String(v.info.Events[code].Name)
			table[code] = c.program.test(one)
		}
		return table, true, nil
	case conditionNot:
		if table, ok, err = x.nameTable(c.kids[0], v); ok {
			for i := range table {
				table[i] = !table[i]
			}
		}
		return table, ok, err
	}
	for i, kid := range c.kids {
		t, ok, err := x.nameTable(kid, v)
		if !ok || err != nil {
			return nil, false, err
		}
		if i == 0 {
			table = t
			continue
		}
		for j := range table {
			if c.op == conditionAnd {
				table[j] = table[j] && t[j]
			} else {
				table[j] = table[j] || t[j]
			}
		}
	}
	return table, true, nil
}

func fullTable(n int) []bool {
	table := make([]bool, n)
	for i := range table {
		table[i] = true
	}
	return table
}

// classify works out the class of every row of the block.
func (c *streamCursor) classify(b int) error {
	s := c.w.stream
	words, rows := s.words(), c.filter.rows(b)
	c.masks = zeroedWords(c.masks, rows*words)
	var sel []uint16
	if !c.all {
		sel = c.sel
	}
	for i, f := range c.tests {
		matching, err := f.apply(f.bound, b, sel, c.w.buffer[:0])
		if err != nil {
			return err
		}
		for _, row := range matching {
			c.masks[int(row)*words+i/64] |= 1 << (i % 64)
		}
	}
	if cap(c.classes) < rows {
		c.classes = make([]uint32, rows)
	}
	c.classes = c.classes[:rows]
	lastClass := uint32(0)
	var lastMask []uint64
	for row := range rows {
		mask := c.masks[row*words : (row+1)*words]
		if lastMask == nil || !slices.Equal(mask, lastMask) {
			lastMask, lastClass = mask, s.classes.class(mask)
		}
		c.classes[row] = lastClass
	}
	return nil
}

func zeroedWords(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}
