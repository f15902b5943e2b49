package exec

import "cairn/engine/segment"

// wholeByUser takes a segment user by user, where every event of a user has the same keys: all of its rows
// or, if nothing but users are counted, those with some event names.
func (w *statsWorker) wholeByUser(v *view, b *bound) (bool, error) {
	if w.pass.x.Knobs.NoDictEval || !b.full() && (b.events == nil || w.counts()) {
		return false, nil
	}
	perUser := false
	for _, k := range w.table.keys {
		if k.varies() {
			return false, nil
		}
		if err := k.open(v); err != nil {
			return false, err
		}
		switch k.kind {
		case inputPerUser:
			perUser = true
		case inputConst:
		default:
			return false, nil
		}
	}
	if !perUser {
		return false, nil
	}
	users, starts, err := v.reader.UserRuns()
	if err != nil {
		return false, err
	}
	if b.full() {
		hidden := v.reader.HiddenUsers()
		for i, u := range users {
			if hidden != nil && hidden.Contains(u) {
				continue
			}
			w.takeUser(u, int64(starts[i+1]-starts[i]))
		}
		return true, nil
	}
	if len(users) > 0 && users[0] == segment.NoUser {
		return false, nil // the directory does not tell whether these did the event
	}
	var buffer [512]uint32
	for _, code := range b.events {
		set, err := v.reader.EventUsers(code)
		if err != nil {
			return false, err
		}
		it := set.ManyIterator()
		for n := it.NextMany(buffer[:]); n > 0; n = it.NextMany(buffer[:]) {
			for _, u := range buffer[:n] {
				w.takeUser(u, 0)
			}
		}
	}
	return true, nil
}

// counts reports whether rows are counted.
func (w *statsWorker) counts() bool {
	for _, s := range w.states {
		if _, ok := s.(*countAggregate); ok {
			return true
		}
	}
	return false
}

// takeUser takes a number of rows of a user.
func (w *statsWorker) takeUser(user uint32, rows int64) {
	w.gids = w.gids[:0]
	for _, k := range w.table.keys {
		if k.kind == inputConst {
			w.gids = append(w.gids, k.ids.intern(k.value))
		} else {
			w.gids = append(w.gids, k.perUserGid(user))
		}
	}
	group := w.table.groupOf(w.gids)
	if int(group) >= w.sized {
		w.resize()
		w.sized = w.table.len()
	}
	for _, s := range w.states {
		switch s := s.(type) {
		case *countAggregate:
			s.counts[group] += rows
		case *usersAggregate:
			if user != segment.NoUser {
				s.addUser(group, user)
			}
		}
	}
}
