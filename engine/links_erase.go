package engine

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/keys"
)

// linkedNames returns the names that an erasure of a user with his links is about, the user first.
func (t *Tenant) linkedNames(user string) ([]string, error) {
	snap := t.Snapshot()
	defer snap.Close()
	ids, err := snap.IDs(user)
	names := []string{user}
	for _, id := range ids {
		if id != user {
			names = append(names, id)
		}
	}
	return names, err
}

// eraseLinks takes the rows about users out of the log, as part of the batch, and returns what the rest means.
// Unless undo is called the rows are out of the memory too. The caller holds the commit lock.
func (t *Tenant) eraseLinks(b *pebble.Batch, users []uint32) (v *linkView, undo func(), err error) {
	l := t.links
	l.mu.Lock()
	defer l.mu.Unlock()
	v = t.view.Load().links
	var rows []*linkRow
	var kinds []linkCode
	last := l.last
	undo = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.restore(rows, kinds, last)
	}
	around := slices.Clone(users)
	for _, user := range users {
		l.each(user, func(r *linkRow) bool {
			rows, kinds = append(rows, r), append(kinds, r.kind)
			around = append(around, r.user, r.id)
			r.kind = linkGone
			return true
		})
	}
	if len(rows) == 0 {
		return v, undo, nil
	}
	for _, r := range rows {
		if err == nil {
			err = b.Delete(keys.Link(t.id, 0, r.sequence), nil)
		}
	}
	l.last++ // it names what is left, and is not given again
	if err == nil {
		err = b.Set(keys.Link(t.id, 0, l.last), encodeLink(&linkRow{kind: linkGone}, ""), nil)
	}
	if err == nil {
		v, err = v.with(l, nil, around, t.users.names)
	}
	if err != nil {
		l.restore(rows, kinds, last)
	}
	return v, undo, err
}

// restore brings rows back that were taken out.
func (l *linkLog) restore(rows []*linkRow, kinds []linkCode, last uint64) {
	for i, r := range rows {
		r.kind = kinds[i]
	}
	l.last = last
}
