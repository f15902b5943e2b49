package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"
	"cairn/index"

	"github.com/RoaringBitmap/roaring/v2"
)

// view is one segment in one query. Its info goes for hidden rows as well.
type view struct {
	reader *segment.Reader
	info   segment.Info
	hidden *roaring.Bitmap // rows that are left out of everything, nil if there are none
}

func newView(r *segment.Reader) *view { return &view{reader: r, info: r.Info()} }

// hide finds the hidden rows; any says whether others are left.
func (v *view) hide() (any bool, err error) {
	if v.hidden, err = v.reader.HiddenRows(); v.hidden == nil {
		return v.info.Rows > 0, err
	}
	return int(v.hidden.GetCardinality()) < v.info.Rows, nil
}

// visible leaves hidden rows out of what a condition is bound to.
func (v *view) visible(b *bound) *bound {
	if v.hidden == nil {
		return b
	}
	b = b.resolve()
	if b.op == boundRows {
		return &bound{set: b.set.And(index.Of(v.hidden).Invert())}
	}
	visible := index.Of(v.hidden).Invert()
	return &bound{op: boundAnd, set: visible, kids: []*bound{{set: visible}, b}}
}

// count returns how many rows of a boundRows are not hidden.
func (v *view) count(b *bound) int {
	if v.hidden == nil {
		return b.count(v.info.Rows)
	}
	return v.visible(b).set.Count(v.info.Rows)
}

// inside reports whether every row lies in the range.
func (v *view) inside(r event.TimeRange) bool {
	return r.Contains(v.info.TimeMin) && r.Contains(v.info.TimeMax)
}

// outside reports whether no row does.
func (v *view) outside(r event.TimeRange) bool { return !r.Overlaps(v.info.TimeMin, v.info.TimeMax) }

// users returns the users of a source.
func (s userSource) users() (*roaring.Bitmap, error) {
	if s.event {
		return s.view.reader.EventUsers(s.code)
	}
	return s.view.reader.AllUsers()
}
