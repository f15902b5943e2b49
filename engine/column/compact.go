package column

import "cairn/engine/event"

// Compact returns a copy of the batch in as little memory, and as few pieces of it, as its values take. The
// insert ids have memory of their own, for they are kept longer. The copy has no tables to Find strings in.
func (b *Batch) Compact() *Batch {
	out := &Batch{Rows: b.Rows, Time: append(make([]int64, 0, len(b.Time)), b.Time...)}
	if b.Received != nil {
		out.Received = append(make([]int64, 0, len(b.Received)), b.Received...)
	}
	var all, ids slabs
	for c := range b.columns {
		all.count(c)
	}
	all.make()
	ids.count(&b.ID)
	ids.make()
	ids.copy(&out.ID, &b.ID)
	all.copy(&out.Event, &b.Event)
	all.copy(&out.User, &b.User)
	columns := make([]Column, len(b.Fields))
	out.Fields = make([]*Column, len(b.Fields))
	for i, c := range b.Fields {
		all.copy(&columns[i], c)
		out.Fields[i] = &columns[i]
	}
	return out
}

// columns yields all columns but that of insert ids.
func (b *Batch) columns(yield func(*Column) bool) {
	if !yield(&b.Event) || !yield(&b.User) {
		return
	}
	for _, c := range b.Fields {
		if !yield(c) {
			return
		}
	}
}

// slabs are the memory of several columns.
type slabs struct {
	bits, numbers, bytes, kinds int // sizes

	bitSlab    []uint64
	numberSlab []uint32
	byteSlab   []byte
	kindSlab   []event.Kind
}

func (s *slabs) count(c *Column) {
	s.bits += len(c.Bits)
	s.numbers += len(c.Rows) + len(c.Dict.ends)
	s.bytes += len(c.Dict.bytes)
	s.kinds += len(c.Kinds)
}

func (s *slabs) make() {
	s.bitSlab = make([]uint64, 0, s.bits)
	s.numberSlab = make([]uint32, 0, s.numbers)
	s.byteSlab = make([]byte, 0, s.bytes)
	s.kindSlab = make([]event.Kind, 0, s.kinds)
}

func (s *slabs) copy(dst, src *Column) {
	dst.Name, dst.Kind = src.Name, src.Kind
	dst.Bits = cut(&s.bitSlab, src.Bits)
	dst.Rows = cut(&s.numberSlab, src.Rows)
	dst.Kinds = cut(&s.kindSlab, src.Kinds)
	dst.Dict.ends = cut(&s.numberSlab, src.Dict.ends)
	dst.Dict.bytes = cut(&s.byteSlab, src.Dict.bytes)
}

// cut copies values to the end of a slab that has room for them; nil stays nil.
func cut[T any](slab *[]T, values []T) []T {
	if values == nil {
		return nil
	}
	from := len(*slab)
	*slab = append(*slab, values...)
	return (*slab)[from:len(*slab):len(*slab)]
}
