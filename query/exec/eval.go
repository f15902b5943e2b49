package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// program is an expression compiled for stored events. It is immutable and shared.
type program struct {
	expr   syntax.Expr
	refs   []columnRef
	leaves []leaf // by slot
	value  scalar.Func
	test   scalar.Test
}

// leaf is what a slot of a program stands for: a stored column, or something known by user.
type leaf struct {
	ref     columnRef
	perUser *userValues // nil: the column, or the user's name
}

// program compiles e, whose names are resolved (see plan.Row).
func (x *Execution) program(e syntax.Expr) (*program, error) {
	p := &program{expr: e, refs: x.refs(e)}
	env := x.environment(func(l syntax.Expr) (int, error) {
		var want leaf
		switch l := l.(type) {
		case *syntax.Column:
			ref, ok := refOf(l)
			if !ok {
				values, err := x.userValues(l)
				if err != nil {
					return 0, err
				}
				ref, want.perUser = columnRef{source: sourceUser}, values
			}
			want.ref = ref
		default:
			values, err := x.userValues(l)
			if err != nil {
				return 0, err
			}
			want = leaf{x.Actor, values}
		}
		return p.slot(want), nil
	})
	var err error
	if p.value, err = scalar.Compile(e, env); err != nil {
		return nil, err
	}
	if p.test, err = scalar.CompileTest(e, env); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *program) slot(want leaf) int {
	for i, have := range p.leaves {
		if have == want {
			return i
		}
	}
	p.leaves = append(p.leaves, want)
	return len(p.leaves) - 1
}

// environment is what scalar needs to compile an expression of this query.
func (x *Execution) environment(bind func(syntax.Expr) (int, error)) *scalar.Env {
	return &scalar.Env{Calendar: x.Calendar, Range: x.Range, Bind: bind}
}

// constant evaluates e if it depends on nothing, for a test of the column ref. ok is false if it
// does, or if comparing with its value is more than looking for it.
func (x *Execution) constant(e syntax.Expr, ref columnRef) (v event.Value, ok bool) {
	if len(x.refs(e)) > 0 {
		return v, false
	}
	f, err := scalar.Compile(e, x.environment(func(l syntax.Expr) (int, error) { return 0, errNotConstant }))
	if err != nil {
		return v, false
	}
	v = f(nil)
	if ref.source == sourceTime || ref.source == sourceReceived {
		if v.Kind() == event.KindString {
			nanos, ok := scalar.ParseTime(v.AsString(), x.Calendar.Location())
			return event.Time(nanos), ok
		}
		return v, v.Kind() == event.KindTime
	}
	switch v.Kind() {
	case event.KindBool, event.KindInt, event.KindFloat, event.KindString:
		return v, true
	}
	return v, false
}

// rowReader evaluates programs on the rows of a block, one by one. It is used by one goroutine.
type rowReader struct {
	x       *Execution
	p       *program
	view    *view
	vectors []*segment.Vector // by slot; nil: no such column, or known by user
	dicts   []*segment.Dictionary
	users   []uint32 // of the block's rows, if a slot needs them
	row     int
	made    []*madeColumn // by slot, where that is a computed column
	batch   *batch
	at      int // of the batch
}

func newRowReader(x *Execution, p *program) *rowReader {
	return &rowReader{x: x, p: p, vectors: make([]*segment.Vector, len(p.leaves)), dicts: make([]*segment.Dictionary, len(p.leaves))}
}

// open turns to a block.
func (r *rowReader) open(v *view, block int) error {
	r.view = v
	r.users = nil
	for slot, l := range r.p.leaves {
		r.vectors[slot] = nil
		if l.ref.source == sourceUser {
			ids, err := v.reader.RowUsers(block)
			if err != nil {
				return err
			}
			r.users = ids
			if l.perUser == nil {
				if err := r.x.names.load(r.x, v); err != nil {
					return err
				}
			}
			continue
		}
		if c := stored(v.reader, l.ref); c != nil {
			vector, err := c.Block(block)
			if err != nil {
				return err
			}
			r.vectors[slot] = vector
			if r.dicts[slot] = nil; !vector.Numeric() {
				if r.dicts[slot], err = c.Dict(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// openBatch turns to the block of a batch, and to its computed columns.
func (r *rowReader) openBatch(b *batch) error {
	r.batch = b
	if b.view != nil {
		if err := r.open(b.view, b.block); err != nil {
			return err
		}
	}
	if b.made == nil {
		return nil
	}
	if r.made == nil {
		r.made = make([]*madeColumn, len(r.p.leaves))
	}
	for slot, l := range r.p.leaves {
		if l.ref.source != sourceMade {
			continue
		}
		c, err := b.made.column(r.x.made.number(l.ref.name))
		if err != nil {
			return err
		}
		if c.special != madePlain {
			if err := b.made.named(c); err != nil {
				return err
			}
		}
		r.made[slot] = c
	}
	return nil
}

// turn turns to a row of the batch.
func (r *rowReader) turn(b *batch, i int) {
	r.at = i
	if b.view != nil {
		r.row = b.row(i)
	}
}

// Value implements scalar.Row.
func (r *rowReader) Value(slot int) event.Value {
	l := &r.p.leaves[slot]
	if l.ref.source == sourceMade {
		if r.made == nil {
			return event.Value{}
		}
		c := r.made[slot]
		return c.at(c.index(r.batch, r.at))
	}
	if l.ref.source == sourceUser {
		user := r.users[r.row]
		if l.perUser != nil {
			return l.perUser.at(user)
		}
		return r.x.names.value(user)
	}
	var value event.Value
	if v := r.vectors[slot]; v != nil {
		value = storedValue(l.ref, v.Value(r.row, r.dicts[slot]))
	}
	if l.perUser != nil {
		return l.perUser.of(value)
	}
	return value
}

// storedValue gives the columns of integers that are times their kind. An event without an arrival
// has 0 there.
func storedValue(ref columnRef, v event.Value) event.Value {
	switch {
	case ref.source == sourceTime:
		return event.Time(v.AsInt())
	case ref.source != sourceReceived:
		return v
	case v.AsInt() == 0:
		return event.Value{}
	}
	return event.Time(v.AsInt())
}

// codeRow is a row of which nothing but one column is looked at.
type codeRow struct {
	p     *program
	value event.Value
}

// Value implements scalar.Row.
func (r *codeRow) Value(slot int) event.Value {
	if l := &r.p.leaves[slot]; l.perUser != nil {
		return l.perUser.of(r.value)
	}
	return r.value
}
