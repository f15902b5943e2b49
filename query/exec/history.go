package exec

import (
	"context"

	"cairn/engine/event"
	"cairn/query/syntax"

	"github.com/RoaringBitmap/roaring/v2"
)

// history returns the time of every user's first match of a selector among all that was ever stored.
func (x *Execution) history(ctx context.Context, s *syntax.Selector) (*userValues, error) {
	first := &syntax.FirstTime{Pos: s.Pos, Selector: s}
	if err := x.learn(ctx, first); err != nil {
		return nil, err
	}
	return x.userValues(first)
}

// known returns what is known of a user of the stream.
func (w *streamWorker) known(values *userValues, user uint32) event.Value {
	if w.actors != nil {
		return values.of(w.actors[user])
	}
	return values.at(user)
}

// expiredUsers returns the users who did an event that a selector takes whatever it holds in days that have
// expired: their first match is none of those stored. names are the names of stored events, for selectors
// of every event. It returns nil for nobody.
func (x *Execution) expiredUsers(s *syntax.Selector, names func() ([]string, error)) (*roaring.Bitmap, error) {
	var list []string
	for _, t := range s.Terms {
		switch {
		case t.Cond != nil: // nobody knows what expired events held
		case t.Any:
			stored, err := names()
			if err != nil {
				return nil, err
			}
			list = append(list, stored...)
		default:
			list = append(list, t.Name)
		}
	}
	var out *roaring.Bitmap
	for _, name := range list {
		users, err := x.Source.ExpiredUsers(name)
		if err != nil {
			return nil, err
		}
		if users == nil || users.IsEmpty() {
			continue
		}
		if out == nil {
			out = roaring.New()
		}
		out.Or(users)
	}
	return out, nil
}

// storedNames returns the names of all stored events.
func (x *Execution) storedNames(ctx context.Context) ([]string, error) {
	readers, err := x.Source.Segments(ctx, event.AllTime)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var names []string
	for _, r := range readers {
		events, err := r.VisibleEvents()
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Rows > 0 && !seen[e.Name] {
				seen[e.Name] = true
				names = append(names, e.Name)
			}
		}
	}
	return names, nil
}

// forgetExpired takes back first times of users whose first match has expired: nobody knows theirs.
func (x *Execution) forgetExpired(ctx context.Context, s *syntax.Selector, firsts []int64) error {
	expired, err := x.expiredUsers(s, func() ([]string, error) { return x.storedNames(ctx) })
	if err != nil || expired == nil {
		return err
	}
	for it := expired.Iterator(); it.HasNext(); {
		if id := it.Next(); int(id) < len(firsts) {
			firsts[id] = noTime
		}
	}
	return nil
}
