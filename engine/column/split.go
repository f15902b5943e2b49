package column

import "cairn/engine/event"

// NoPart in the parts given to Split leaves a row out.
const NoPart = ^uint32(0)

// Split returns n batches: row i goes to batch parts[i], in order, or nowhere if that is NoPart. Text
// is copied once per distinct string and batch; nothing is hashed. The batches share nothing with b
// and have no tables to Find strings in.
func (b *Batch) Split(parts []uint32, n int) []*Batch {
	s := splitter{parts: parts, rowInPart: make([]uint32, b.Rows), out: make([]*Batch, n)}
	for i := range s.out {
		s.out[i] = &Batch{}
	}
	for row, part := range parts {
		if part != NoPart {
			s.rowInPart[row] = uint32(s.out[part].Rows)
			s.out[part].Rows++
		}
	}
	for _, out := range s.out {
		out.Time = make([]int64, 0, out.Rows)
		if b.Received != nil {
			out.Received = make([]int64, 0, out.Rows)
		}
	}
	for row, part := range parts {
		if part == NoPart {
			continue
		}
		out := s.out[part]
		out.Time = append(out.Time, b.Time[row])
		if b.Received != nil {
			out.Received = append(out.Received, b.Received[row])
		}
	}
	s.column(&b.Event, func(out *Batch) *Column { return &out.Event })
	s.column(&b.User, func(out *Batch) *Column { return &out.User })
	s.column(&b.ID, func(out *Batch) *Column { return &out.ID })
	for _, c := range b.Fields {
		s.column(c, func(out *Batch) *Column {
			dst := &Column{Name: c.Name}
			out.Fields = append(out.Fields, dst)
			return dst
		})
	}
	for _, out := range s.out {
		out.Event.finish(out.Rows)
		out.User.finish(out.Rows)
		out.ID.finish(out.Rows)
		for _, c := range out.Fields {
			c.finish(out.Rows)
		}
	}
	return s.out
}

type splitter struct {
	parts     []uint32
	rowInPart []uint32
	out       []*Batch
	order     []uint32 // values of a column, grouped by part
	starts    []uint32
	stamp     []uint32 // by string: the part that last used it, plus one
	number    []uint32 // by string: its number there
}

// column spreads one column; target makes the column of a batch that gets at least one value.
func (s *splitter) column(c *Column, target func(*Batch) *Column) {
	s.group(c)
	if n := c.Dict.Len(); cap(s.stamp) < n {
		s.stamp, s.number = make([]uint32, n), make([]uint32, n)
	} else {
		s.stamp = s.stamp[:n]
		clear(s.stamp)
		s.number = s.number[:n]
	}
	for part, out := range s.out {
		values := s.order[s.starts[part]:s.starts[part+1]]
		if len(values) == 0 {
			continue
		}
		dst := target(out)
		dst.Bits = make([]uint64, 0, len(values))
		if len(values) != out.Rows {
			dst.Rows = make([]uint32, 0, len(values))
		}
		var data []byte
		var ends []uint32
		for _, i := range values {
			row, kind, bits := s.rowInPart[c.Row(int(i))], c.KindAt(int(i)), c.Bits[i]
			if isText(kind) {
				if s.stamp[bits] != uint32(part)+1 {
					s.stamp[bits], s.number[bits] = uint32(part)+1, uint32(len(ends))
					data = append(data, c.Dict.Bytes(uint32(bits))...)
					ends = append(ends, uint32(len(data)))
				}
				bits = uint64(s.number[bits])
			}
			dst.appendBits(row, kind, bits)
		}
		dst.Dict.Load(data, ends, false)
	}
}

// group sorts the values of a column by the part of their row, keeping their order.
func (s *splitter) group(c *Column) {
	s.starts = make([]uint32, len(s.out)+2)
	n := 0
	for i := range c.Bits {
		if part := s.parts[c.Row(i)]; part != NoPart {
			s.starts[part+2]++
			n++
		}
	}
	for i := 2; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	if cap(s.order) < n {
		s.order = make([]uint32, n)
	}
	s.order = s.order[:n]
	for i := range c.Bits {
		if part := s.parts[c.Row(i)]; part != NoPart {
			s.order[s.starts[part+1]] = uint32(i)
			s.starts[part+1]++
		}
	}
}

func isText(k event.Kind) bool {
	return k == event.KindString || k == event.KindList || k == event.KindObject
}
