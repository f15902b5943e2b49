package exec

import (
	"cairn/engine/segment"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// source says where a value of an event is stored.
type source uint8

const (
	sourceField source = iota
	sourceEvent
	sourceID
	sourceTime
	sourceReceived
	sourceMade // computed, see made.go
	sourceUser // the dense user id of a row; its name only where it must be seen
)

// columnRef names a stored column, or a computed one.
type columnRef struct {
	source source
	name   string // of a field, or a computed column
}

func refOf(c *syntax.Column) (columnRef, bool) {
	switch c.Scope {
	case syntax.ScopeFields:
		return columnRef{sourceField, c.Name}, true
	case syntax.ScopeMade:
		return columnRef{sourceMade, c.Name}, true
	case syntax.ScopeRow:
		switch c.Name {
		case syntax.ColumnEvent:
			return columnRef{source: sourceEvent}, true
		case syntax.ColumnID:
			return columnRef{source: sourceID}, true
		case syntax.ColumnTime:
			return columnRef{source: sourceTime}, true
		case syntax.ColumnReceived:
			return columnRef{source: sourceReceived}, true
		case syntax.ColumnUser:
			return columnRef{source: sourceUser}, true
		}
		return columnRef{sourceField, c.Name}, true
	}
	return columnRef{}, false
}

// columnOf is the inverse of refOf.
func columnOf(ref columnRef) *syntax.Column {
	switch ref.source {
	case sourceEvent:
		return &syntax.Column{Name: syntax.ColumnEvent}
	case sourceID:
		return &syntax.Column{Name: syntax.ColumnID}
	case sourceTime:
		return &syntax.Column{Name: syntax.ColumnTime}
	case sourceReceived:
		return &syntax.Column{Name: syntax.ColumnReceived}
	case sourceUser:
		return &syntax.Column{Name: syntax.ColumnUser}
	case sourceMade:
		return &syntax.Column{Scope: syntax.ScopeMade, Name: ref.name}
	}
	return &syntax.Column{Scope: syntax.ScopeFields, Name: ref.name}
}

// refs returns the distinct columns that e reads. did, first_time and user in read who stands for the user,
// profile properties the user.
func (x *Execution) refs(e syntax.Expr) []columnRef {
	var list []columnRef
	add := func(r columnRef) {
		for _, have := range list {
			if have == r {
				return
			}
		}
		list = append(list, r)
	}
	plan.Walk(e, func(e syntax.Expr) bool {
		switch e := e.(type) {
		case *syntax.Column:
			if r, ok := refOf(e); ok {
				add(r)
			} else if e.Scope == syntax.ScopeProfile {
				add(columnRef{source: sourceUser})
			}
		case *syntax.UserIn, *syntax.Did, *syntax.FirstTime:
			add(x.Actor)
		}
		return true
	})
	return list
}

// stored returns the column of a segment, nil if the segment has none. The user is no column.
func stored(r *segment.Reader, ref columnRef) *segment.Column {
	switch ref.source {
	case sourceEvent:
		return r.Event()
	case sourceID:
		return r.ID()
	case sourceTime:
		return r.Time()
	case sourceReceived:
		return r.Received()
	case sourceField:
		return r.Field(ref.name)
	}
	return nil
}

// batch is the selected rows of one block: what operators are fed.
type batch struct {
	view  *view
	block int
	n     int      // rows selected
	sel   []uint16 // ascending rows of the block; nil: all of it
	// Where rows have computed columns, made gives them. places are the rows in the chunk, sessions those
	// that they are of, by number. A batch of sessions has no view; nil stands for all of the chunk then.
	made             madeSource
	places, sessions []uint32
}

// row returns the row in its block of the i-th selected one.
func (b *batch) row(i int) int {
	if b.sel == nil {
		return i
	}
	return int(b.sel[i])
}

// times appends the time of every selected row to dst.
func (b *batch) times(dst []int64) ([]int64, error) {
	if b.made != nil {
		return b.made.times(dst, b), nil
	}
	vector, err := b.view.reader.Time().Block(b.block)
	if err != nil {
		return nil, err
	}
	return vector.Ints(dst, b.sel), nil
}

// users appends the dense user id of every selected row to dst.
func (b *batch) users(dst []uint32) ([]uint32, error) {
	switch {
	case b.sessions != nil:
		return picked(dst, b.made.users(), b.sessions), nil
	case b.view == nil:
		return append(dst, b.made.users()[:b.n]...), nil
	}
	if b.sel != nil && len(b.sel) < b.view.reader.BlockRows()/4 {
		return b.view.reader.AppendRowUsers(dst, b.block, b.sel)
	}
	ids, err := b.view.reader.RowUsers(b.block)
	if err != nil {
		return nil, err
	}
	if b.sel == nil {
		return append(dst, ids...), nil
	}
	for _, row := range b.sel {
		dst = append(dst, ids[row])
	}
	return dst, nil
}
