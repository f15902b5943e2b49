package schema

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/engine/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// Field is a field of events.
type Field struct {
	Name string
	// Types are the types of its values, in the order of event.Kind, null included.
	Types []string
	Count int64 // events with the field, at least 1; a null counts
	Nulls int64 // how many of these are null
	// Distinct is the number of distinct values without null, 1 and 1.0 being one; -1 if they were not
	// counted, see Options.Numbers.
	Distinct int64
	// DistinctError is the standard error of Distinct relative to it, 0 if it is exact.
	DistinctError float64
	// First and Last are the times of the first and last event with the field, or bounds of these (Unix
	// nanoseconds).
	First, Last int64
}

// FieldPage is a page of fields by name, ascending. Cursor leads to the next one; it is empty on the last.
type FieldPage struct {
	Fields []Field
	Cursor string
}

// Fields lists the fields of events.
func Fields(ctx context.Context, src Source, opt Options) (*FieldPage, error) {
	wanted, err := opt.wanted()
	if err != nil {
		return nil, err
	}
	list, err := parts(ctx, src, &opt)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, p := range list {
		for _, c := range p.Reader.Fields() {
			if name := c.Name(); !isHidden(name) && !names[name] && wanted(name) {
				names[name] = true
			}
		}
	}
	page := &FieldPage{}
	finder := newExtents(list)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f, err := fieldOf(ctx, list, name, &opt)
		if err != nil {
			return nil, err
		}
		if f.Count == 0 {
			continue // of rows that do not count
		}
		if opt.Limit > 0 && len(page.Fields) == opt.Limit {
			page.Cursor = cursorBehind(page.Fields[opt.Limit-1].Name)
			break
		}
		if opt.Exact {
			times, err := finder.find(ctx, func(p *part) (*roaring.Bitmap, error) { return p.fieldRows(name) })
			if err != nil {
				return nil, err
			}
			f.First, f.Last = times.first, times.last
		}
		page.Fields = append(page.Fields, f)
	}
	return page, nil
}

// isHidden reports whether a field is one that the engine keeps for itself.
func isHidden(name string) bool { return strings.HasPrefix(name, "\x00") }

func fieldOf(ctx context.Context, list []*part, name string, opt *Options) (Field, error) {
	f := Field{Name: name}
	var kinds segment.KindSet
	var values distinct
	times := noExtent
	for _, p := range list {
		if ctx.Err() != nil {
			return f, context.Cause(ctx)
		}
		c := p.Field(name)
		if c == nil {
			continue
		}
		u, err := p.use(c, opt.Numbers)
		if err != nil {
			return f, err
		}
		if u.present == 0 {
			continue
		}
		kinds |= u.kinds
		f.Count += int64(u.present)
		f.Nulls += int64(u.nulls)
		times.add(p.from, p.to)
		values.add(u.values)
	}
	for k := event.KindNull; k <= event.KindDuration; k++ {
		if kinds.Has(k) {
			f.Types = append(f.Types, k.String())
		}
	}
	f.First, f.Last = times.first, times.last
	f.Distinct, f.DistinctError = values.result()
	return f, nil
}

// use is what rows that count have in a column.
type use struct {
	present, nulls int
	kinds          segment.KindSet
	values         sorted // nil: not known
}

// use looks at a column. Without numbers, it does not read those of a column that has no dictionary, if
// it need not for anything else.
func (p *part) use(c *segment.Column, numbers bool) (use, error) {
	if p.rows != nil {
		counted, err := p.count(c)
		if err != nil {
			return use{}, err
		}
		return counted.use(), nil
	}
	info := p.about(c)
	u := use{present: info.Present, nulls: info.Nulls, kinds: info.Kinds}
	dict, err := c.Dict()
	switch {
	case err != nil:
		return u, err
	case dict != nil:
		u.values = dictValues{dict, nil}
	case numbers:
		counted, err := p.count(c)
		if err != nil {
			return u, err
		}
		u.values = counted.values
	}
	return u, nil
}

// about describes a column, from the directory if the segment has one.
func (p *part) about(c *segment.Column) segment.ColumnInfo {
	if p.Hot() {
		return c.Info() // its columns are in memory, and counted once
	}
	i, _ := slices.BinarySearchFunc(p.info.Columns, c.Name(), func(i segment.ColumnInfo, name string) int { return strings.Compare(i.Name, name) })
	return p.info.Columns[i]
}

// fieldRows returns the rows that count and have a field, nil if there are none.
func (p *part) fieldRows(name string) (*roaring.Bitmap, error) {
	c := p.Field(name)
	if c == nil {
		return nil, nil
	}
	rows, err := c.PresentRows()
	if err == nil && p.rows != nil {
		rows.And(p.rows)
	}
	return rows, err
}
