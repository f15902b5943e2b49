package engine

import (
	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// eachReader calls f for the readers of a view, with hidden rows in them. Those that cannot be read are
// passed over: queries of their days fail.
func (v *view) eachReader(f func(r *segment.Reader) error) error {
	visit := func(r *segment.Reader, err error) error {
		if err == nil {
			err = f(r)
		}
		if isContained(err) {
			return nil
		}
		return err
	}
	for _, s := range v.spans {
		for _, h := range s.sealed {
			if err := visit(h.reader()); err != nil {
				return err
			}
		}
		if len(s.hot) == 0 {
			continue
		}
		readers, _ := s.chunks.readers(s.hot, nil)
		for _, r := range readers {
			if err := visit(r, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachTime calls f for the times of rows of a segment.
func eachTime(r *segment.Reader, rows *roaring.Bitmap, f func(at int64)) error {
	it := rows.Iterator()
	var times []int64
	for b := range r.Blocks() {
		from, to := r.BlockRange(b)
		if !it.HasNext() || int(it.PeekNext()) >= to {
			continue
		}
		v, err := r.Time().Block(b)
		if err != nil {
			return err
		}
		times = v.Ints(times[:0], nil)
		for it.HasNext() && int(it.PeekNext()) < to {
			f(times[int(it.Next())-from])
		}
	}
	return nil
}

// hiddenRows counts the stored rows that the view hides.
func (v *view) hiddenRows() int {
	n := 0
	if v.hidden == nil {
		return 0
	}
	_ = v.eachReader(func(r *segment.Reader) error { // every error is one of the rows' own
		rows, err := r.Without(v.hidden).HiddenRows()
		if rows != nil {
			n += int(rows.GetCardinality())
		}
		return err
	})
	return n
}

// visibleTimes calls add with the times between which the rows of the view lie that it does not hide.
func (v *view) visibleTimes(add func(from, to int64)) {
	_ = v.eachReader(func(r *segment.Reader) error {
		info := r.Info()
		hidden, err := r.Without(v.hidden).HiddenRows()
		if err != nil || hidden == nil || info.Rows == 0 {
			if info.Rows > 0 {
				add(info.TimeMin, info.TimeMax)
			}
			return err
		}
		rows := hidden.Clone()
		rows.Flip(0, uint64(info.Rows))
		var times event.TimeRange // inclusive
		first := true
		err = eachTime(r, rows, func(at int64) {
			if first {
				times, first = event.TimeRange{From: at, To: at}, false
			}
			times.From, times.To = min(times.From, at), max(times.To, at)
		})
		if !first {
			add(times.From, times.To)
		}
		return err
	})
}

// shows reports whether a number is that of a user whom the view does not hide.
func (v *view) shows(user uint32) bool {
	return user <= v.users && (v.hidden == nil || !v.hidden.Contains(user))
}
