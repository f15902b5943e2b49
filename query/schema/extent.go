package schema

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// extent is the time from the first to the last of some events, inclusive.
type extent struct{ first, last int64 }

func (e *extent) add(first, last int64) { e.first, e.last = min(e.first, first), max(e.last, last) }

var noExtent = extent{math.MaxInt64, math.MinInt64}

// extents finds the times of the first and last of some rows. It looks at segments from both ends, and
// no further than the first and the last may be.
type extents struct{ ascending, descending []*part }

func newExtents(list []*part) *extents {
	e := &extents{slices.Clone(list), slices.Clone(list)}
	slices.SortFunc(e.ascending, func(a, b *part) int { return cmp.Compare(a.from, b.from) })
	slices.SortFunc(e.descending, func(a, b *part) int { return cmp.Compare(b.to, a.to) })
	return e
}

// find returns the extent of rows, which rowsOf gives by part; nil are none.
func (e *extents) find(ctx context.Context, rowsOf func(*part) (*roaring.Bitmap, error)) (extent, error) {
	out := noExtent
	seen := map[*part]extent{}
	look := func(p *part) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		times, ok := seen[p]
		if !ok {
			rows, err := rowsOf(p)
			if err != nil {
				return err
			}
			if times = noExtent; rows != nil {
				if times, err = p.extent(rows); err != nil {
					return err
				}
			}
			seen[p] = times
		}
		if times != noExtent {
			out.add(times.first, times.last)
		}
		return nil
	}
	for _, p := range e.ascending {
		if p.from >= out.first {
			break
		}
		if err := look(p); err != nil {
			return out, err
		}
	}
	for _, p := range e.descending {
		if p.to <= out.last {
			break
		}
		if err := look(p); err != nil {
			return out, err
		}
	}
	return out, nil
}

// extent returns the times of the first and last of some rows; noExtent if there are none.
func (p *part) extent(rows *roaring.Bitmap) (extent, error) {
	out := noExtent
	var times []int64
	err := p.eachBlock(rows, func(block int, sel []uint16) error {
		v, err := p.Time().Block(block)
		if err != nil {
			return err
		}
		times = v.Ints(times[:0], sel)
		for _, at := range times {
			out.add(at, at)
		}
		return nil
	})
	return out, err
}
