package segment

import (
	"fmt"

	"cairn/engine/event"
)

// Row is one event as stored. Its user is a dense id; Event.User is empty.
type Row struct {
	Event event.Event
	User  uint32
}

// Rows reads the given rows, ascending, whole: every field, hidden ones included, ordered by name.
// nil reads all. The strings share memory with the segment's dictionaries.
func (r *Reader) Rows(rows []uint32) ([]Row, error) {
	n := len(rows)
	if rows == nil {
		n = r.rows
	}
	out := make([]Row, n)
	local := make([]uint16, 0, min(n, r.blockRows))
	for next := 0; next < n; {
		first := next
		if rows != nil {
			first = int(rows[next])
		}
		if first >= r.rows {
			return nil, fmt.Errorf("segment: row %d of %d", first, r.rows)
		}
		block := first / r.blockRows
		from, to := r.BlockRange(block)
		local = local[:0]
		for i := next; i < n; i++ {
			row := i
			if rows != nil {
				row = int(rows[i])
			}
			if row >= to {
				break
			}
			local = append(local, uint16(row-from))
		}
		if err := r.readRows(out[next:next+len(local)], block, local); err != nil {
			return nil, err
		}
		next += len(local)
	}
	return out, nil
}

// rowsAtOnce is the number of rows that are put together at a time: few enough that they stay in the
// processor's cache while one column after another is added.
const rowsAtOnce = 256

// rowColumn is a column of a block on its way into rows.
type rowColumn struct {
	name   string
	vector *Vector
	dict   *Dictionary
}

// readRows reads rows of one block.
func (r *Reader) readRows(out []Row, block int, rows []uint16) error {
	users, err := r.RowUsers(block)
	if err != nil {
		return err
	}
	var columns [ordinalFields]rowColumn
	for i := range columns {
		if c := r.column(i, ""); c != nil {
			if columns[i], err = c.forRows(block); err != nil {
				return err
			}
		}
	}
	fields := make([]rowColumn, 0, len(r.fields))
	for _, c := range r.fields {
		column, err := c.forRows(block)
		if err != nil {
			return err
		}
		if column.vector.Len > 0 {
			fields = append(fields, column)
		}
	}
	var s rowScratch
	for from := 0; from < len(rows); from += rowsAtOnce {
		to := min(from+rowsAtOnce, len(rows))
		out, rows := out[from:to], rows[from:to]
		for i, row := range rows {
			out[i].User = users[row]
		}
		s.each(&columns[ordinalEvent], rows, func(i int, v event.Value) { out[i].Event.Name = v.Text() })
		s.each(&columns[ordinalTime], rows, func(i int, v event.Value) { out[i].Event.Time = v.AsInt() })
		s.each(&columns[ordinalReceived], rows, func(i int, v event.Value) { out[i].Event.Received = v.AsInt() })
		s.each(&columns[ordinalID], rows, func(i int, v event.Value) { out[i].Event.ID = v.Text() })
		s.makeFields(out, fields, rows)
		for k := range fields {
			name := fields[k].name
			s.each(&fields[k], rows, func(i int, v event.Value) {
				e := &out[i].Event
				e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
			})
		}
	}
	return nil
}

func (c *Column) forRows(block int) (rowColumn, error) {
	v, err := c.Block(block)
	if err != nil {
		return rowColumn{}, err
	}
	d, err := c.Dict()
	return rowColumn{c.name, v, d}, err
}

// makeFields gives every row room for just its fields.
func (s *rowScratch) makeFields(out []Row, fields []rowColumn, rows []uint16) {
	var counts [rowsAtOnce]uint32
	everywhere := uint32(0)
	for _, f := range fields {
		if f.vector.Present == nil {
			everywhere++
			continue
		}
		words := f.vector.Present.Words
		for i, row := range rows {
			counts[i] += uint32(words[row>>6] >> (row & 63) & 1)
		}
	}
	total := uint32(0)
	for i := range rows {
		counts[i] += everywhere
		total += counts[i]
	}
	slab := make([]event.Field, total)
	for i := range rows {
		if n := counts[i]; n > 0 {
			out[i].Event.Fields = slab[:0:n]
			slab = slab[n:]
		}
	}
}

// rowScratch keeps buffers between columns.
type rowScratch struct {
	codes  []uint32
	ints   []int64
	floats []float64
}

// each calls f for every row that has a value.
func (s *rowScratch) each(c *rowColumn, rows []uint16, f func(i int, value event.Value)) {
	v, dict := c.vector, c.dict
	if v == nil || v.Len == 0 {
		return
	}
	switch {
	case !v.Numeric():
		s.codes = v.Codes(s.codes[:0], rows)
		for i, c := range s.codes {
			if c != AbsentCode {
				f(i, dict.Value(c))
			}
		}
	case v.Kind == event.KindInt:
		s.ints = v.Ints(s.ints[:0], rows)
		for i, n := range s.ints {
			if v.Has(int(rows[i])) {
				f(i, event.Int(n))
			}
		}
	default:
		s.floats = v.Floats(s.floats[:0], rows)
		for i, n := range s.floats {
			if v.Has(int(rows[i])) {
				f(i, event.Float(n))
			}
		}
	}
}
