package segment

import (
	"slices"

	"cairn/engine/column"
	"cairn/engine/event"

	"github.com/RoaringBitmap/roaring/v2"
)

// arranged are inputs, batches or segments, with the keys of their order, by global row: the rows of
// input 0, then those of input 1, and so on.
type arranged struct {
	starts []uint32 // global row of each input's first row; one more at the end
	sorter sorter
	rows   []uint32 // global rows taken; nil: all
	fields []string // names of all fields, sorted
	// shares returns the parts that the inputs have in a column; place is by input and row.
	shares    func(ordinal int, name string, place [][]uint32) []share
	sizeBytes int // about what the values of the inputs take
}

// batches are arranged inputs.
type batches struct {
	arranged
	inputs []Input
	byName map[string][]inputColumn
}

type inputColumn struct {
	input  int
	column *column.Column
}

// arrange reads the keys of the inputs' rows.
func arrange(inputs []Input, drop *roaring.Bitmap) *batches {
	a := &batches{inputs: inputs, byName: make(map[string][]inputColumn)}
	a.starts = make([]uint32, 1, len(inputs)+1)
	a.shares = a.columnShares
	total, taken, columns := 0, 0, 0
	for i := range inputs {
		columns += len(inputs[i].Batch.Fields)
	}
	firsts := make([]inputColumn, columns) // memory of lists of one
	for i := range inputs {
		total += inputs[i].Batch.Rows
		taken += inputs[i].rows()
		a.starts = append(a.starts, uint32(total))
		for _, c := range inputs[i].Batch.Fields {
			list := a.byName[c.Name]
			if list == nil {
				a.fields = append(a.fields, c.Name)
				list, firsts = firsts[:0:1], firsts[1:]
			}
			a.byName[c.Name] = append(list, inputColumn{i, c})
		}
		a.sizeBytes += inputs[i].Batch.SizeBytes()
	}
	slices.Sort(a.fields)
	s := &a.sorter
	s.users = make([]uint32, total)
	s.times = make([]int64, total)
	for i := range inputs {
		in := &inputs[i]
		copy(s.times[a.starts[i]:], in.Batch.Time)
		users := s.users[a.starts[i]:a.starts[i+1]]
		c := &in.Batch.User
		if c.Rows == nil {
			for j, number := range c.Bits {
				users[j] = in.Users[number]
			}
		} else {
			for j, row := range c.Rows {
				users[row] = in.Users[c.Bits[j]]
			}
		}
	}
	s.names = a.nameRanks(total)
	if taken < total || drop != nil {
		a.rows = make([]uint32, 0, taken)
		for i := range inputs {
			start := a.starts[i]
			take := func(row uint32) {
				if drop == nil || !drop.Contains(s.users[start+row]) {
					a.rows = append(a.rows, start+row)
				}
			}
			if inputs[i].Rows != nil {
				for _, row := range inputs[i].Rows {
					take(row)
				}
				continue
			}
			for row := range uint32(inputs[i].Batch.Rows) {
				take(row)
			}
		}
	}
	return a
}

// nameRanks gives every row a number that orders event names.
func (a *batches) nameRanks(total int) []uint32 {
	ranks := make([]uint32, total)
	var b dictBuilder
	var local []uint32
	for i := range a.inputs {
		c := &a.inputs[i].Batch.Event
		local = slices.Grow(local[:0], c.Dict.Len())[:c.Dict.Len()]
		for j := range local {
			local[j] = b.text(event.KindString, c.Dict.String(uint32(j)))
		}
		out := ranks[a.starts[i]:]
		for j, number := range c.Bits {
			out[j] = local[number]
		}
	}
	if _, err := b.finish(); err != nil {
		return nil // names of a gigabyte: leave ties in order of arrival
	}
	for i, id := range ranks {
		ranks[i] = b.textRank[id]
	}
	return ranks
}

// places inverts an order: where each row of each input stands in the segment.
func (a *arranged) places(order []uint32) [][]uint32 {
	place := make([]uint32, a.starts[len(a.starts)-1])
	if len(order) < len(place) {
		for i := range place {
			place[i] = noPlace
		}
	}
	for i, r := range order {
		place[r] = uint32(i)
	}
	out := make([][]uint32, len(a.starts)-1)
	for i := range out {
		out[i] = place[a.starts[i]:a.starts[i+1]]
	}
	return out
}

// The ordinals of the columns that every segment has; fields follow by name.
const (
	ordinalEvent = iota
	ordinalTime
	ordinalReceived
	ordinalID
	ordinalFields
)

var systemNames = [ordinalFields]string{"event", "time", "received", "id"}

func (a *batches) columnShares(ordinal int, name string, place [][]uint32) []share {
	var out []share
	add := func(i int, c *column.Column) {
		if c.Len() > 0 {
			out = append(out, &batchShare{column: c, place: place[i]})
		}
	}
	if ordinal >= ordinalFields {
		for _, c := range a.byName[name] {
			add(c.input, c.column)
		}
		return out
	}
	for i := range a.inputs {
		in := &a.inputs[i]
		switch ordinal {
		case ordinalEvent:
			add(i, &in.Batch.Event)
		case ordinalID:
			add(i, &in.Batch.ID)
		case ordinalTime:
			out = append(out, &timesShare{times: in.Batch.Time, place: place[i]})
		default:
			out = append(out, &timesShare{times: in.Batch.Received, all: in.Received, place: place[i]})
		}
	}
	return out
}
