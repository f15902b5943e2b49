package exec

import (
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/index"
)

// bound is a condition on one segment: the rows that an index names, or what is left to be looked
// at block by block. It is immutable and shared by workers.
type bound struct {
	op  boundOp
	set index.Rows // boundRows; boundAnd: that of the first kid
	// sets, if not nil, are what set is the intersection of, as soon as resolve has been called.
	sets []index.Rows
	rows int // of the segment, if there are sets
	// events, if not nil, says that set is all rows with these codes of event names.
	events []uint32
	kids   []*bound // boundAnd, boundOr, boundNot
	// boundCodes
	column *segment.Column
	table  codeTable
	// boundNumbers
	span interval
	// boundGeneric
	program *program
}

type boundOp uint8

const (
	boundRows    boundOp = iota // set
	boundAnd                    // all of the kids; set is the first of them if that is boundRows
	boundOr                     // any of the kids
	boundNot                    // not the one kid
	boundCodes                  // rows of column whose code is in table
	boundNumbers                // rows of column whose number lies in span
	boundGeneric                // rows on which program holds
)

// nothing reports whether surely no row passes.
func (b *bound) nothing() bool { return b.op == boundRows && b.sets == nil && b.set.Empty() }

// full reports whether surely all rows pass.
func (b *bound) full() bool { return b.op == boundRows && b.sets == nil && b.set.Full() }

// resolve intersects the sets.
func (b *bound) resolve() *bound {
	if b.sets == nil {
		return b
	}
	set := index.Intersect(b.sets, b.rows)
	b.sets = nil
	switch b.set = set; {
	case set.Empty():
		b.op, b.kids = boundRows, nil
	case b.op == boundAnd:
		b.kids = append([]*bound{{set: set}}, b.kids...)
	}
	return b
}

// count returns how many of a segment's rows pass, for a boundRows.
func (b *bound) count(rows int) int {
	if b.sets == nil {
		return b.set.Count(rows)
	}
	return index.IntersectCount(b.sets, rows)
}

// bind works out what a condition means on a segment. nil is no condition.
func (x *Execution) bind(c *condition, v *view) (*bound, error) {
	if c == nil {
		return &bound{set: index.All}, nil
	}
	switch c.op {
	case conditionNot:
		kid, err := x.bind(c.kids[0], v)
		if err != nil {
			return nil, err
		}
		if kid.resolve().op == boundRows {
			return &bound{set: kid.set.Invert()}, nil
		}
		return &bound{op: boundNot, kids: []*bound{kid}}, nil
	case conditionAnd:
		return x.bindAnd(c, v)
	case conditionOr:
		return x.bindOr(c, v)
	}
	return x.bindLeaf(c, v)
}

func (x *Execution) bindAnd(c *condition, v *view) (*bound, error) {
	out := &bound{op: boundAnd, set: index.All, rows: v.info.Rows}
	for _, k := range c.kids {
		kid, err := x.bind(k, v)
		switch {
		case err != nil:
			return nil, err
		case kid.full():
			continue
		case kid.nothing():
			return kid, nil
		}
		switch {
		case kid.op == boundRows && kid.sets == nil:
			out.sets = append(out.sets, kid.set)
			out.events = kid.events
		case kid.op == boundRows || kid.op == boundAnd:
			out.sets = append(out.sets, kid.sets...)
			out.kids = append(out.kids, kid.kids...)
		default:
			out.kids = append(out.kids, kid)
		}
	}
	if len(out.sets) > 1 {
		out.events = nil
		slices.SortFunc(out.sets, func(a, b index.Rows) int { return a.SizeBytes() - b.SizeBytes() })
	}
	switch {
	case len(out.kids) > 0:
		out.events = nil
		if len(out.sets) == 0 && len(out.kids) == 1 {
			return out.kids[0], nil
		}
	case len(out.sets) < 2:
		if len(out.sets) == 1 {
			out.set = out.sets[0]
		}
		return &bound{set: out.set, events: out.events}, nil
	default:
		out.op = boundRows
	}
	return out, nil
}

func (x *Execution) bindOr(c *condition, v *view) (*bound, error) {
	out := &bound{op: boundOr}
	set := index.None
	events := []uint32{}
	for _, k := range c.kids {
		kid, err := x.bind(k, v)
		if err != nil {
			return nil, err
		}
		if kid.resolve().op == boundRows {
			set = set.Or(kid.set)
			switch {
			case kid.set.Empty():
			case events == nil || kid.events == nil:
				events = nil
			default:
				events = append(events, kid.events...)
			}
		} else {
			out.kids = append(out.kids, kid)
		}
		if set.Full() {
			break
		}
	}
	if len(out.kids) == 0 || set.Full() {
		slices.Sort(events)
		return &bound{set: set, events: slices.Compact(events)}, nil
	}
	if !set.Empty() {
		out.kids = append(out.kids, &bound{set: set})
	}
	if len(out.kids) == 1 {
		return out.kids[0], nil
	}
	return out, nil
}

func (x *Execution) bindLeaf(c *condition, v *view) (*bound, error) {
	if x.explaining && slices.ContainsFunc(c.program.leaves, func(l leaf) bool { return l.perUser == notLearnt }) {
		return &bound{op: boundGeneric, program: c.program}, nil
	}
	if len(c.refs) == 1 && !x.Knobs.NoDictEval {
		if c.refs[0].source == sourceUser {
			if x.made != nil {
				// Events come user by user, several times from a block, and a set is gone through once.
				return &bound{op: boundGeneric, program: c.program}, nil
			}
			return x.bindUsers(c, v)
		}
		column := stored(v.reader, c.refs[0])
		if column == nil {
			return constantBound(c.program.test(&codeRow{p: c.program})), nil
		}
		dict, err := x.dictionary(c, column)
		if err != nil {
			return nil, err
		}
		switch {
		case dict.ok:
			return x.bindCodes(c, column, dict, v.info.Rows)
		case c.test.op == testPrefix || c.test.op == testStrings:
			return &bound{set: index.None}, nil
		case c.test.op == testNumbers || c.test.op == testEqual:
			return bindNumbers(c, column, v.info.Rows), nil
		}
	}
	if len(c.refs) == 0 {
		return constantBound(c.program.test(&codeRow{p: c.program})), nil
	}
	return &bound{op: boundGeneric, program: c.program}, nil
}

func constantBound(all bool) *bound {
	if all {
		return &bound{set: index.All}
	}
	return &bound{set: index.None}
}

// coded says how a column is coded. The dictionary itself is read only when it is needed.
type coded struct {
	ok   bool // it has a dictionary
	info segment.ColumnInfo
}

func (x *Execution) dictionary(c *condition, column *segment.Column) (coded, error) {
	switch c.refs[0].source {
	case sourceTime, sourceReceived:
		return coded{}, nil
	}
	info := column.Info()
	return coded{ok: !info.Numeric, info: info}, nil
}

// bindCodes evaluates the condition on the dictionary of its only column.
func (x *Execution) bindCodes(c *condition, column *segment.Column, d coded, rows int) (*bound, error) {
	total := d.info.Distinct
	codes, err := x.codesOf(c, column, d)
	if err != nil {
		return nil, err
	}
	n := codes.len()
	everywhere := d.info.Present == rows
	switch {
	case n == 0 && (!codes.absent || everywhere):
		return &bound{set: index.None}, nil
	case n == total && (codes.absent || everywhere):
		return &bound{set: index.All}, nil
	}
	if d.info.Indexed && !x.Knobs.NoIndex {
		set, ok, err := codes.rows(column, total)
		if err != nil {
			return nil, err
		}
		if ok {
			out := &bound{set: set}
			if c.refs[0].source == sourceEvent {
				out.events = codes.list()
			}
			return out, nil
		}
	}
	return &bound{op: boundCodes, column: column, table: codes.table(total)}, nil
}

// codesOf returns the codes of the values that pass.
func (x *Execution) codesOf(c *condition, column *segment.Column, d coded) (set codeSet, err error) {
	total := d.info.Distinct
	lists := d.info.Kinds.Has(event.KindList)
	one := &codeRow{p: c.program}
	each := func(dict *segment.Dictionary, from, to uint32) {
		for code := from; code < to; code++ {
			one.value = dict.Value(code)
			if c.program.test(one) {
				set.add(code, code+1)
			}
		}
	}
	test := c.test
	if test.op == testEqual && !lists {
		var codes []uint32
		for _, v := range test.values {
			if !x.Knobs.NoIndex && !column.MayContain(v) {
				continue
			}
			if codes, err = equalCodes(column, v, codes); err != nil {
				return set, err
			}
		}
		set.addCodes(codes)
		if test.not {
			return set.invert(total), nil
		}
		return set, nil
	}
	dict, err := column.Dict()
	if err != nil {
		return set, err
	}
	if test.op != testNone && !test.not && test.op != testEqual {
		var from, to uint32
		switch test.op {
		case testPrefix:
			from, to = dict.PrefixRange(test.prefix)
		case testNumbers:
			if test.span.times() {
				from, to = 0, 0
			} else {
				from, to = test.span.codes(dict)
			}
		case testStrings:
			from, to = test.textCodes(dict)
		case testExists:
			_, from = dict.KindRange(event.KindNull)
			set.add(from, uint32(total))
			return set, nil
		}
		set.add(from, to)
		if lists {
			from, to = dict.KindRange(event.KindList)
			each(dict, from, to)
		}
		return set, nil
	}
	each(dict, 0, uint32(total))
	set.absent = c.program.test(&codeRow{p: c.program})
	return set, nil
}

// textCodes returns the codes of the strings within the bounds.
func (t *columnTest) textCodes(d *segment.Dictionary) (from, to uint32) {
	from, to = d.StringRange()
	if t.lo.set {
		from = max(from, d.Search(event.String(t.lo.text)))
		if t.lo.open && from < to && d.Value(from).AsString() == t.lo.text {
			from++
		}
	}
	if t.hi.set {
		end := d.Search(event.String(t.hi.text))
		if !t.hi.open && end < to && d.Value(end).AsString() == t.hi.text {
			end++
		}
		to = min(to, end)
	}
	return from, to
}

// bindNumbers narrows a test of a numeric column by its zone map.
func bindNumbers(c *condition, column *segment.Column, rows int) *bound {
	info := column.Info()
	test := c.test
	if test.op == testEqual {
		return bindNumbersEqual(c, column, info, rows)
	}
	times := c.refs[0].source != sourceField
	if test.span.times() != times {
		return &bound{op: boundGeneric, program: c.program}
	}
	return numbersBound(column, info, test.span, rows)
}

func numbersBound(column *segment.Column, info segment.ColumnInfo, span interval, rows int) *bound {
	if span.times() {
		lo, hi := span.ints()
		span = interval{lo: event.Int(lo), hi: event.Int(hi)}
		if lo > hi {
			return &bound{set: index.None}
		}
	}
	if span.contains(info.Min) && span.contains(info.Max) && info.Present == rows {
		return &bound{set: index.All}
	}
	if span.excludes(info.Min, info.Max) {
		return &bound{set: index.None}
	}
	return &bound{op: boundNumbers, column: column, span: span}
}

func bindNumbersEqual(c *condition, column *segment.Column, info segment.ColumnInfo, rows int) *bound {
	out := &bound{op: boundOr}
	times := c.refs[0].source != sourceField
	for _, v := range c.test.values {
		if times != (v.Kind() == event.KindTime) || !times && !v.IsNumber() {
			continue
		}
		if !times && !column.MayContain(v) {
			continue
		}
		kid := numbersBound(column, info, interval{lo: v, hi: v}, rows)
		if !kid.nothing() {
			out.kids = append(out.kids, kid)
		}
	}
	switch len(out.kids) {
	case 0:
		out = &bound{set: index.None}
	case 1:
		out = out.kids[0]
	}
	if !c.test.not {
		return out
	}
	if out.op == boundRows {
		return &bound{set: out.set.Invert()}
	}
	return &bound{op: boundNot, kids: []*bound{out}}
}

// first returns the rows that indexes let through, all if they cannot tell.
func (b *bound) first() index.Rows {
	switch {
	case b.op == boundRows:
		return b.set
	case b.op == boundAnd && b.kids[0].op == boundRows:
		return b.kids[0].set
	}
	return index.All
}
