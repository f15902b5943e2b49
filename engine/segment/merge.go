package segment

import (
	"fmt"
	"slices"

	"cairn/engine/event"
)

// Merge merges segments into one sorted run, encoded as one or more segments. The readers may
// overlap in users and times; rows stay as they are, repeats included. Columns are decoded one at a
// time, past the cache, and only for the rows of the segment being written.
func Merge(readers []*Reader, opt BuildOptions) ([]*Encoded, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &merge{readers: readers, runs: make([]*userRuns, len(readers)), next: make([]int, len(readers))}
	total, size := 0, 0
	for i, r := range readers {
		if m.runs[i], err = r.users.runs(); err != nil {
			return nil, err
		}
		total += r.rows
		size += 16 * r.info().Bytes.Total
	}
	limit := opt.MaxBlocks * opt.BlockRows
	if size > segmentBytes {
		limit = max(min(limit, segmentBytes/(size/total+1)), 1)
	}
	var out []*Encoded
	for total > 0 {
		// A fair share of what is left, so that the last segment is not a stub.
		fair := (total + limit - 1) / limit
		spans, n := m.take((total+fair-1)/fair, limit)
		total -= n
		a, err := m.arrange(spans, opt)
		if err != nil {
			return nil, err
		}
		encoded, err := a.encode(opt)
		if err != nil {
			return nil, err
		}
		out = append(out, encoded...)
	}
	return out, nil
}

// merge walks the users of several segments in order.
type merge struct {
	readers []*Reader
	runs    []*userRuns
	next    []int // the first run of each reader that is not taken
}

// span is a range of rows of one reader.
type span struct {
	reader   *Reader
	from, to int
	pace     func() // between blocks; may be nil
}

// take takes whole users until there are want rows, but not more than limit unless a single user
// has more.
func (m *merge) take(want, limit int) (spans []span, rows int) {
	first := slices.Clone(m.next)
	for rows < want {
		user, found := uint32(0), false
		for i, runs := range m.runs {
			if m.next[i] < len(runs.users) && (!found || runs.users[m.next[i]] < user) {
				user, found = runs.users[m.next[i]], true
			}
		}
		if !found {
			break
		}
		n := 0
		for i, runs := range m.runs {
			if k := m.next[i]; k < len(runs.users) && runs.users[k] == user {
				n += int(runs.starts[k+1] - runs.starts[k])
			}
		}
		if rows > 0 && rows+n > limit {
			break
		}
		rows += n
		for i, runs := range m.runs {
			if k := m.next[i]; k < len(runs.users) && runs.users[k] == user {
				m.next[i]++
			}
		}
	}
	for i, r := range m.readers {
		s := span{reader: r, from: int(m.runs[i].starts[first[i]]), to: int(m.runs[i].starts[m.next[i]])}
		if s.from < s.to {
			spans = append(spans, s)
		}
	}
	return spans, rows
}

// arrange reads the keys of the rows of the spans.
func (m *merge) arrange(spans []span, opt BuildOptions) (*arranged, error) {
	a := &arranged{starts: make([]uint32, 1, len(spans)+1)}
	total := 0
	seen := make(map[string]struct{})
	for _, s := range spans {
		total += s.to - s.from
		a.starts = append(a.starts, uint32(total))
		for _, c := range s.reader.fields {
			if _, ok := seen[c.name]; !ok {
				seen[c.name] = struct{}{}
				a.fields = append(a.fields, c.name)
			}
		}
	}
	slices.Sort(a.fields)
	a.sorter.users = make([]uint32, total)
	a.sorter.times = make([]int64, total)
	for i := range spans {
		s := &spans[i]
		s.pace = opt.pace
		runs, err := s.reader.users.runs()
		if err != nil {
			return nil, err
		}
		users := a.sorter.users[a.starts[i]:a.starts[i+1]]
		runs.fill(users, s.from)
		times := a.sorter.times[a.starts[i]:a.starts[i]]
		err = s.eachBlock(s.reader.time, func(v *Vector, first, from, to int) error {
			if v.Kind != event.KindInt {
				return fmt.Errorf("segment: times of kind %v", v.Kind)
			}
			for row := from; row < to; row++ {
				times = append(times, v.number(v.code(row)).AsInt())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	a.shares = func(ordinal int, name string, place [][]uint32) []share {
		var out []share
		for i, s := range spans {
			if c := s.reader.column(ordinal, name); c != nil {
				out = append(out, &readerShare{span: s, column: c, place: place[i]})
			}
		}
		return out
	}
	if err := a.rankNames(total); err != nil {
		return nil, err
	}
	if opt.DropUsers != nil {
		a.rows = make([]uint32, 0, total)
		for i, u := range a.sorter.users {
			if !opt.DropUsers.Contains(u) {
				a.rows = append(a.rows, uint32(i))
			}
		}
	}
	return a, nil
}

// rankNames sets the ranks of the event names, by way of a column in global order.
func (a *arranged) rankNames(total int) error {
	place := make([]uint32, total)
	for i := range place {
		place[i] = uint32(i)
	}
	places := make([][]uint32, len(a.starts)-1)
	for i := range places {
		places[i] = place[a.starts[i]:a.starts[i+1]]
	}
	p, err := materialise(newTarget(total), a.shares(ordinalEvent, systemNames[ordinalEvent], places))
	if err != nil {
		return err
	}
	a.sorter.names = p.codes
	return nil
}

// column returns a column by its ordinal, or by name for a field; nil if there is none.
func (r *Reader) column(ordinal int, name string) *Column {
	switch ordinal {
	case ordinalEvent:
		return r.event
	case ordinalTime:
		return r.time
	case ordinalReceived:
		return r.recv
	case ordinalID:
		return r.id
	default:
		return r.Field(name)
	}
}

// eachBlock calls f for every block of a column with rows of the span: first is the first row of
// the block, from and to are the block's rows in the span, counted from first.
func (s *span) eachBlock(c *Column, f func(v *Vector, first, from, to int) error) error {
	for b := s.from / s.reader.blockRows; b*s.reader.blockRows < s.to; b++ {
		v, err := c.uncachedBlock(b)
		if err != nil {
			return err
		}
		if s.pace != nil {
			s.pace()
		}
		first, end := s.reader.BlockRange(b)
		if err := f(v, first, max(s.from-first, 0), min(s.to, end)-first); err != nil {
			return err
		}
	}
	return nil
}

// uncachedBlock is Block for those who read everything once.
func (c *Column) uncachedBlock(b int) (*Vector, error) {
	if sealed, ok := c.data.(*sealedColumn); ok && c.ordinal != ordinalEvent {
		return sealed.readBlock(b, nil)
	}
	return c.data.block(b)
}

// uncachedDict is Dict for those who read everything once.
func (c *Column) uncachedDict() (*Dictionary, error) {
	if sealed, ok := c.data.(*sealedColumn); ok && sealed.meta.dict {
		return sealed.readDict()
	}
	return c.data.dict()
}

// readerShare is a column of a segment within a span; place is by row of the span.
type readerShare struct {
	span
	column *Column
	place  []uint32
}

func (s *readerShare) kinds() KindSet {
	info, err := s.column.data.info()
	if err != nil {
		return 0
	}
	return info.Kinds
}

// each calls f with the place and the code of every value that is in the segment.
func (s *readerShare) each(f func(v *Vector, place uint32, code uint64)) error {
	return s.eachBlock(s.column, func(v *Vector, first, from, to int) error {
		place := s.place[first+from-s.from:]
		walk := newWalk(v, from)
		for row := from; row < to; row++ {
			code, ok := walk.next(row)
			if p := place[row-from]; ok && p != noPlace {
				f(v, p, code)
			}
		}
		return nil
	})
}

// walk reads the codes of a vector row by row.
type walk struct {
	v        *Vector
	position int // of the next value
	run      int
}

func newWalk(v *Vector, row int) walk {
	w := walk{v: v, position: row}
	if v.Present != nil {
		w.position, _ = v.Present.Position(row)
	}
	if v.Form == FormRuns && w.position < v.Len {
		w.run = v.runOf(w.position)
	}
	return w
}

func (w *walk) next(row int) (code uint64, ok bool) {
	v := w.v
	if v.Present != nil && !v.Present.Has(row) {
		return 0, false
	}
	i := w.position
	w.position++
	if v.Form == FormRuns {
		for int(v.Ends[w.run]) <= i {
			w.run++
		}
		return uint64(v.RunCodes[w.run]), true
	}
	return v.code(i), true
}

func (s *readerShare) scatterNums(t *target) error {
	d, err := s.column.uncachedDict()
	if err != nil {
		return err
	}
	if d != nil {
		return s.each(func(_ *Vector, place uint32, code uint64) { t.setNum(place, d.nums[code]) })
	}
	return s.each(func(v *Vector, place uint32, code uint64) { t.setNum(place, v.numBits(code)) })
}

// numBits returns the bits of the number that a code of a numeric vector stands for.
func (v *Vector) numBits(code uint64) uint64 {
	if v.Kind == event.KindInt || v.RawBits {
		return uint64(v.Base + v.Scale*int64(code))
	}
	return event.Float(v.float(code)).Bits()
}

func (s *readerShare) scatterCodes(t *target, b *dictBuilder) error {
	d, err := s.column.uncachedDict()
	if err != nil {
		return err
	}
	if d == nil {
		return s.each(func(v *Vector, place uint32, code uint64) { t.setID(place, b.number(v.Kind, v.numBits(code))) })
	}
	local := t.locals(d.Len())
	return s.each(func(_ *Vector, place uint32, code uint64) {
		id := local[code]
		if id == noPlace {
			id = b.value(d.Value(uint32(code)))
			local[code] = id
		}
		t.setID(place, id)
	})
}
