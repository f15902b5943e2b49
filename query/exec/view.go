package exec

import (
	"cairn/engine/event"
	"cairn/engine/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// view is one segment in one query.
type view struct {
	reader *segment.Reader
	info   segment.Info
}

func newView(r *segment.Reader) *view { return &view{reader: r, info: r.Info()} }

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
