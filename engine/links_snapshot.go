package engine

import (
	"cmp"
	"context"
	"slices"

	"cairn/engine/keys"
)

// Links returns the links that make a user, given by any of his ids: those between two ids of his that were not
// taken away, by time. There are none where the id is not linked.
func (s *Snapshot) Links(user string) ([]Link, error) {
	v := s.view.links
	if s.err != nil || v == nil {
		return nil, s.err
	}
	if v.damaged != nil {
		return nil, v.damaged
	}
	t := s.tenant
	number, ok, err := t.users.lookup([]byte(user))
	if err != nil || !ok {
		return nil, err
	}
	rows := t.links.cluster(v, v.of(number))
	numbers := make([]uint32, 0, 2*len(rows))
	for i := range rows {
		numbers = append(numbers, rows[i].user, rows[i].id)
	}
	names, err := t.users.names(numbers)
	if err != nil {
		return nil, err
	}
	out := make([]Link, 0, len(rows))
	for i := range rows {
		key := keys.Link(t.id, 0, rows[i].sequence)
		value, err := t.db.store.get(key)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue // its user was erased meanwhile
		}
		_, source, err := decodeLink(value)
		if err != nil {
			return nil, &CorruptionError{Key: key, Err: err}
		}
		out = append(out, Link{linkKinds[rows[i].kind], names[2*i], names[2*i+1], rows[i].time, source})
	}
	slices.SortFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.User, b.User), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// IDs returns all ids that stand for a user, given by any of them, sorted by name; it is among them, also if
// nobody knows it.
func (s *Snapshot) IDs(user string) ([]string, error) {
	if err := s.linksRead(); err != nil {
		return nil, err
	}
	v, t := s.links(), s.tenant
	if v == nil {
		return []string{user}, nil
	}
	number, ok, err := t.users.lookup([]byte(user))
	if err != nil || !ok {
		return []string{user}, err
	}
	names, err := t.users.names(t.links.ids(v, v.of(number)))
	slices.Sort(names)
	return names, err
}

// AllLinks calls yield for every row of the log that the snapshot has, in the order of arrival, unlinks and links
// without an effect included: linked again elsewhere, they mean the same. An error of yield ends it and is returned.
func (s *Snapshot) AllLinks(ctx context.Context, yield func(Link) error) error {
	v := s.view.links
	if s.err != nil || v == nil {
		return s.err
	}
	if v.damaged != nil {
		return v.damaged
	}
	t := s.tenant
	var links []Link
	var numbers []uint32
	hand := func() error {
		names, err := t.users.names(numbers)
		if err != nil {
			return err
		}
		for i := range links {
			links[i].User, links[i].ID = names[2*i], names[2*i+1]
			if links[i].User == "" || links[i].ID == "" {
				continue // erased meanwhile
			}
			if err := yield(links[i]); err != nil {
				return err
			}
		}
		links, numbers = links[:0], numbers[:0]
		return nil
	}
	err := t.db.store.scan(keys.LinkSpan(t.id, 0), func(key, value []byte) error {
		_, _, sequence, err := keys.ParseLink(key)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		r, source, err := decodeLink(value)
		if err != nil {
			return &CorruptionError{Key: slices.Clone(key), Err: err}
		}
		if r.kind == linkGone || sequence > v.sequence {
			return nil
		}
		links = append(links, Link{Kind: linkKinds[r.kind], Time: r.time, Source: source})
		if numbers = append(numbers, r.user, r.id); len(links) < linksAtOnce {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return hand()
	})
	if err != nil {
		return err
	}
	return hand()
}
