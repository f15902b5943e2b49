package column

// spare is memory of small batches that a builder uses again.
type spare struct {
	batch  *Batch
	tables [][]uint64 // empty, of tableMin slots
}

const (
	// tableMin is the size of a dictionary's first table.
	tableMin = 16
	// tablesMax bounds the tables kept.
	tablesMax = 64
	// reuseBytesMax is the largest batch that Reuse keeps: more is not worth holding on to.
	reuseBytesMax = 1 << 20
)

// table returns an empty table, or nil if none is left.
func (s *spare) table() []uint64 {
	n := len(s.tables)
	if n == 0 {
		return nil
	}
	t := s.tables[n-1]
	s.tables = s.tables[:n-1]
	return t
}

// takeTable takes the table from a column that only grows no more, and keeps it if it is small.
func (b *Builder) takeTable(c *Column) {
	t := c.Dict.table
	c.Dict.table = nil
	if len(t) == tableMin && b.expect == 0 && len(b.spare.tables) < tablesMax {
		clear(t)
		b.spare.tables = append(b.spare.tables, t)
	}
}

// clear makes the builder empty.
func (b *Builder) clear() {
	for _, i := range b.given {
		b.fields[i].column = nil
	}
	if len(b.fields) > namesMax {
		b.names, b.fields = Dict{}, nil
	}
	b.given, b.expect, b.spare.batch = b.given[:0], 0, nil
	b.batch = Batch{}
}

// Reuse gives the builder a batch that nobody will read again, so that the next one is built in its
// memory. It may come from any builder; one that is large is left alone, and so is one that comes
// while a batch is being built.
func (b *Builder) Reuse(done *Batch) {
	if b.batch.Rows > 0 || len(b.batch.Fields) > 0 || b.spare.batch != nil || done.SizeBytes() > reuseBytesMax {
		return
	}
	for i, c := range done.Fields {
		done.Fields[i] = nil
		if n, ok := b.names.Find([]byte(c.Name)); ok && b.fields[n].spare == nil {
			c.reset()
			b.fields[n].spare = c
		}
	}
	b.batch.Fields, b.batch.Time = done.Fields[:0], done.Time[:0]
	for _, c := range []*Column{&done.Event, &done.User, &done.ID} {
		c.reset()
		c.Dict.table = b.spare.table()
	}
	b.batch.Event, b.batch.User, b.batch.ID = done.Event, done.User, done.ID
	b.spare.batch = done
}

// reset empties the column and keeps its memory.
func (c *Column) reset() {
	if c.Rows != nil {
		c.spareRows = c.Rows[:0]
	}
	c.Rows, c.Bits, c.Kinds, c.Kind = nil, c.Bits[:0], nil, 0
	c.Dict = Dict{bytes: c.Dict.bytes[:0], ends: c.Dict.ends[:0]}
	c.last, c.added = 0, 0
}
