package exec

import (
	"cairn/index"

	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// bindUsers evaluates a condition on nothing but the user once per user of the segment.
func (x *Execution) bindUsers(c *condition, v *view) (*bound, error) {
	if id, ok, err := x.singleUser(c); err != nil {
		return nil, err
	} else if ok {
		from, to, err := v.reader.UserRows(id)
		if err != nil {
			return nil, err
		}
		return &bound{set: rangeSet(from, to)}, nil
	}
	users, starts, err := v.reader.UserRuns()
	if err != nil {
		return nil, err
	}
	reader := &userReader{x: x, p: c.program}
	if c.program.named() {
		if err := x.names.load(x, v); err != nil {
			return nil, err
		}
	}
	// Many short runs: a bit for every row is quicker than adding ranges to a bitmap.
	words := index.TakeWords((v.info.Rows + 63) / 64)
	defer index.PutWords(words)
	count := 0
	table, property := c.propertyTable()
	for i, user := range users {
		passes := false
		if table != nil {
			passes = table[property.number(user)]
		} else {
			reader.user = user
			passes = c.program.test(reader)
		}
		if passes {
			setBits(words, starts[i], starts[i+1])
			count += int(starts[i+1] - starts[i])
		}
	}
	switch count {
	case 0:
		return &bound{set: index.None}, nil
	case v.info.Rows:
		return &bound{set: index.All}, nil
	}
	return &bound{set: index.Of(roaring.FromDense(words, true))}, nil
}

// setBits sets the bits [from, to).
func setBits(words []uint64, from, to uint32) {
	for from < to {
		end := min(to, (from|63)+1)
		words[from>>6] |= (^uint64(0) >> (64 - (end - from))) << (from & 63)
		from = end
	}
}

func rangeSet(from, to int) index.Rows {
	if from == to {
		return index.None
	}
	rows := roaring.New()
	rows.AddRange(uint64(from), uint64(to))
	return index.Of(rows)
}

// singleUser recognises `user = "name"`. A name that nobody has is a user without rows.
func (x *Execution) singleUser(c *condition) (id uint32, ok bool, err error) {
	if c.test.op != testEqual || c.test.not || len(c.test.values) != 1 {
		return 0, false, nil
	}
	v := c.test.values[0]
	if v.Kind() != event.KindString || v.AsString() == "" {
		return 0, false, nil
	}
	id, found, err := x.Source.UserID(v.AsString())
	if !found {
		id = ^uint32(0)
	}
	return id, true, err
}

// userReader evaluates programs on users.
type userReader struct {
	x    *Execution
	p    *program
	user uint32
}

// Value implements scalar.Row.
func (r *userReader) Value(slot int) event.Value {
	if l := &r.p.leaves[slot]; l.perUser != nil {
		return l.perUser.at(r.user)
	}
	return r.x.names.value(r.user)
}

// named reports whether the program sees the name of the user.
func (p *program) named() bool {
	for _, l := range p.leaves {
		if l.perUser == nil {
			return true
		}
	}
	return false
}
