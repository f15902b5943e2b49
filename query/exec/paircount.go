package exec

import "cairn/engine/segment"

// pairCounter counts rows by two keys in a table of cells, one for each pair of their values. It stands
// in for groups and count where nothing but the number of rows is wanted.
type pairCounter struct {
	table *groupTable
	cells []uint32 // by gid1<<shift | gid2
	shift uint
	rows  int // counted since the last flush
}

// countsOnly reports whether a worker needs nothing but the number of rows by two keys.
func (w *statsWorker) countsOnly() bool {
	if len(w.table.keys) != 2 || len(w.states) != 1 || w.pass.spec.states[0].cond >= 0 {
		return false
	}
	_, ok := w.states[0].(*countAggregate)
	return ok && !w.pass.x.Knobs.NoShortcut
}

// take counts a batch; ok is false if the keys have too many values.
func (c *pairCounter) take(b *batch, into *countAggregate) (ok bool, err error) {
	if !c.table.fits() {
		c.flush(into)
		return false, nil
	}
	c.grow(into)
	if b.sel == nil {
		if ok, err := c.block(b, into); ok || err != nil {
			return ok, err
		}
	}
	first, err := c.table.keys[0].gids(b)
	if err != nil {
		return false, err
	}
	second, err := c.table.keys[1].gids(b)
	if err != nil {
		return false, err
	}
	if !c.table.fits() {
		c.flush(into)
		into.resize(c.table.len())
		table := &c.table.pairs[0]
		for i, gid := range second {
			group := table.number(first[i], gid)
			into.resize(int(group) + 1)
			into.counts[group]++
		}
		return true, nil
	}
	c.grow(into)
	cells, shift := c.cells, c.shift
	second = second[:len(first)]
	for i, gid := range first {
		cells[gid<<shift|second[i]]++
	}
	c.rows += b.n
	return true, nil
}

// grow makes the cells fit the keys seen.
func (c *pairCounter) grow(into *countAggregate) {
	if len(c.cells) == len(c.table.dense) && c.shift == c.table.shift && c.rows < 1<<31 {
		return
	}
	c.flush(into)
	c.cells = make([]uint32, len(c.table.dense))
	c.shift = c.table.shift
}

// flush turns cells into groups.
func (c *pairCounter) flush(into *countAggregate) {
	if c.rows == 0 {
		return
	}
	c.rows = 0
	for cell, n := range c.cells {
		if n > 0 {
			group := c.table.pairs[0].number(uint32(cell>>c.shift), uint32(cell)&(1<<c.shift-1))
			into.resize(int(group) + 1)
			into.counts[group] += int64(n)
			c.cells[cell] = 0
		}
	}
}

// block counts a whole block in which one key is coded by row and the other runs.
func (c *pairCounter) block(b *batch, into *countAggregate) (ok bool, err error) {
	var vectors [2]*segment.Vector
	for i, k := range c.table.keys {
		if k.kind != inputCodes {
			return false, nil
		}
		if vectors[i], err = k.column.Block(b.block); err != nil || vectors[i].Present != nil {
			return false, err
		}
	}
	coded, run := 0, 1
	if vectors[0].Form == segment.FormRuns {
		coded, run = 1, 0
	}
	if vectors[coded].Form != segment.Form8 || c.table.keys[coded].dict.Len() > 256 || vectors[run].Form != segment.FormRuns {
		return false, nil
	}
	// Number the values first, so that the cells stay where they are.
	codedKey, runKey := c.table.keys[coded], c.table.keys[run]
	values := codedKey.dict.Len()
	for code := range values {
		codedKey.gid(uint32(code))
	}
	for _, code := range vectors[run].RunCodes {
		runKey.gid(code)
	}
	if !c.table.fits() {
		return false, nil
	}
	c.grow(into)
	shifts := [2]uint{c.shift, 0}
	var offsets [256]uint32
	for code := range values {
		offsets[code] = codedKey.gid(uint32(code)) << shifts[coded]
	}
	cells, codes := c.cells, vectors[coded].U8
	from := uint32(0)
	for i, end := range vectors[run].Ends {
		base := runKey.gid(vectors[run].RunCodes[i]) << shifts[run]
		for _, code := range codes[from:end] {
			cells[base+offsets[code]]++
		}
		from = end
	}
	c.rows += b.n
	return true, nil
}
