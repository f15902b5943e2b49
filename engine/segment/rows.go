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

// readRows reads rows of one block.
func (r *Reader) readRows(out []Row, block int, rows []uint16) error {
	users, err := r.RowUsers(block)
	if err != nil {
		return err
	}
	for i, row := range rows {
		out[i].User = users[row]
	}
	var s rowScratch
	read := func(c *Column, set func(*event.Event, event.Value)) error {
		v, err := c.Block(block)
		if err != nil {
			return err
		}
		dict, err := c.Dict()
		if err != nil {
			return err
		}
		s.each(v, dict, rows, func(i int, value event.Value) { set(&out[i].Event, value) })
		return nil
	}
	if err := read(r.time, func(e *event.Event, v event.Value) { e.Time = v.AsInt() }); err != nil {
		return err
	}
	if err := read(r.recv, func(e *event.Event, v event.Value) { e.Received = v.AsInt() }); err != nil {
		return err
	}
	if err := read(r.event, func(e *event.Event, v event.Value) { e.Name = v.Text() }); err != nil {
		return err
	}
	if r.id != nil {
		if err := read(r.id, func(e *event.Event, v event.Value) { e.ID = v.Text() }); err != nil {
			return err
		}
	}
	for _, c := range r.fields {
		name := c.name
		err := read(c, func(e *event.Event, v event.Value) {
			if e.Fields == nil {
				e.Fields = make([]event.Field, 0, 12)
			}
			e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rowScratch keeps buffers between columns.
type rowScratch struct {
	codes  []uint32
	ints   []int64
	floats []float64
}

// each calls f for every row that has a value.
func (s *rowScratch) each(v *Vector, dict *Dictionary, rows []uint16, f func(i int, value event.Value)) {
	if v.Len == 0 {
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
