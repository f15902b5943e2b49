package schema

import (
	"cmp"
	"slices"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// sorted are distinct values, in the order of event.Compare. There is no absent one among them.
type sorted interface {
	Len() int
	Value(i int) event.Value
}

// dictValues are the values of some codes, ascending, nil for all.
type dictValues struct {
	dict  *segment.Dictionary
	codes []uint32
}

func (d dictValues) Len() int {
	if d.codes == nil {
		return d.dict.Len()
	}
	return len(d.codes)
}

// Value implements sorted.
func (d dictValues) Value(i int) event.Value {
	if d.codes == nil {
		return d.dict.Value(uint32(i))
	}
	return d.dict.Value(d.codes[i])
}

// intValues and floatValues are numbers.
type intValues []int64

func (v intValues) Len() int { return len(v) }

// Value implements sorted.
func (v intValues) Value(i int) event.Value { return event.Int(v[i]) }

type floatValues []float64

func (v floatValues) Len() int { return len(v) }

// Value implements sorted.
func (v floatValues) Value(i int) event.Value { return event.Float(v[i]) }

// counted are the values that a column has in rows that count, and in how many of them each.
type counted struct {
	values sorted
	counts []int
}

// sizeBytes is the memory of it, with a dictionary, which may be nobody else's by now.
func (c *counted) sizeBytes() int64 {
	size := 8 * cap(c.counts)
	switch v := c.values.(type) {
	case dictValues:
		size += 4*cap(v.codes) + v.dict.SizeBytes()
	case intValues:
		size += 8 * cap(v)
	case floatValues:
		size += 8 * cap(v)
	}
	return int64(size)
}

func (c *counted) use() use {
	u := use{values: c.values}
	for i, n := range c.counts {
		v := c.values.Value(i)
		u.present += n
		u.kinds |= 1 << v.Kind()
		if v.IsNull() {
			u.nulls += n
		}
	}
	return u
}

// count counts the values of a column.
func (p *part) count(c *segment.Column) (*counted, error) {
	dict, err := c.Dict()
	if err != nil {
		return nil, err
	}
	if dict == nil {
		return p.countNumbers(c)
	}
	if p.rows == nil {
		counts, ok, err := c.Counts()
		if ok || err != nil {
			return &counted{dictValues{dict, nil}, counts}, err
		}
	}
	counts := make([]int, dict.Len())
	var codes []uint32
	err = p.eachBlock(p.rows, func(block int, sel []uint16) error {
		v, err := c.Block(block)
		if err != nil || v.Len == 0 {
			return err
		}
		codes = v.Codes(codes[:0], sel)
		for _, code := range codes {
			if code != segment.AbsentCode {
				counts[code]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &counted{counts: counts[:0]}
	used := make([]uint32, 0, len(counts))
	for code, n := range counts {
		if n > 0 {
			used, out.counts = append(used, uint32(code)), append(out.counts, n)
		}
	}
	out.values = dictValues{dict, used}
	return out, nil
}

// countNumbers counts the values of a column without a dictionary, whose numbers are of one kind.
func (p *part) countNumbers(c *segment.Column) (*counted, error) {
	var ints []int64
	var floats []float64
	var present []bool
	err := p.eachBlock(p.rows, func(block int, sel []uint16) error {
		v, err := c.Block(block)
		if err != nil || v.Len == 0 {
			return err
		}
		present = v.AppendPresent(present[:0], sel)
		if v.Kind == event.KindInt {
			n := len(ints)
			ints = keep(v.Ints(ints, sel), n, present)
		} else {
			n := len(floats)
			floats = keep(v.Floats(floats, sel), n, present)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(ints) > 0 {
		values, counts := tally(ints)
		return &counted{intValues(values), counts}, nil
	}
	values, counts := tally(floats)
	return &counted{floatValues(values), counts}, nil
}

// keep removes from list[from:] what is not present.
func keep[T any](list []T, from int, present []bool) []T {
	out := list[:from]
	for i, v := range list[from:] {
		if present[i] {
			out = append(out, v)
		}
	}
	return out
}

// tally sorts numbers, and returns the distinct ones with how often they occur. 0.0 and -0.0 are one.
func tally[T cmp.Ordered](list []T) (values []T, counts []int) {
	slices.Sort(list)
	values = list[:0]
	for _, v := range list {
		if n := len(values); n > 0 && values[n-1] == v {
			counts[n-1]++
			continue
		}
		values, counts = append(values, v), append(counts, 1)
	}
	return values, counts
}
