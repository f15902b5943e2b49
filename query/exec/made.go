package exec

import (
	"cairn/engine/event"
)

// Computed columns are such as a stage makes from several events of a user, while these stream by: the
// duration of his session, the time since the event before. A chunk of users has them all at once, by
// session or by event; batches of its events, or of its sessions, look them up.

// madeNames numbers the computed columns that expressions of a pipeline name.
type madeNames struct {
	list     []string
	sessions []*sessionNames // of the workers
}

// number returns the number of a column.
func (m *madeNames) number(name string) int {
	for i, have := range m.list {
		if have == name {
			return i
		}
	}
	m.list = append(m.list, name)
	return len(m.list) - 1
}

// madeSource gives the computed columns of the chunk at hand.
type madeSource interface {
	// column returns a column by its number; it is valid until the next chunk.
	column(number int) (*madeColumn, error)
	// users returns the user of every session; nil where there are no sessions.
	users() []uint32
	// times appends the time of every row of a batch, for a session that of its last event.
	times(dst []int64, b *batch) []int64
	// named puts the values of a special column into it.
	named(c *madeColumn) error
	// sessionName returns what stands for the id of a session until that is wanted.
	sessionName(session int) event.Value
	// chunkNumber tells chunks apart.
	chunkNumber() int
}

// madeColumn is a computed column in one of several forms. Where it has neither ints nor gids nor users it
// has values.
type madeColumn struct {
	byEvent bool // it has a value for every event of the chunk, else for every session
	kind    event.Kind
	ints    []int64 // of that kind
	ok      []bool  // which of ints are values; nil: all
	gids    []uint32
	ids     *interner     // of gids; 0 is no value
	values  []event.Value // of a special column: nil until named
	// special says that values stands for others, which are made where they are wanted.
	special madeSpecial
}

// madeSpecial tells columns apart whose values are costly to make.
type madeSpecial uint8

const (
	madePlain     madeSpecial = iota
	madeUsers                 // users by name
	madeSessionID             // ids of sessions
)

// index returns where a column has the value for a row of a batch.
func (c *madeColumn) index(b *batch, i int) int {
	if c.byEvent {
		return int(b.places[i])
	}
	return b.session(i)
}

// session returns the session of a row.
func (b *batch) session(i int) int {
	if b.sessions != nil {
		return int(b.sessions[i])
	}
	return i
}

// at returns a value.
func (c *madeColumn) at(i int) event.Value {
	switch {
	case c.gids != nil:
		return c.ids.values[c.gids[i]]
	case c.ints == nil:
		return c.values[i]
	case c.ok != nil && !c.ok[i]:
		return event.Value{}
	}
	return event.FromBits(c.kind, uint64(c.ints[i]), "")
}

// numbers returns the column in the rows of a batch as numbers of one kind, if it is such.
func (c *madeColumn) numbers(b *batch, ints []int64, ok []bool) (n numbers, is bool) {
	if c.ints == nil {
		return n, false
	}
	n.kind = c.kind
	rows := b.places
	if !c.byEvent {
		rows = b.sessions
	}
	if rows == nil {
		n.ints = c.ints[:b.n]
		if c.ok != nil {
			n.ok = c.ok[:b.n]
		}
		return n, true
	}
	for _, i := range rows {
		ints = append(ints, c.ints[i])
	}
	n.ints = ints
	if c.ok != nil {
		for _, i := range rows {
			ok = append(ok, c.ok[i])
		}
		n.ok = ok
	}
	return n, true
}

// subBatch is memory for some of the rows of a batch.
type subBatch struct {
	b                batch
	sel              []uint16
	sessions, places []uint32
}

// of returns the batch of the rows with these indices, which ascend. It is valid until the next call.
func (s *subBatch) of(b *batch, indices []uint32) *batch {
	s.b = *b
	s.b.n = len(indices)
	if b.view != nil {
		s.sel = s.sel[:0]
		for _, i := range indices {
			s.sel = append(s.sel, uint16(b.row(int(i))))
		}
		s.b.sel = s.sel
	}
	if b.places != nil {
		s.places = picked(s.places[:0], b.places, indices)
		s.b.places = s.places
	}
	switch {
	case b.sessions != nil:
		s.sessions = picked(s.sessions[:0], b.sessions, indices)
		s.b.sessions = s.sessions
	case b.view == nil:
		s.sessions = append(s.sessions[:0], indices...)
		s.b.sessions = s.sessions
	}
	return &s.b
}

// picked appends the elements of a list with these indices.
func picked[T any](dst, list []T, indices []uint32) []T {
	for _, i := range indices {
		dst = append(dst, list[i])
	}
	return dst
}

// chunkGids are numbers of keys by session of the chunk at hand.
type chunkGids struct {
	source madeSource
	chunk  int
	gids   []uint32 // number + 1
}

// kindUnnamedSession is the kind of a group key that is still the number of a session; see
// sessionNames.
const kindUnnamedSession event.Kind = 253

// madeGids is gids of a computed column.
func (k *keyColumn) madeGids(b *batch) ([]uint32, error) {
	c, err := b.made.column(k.made)
	if err != nil {
		return nil, err
	}
	if c.ints != nil {
		return k.numberGids(b)
	}
	out := k.codeBuffer[:0]
	switch {
	case c.special == madeUsers:
		if out, err = b.users(out); err != nil {
			return nil, err
		}
		for _, u := range out {
			k.growUsers(u)
		}
		k.userGids(out)
	case c.special == madeSessionID:
		gids := k.sessionGids(b.made)
		for i := range b.n {
			s := c.index(b, i)
			if gids[s] == 0 {
				gids[s] = k.ids.append(b.made.sessionName(s)) + 1
			}
			out = append(out, gids[s]-1)
		}
	case c.gids != nil:
		k.byMade = extended(k.byMade, len(c.ids.values))
		for i := range b.n {
			n := c.gids[c.index(b, i)]
			if k.byMade[n] == 0 {
				k.byMade[n] = k.ids.intern(c.ids.values[n]) + 1
			}
			out = append(out, k.byMade[n]-1)
		}
	default:
		for i := range b.n {
			out = append(out, k.ids.intern(c.at(c.index(b, i))))
		}
	}
	k.codeBuffer = out
	return out, nil
}

// sessionGids returns the numbers of the sessions of the chunk at hand, 0 where there is none yet.
func (k *keyColumn) sessionGids(source madeSource) []uint32 {
	s := &k.sessions
	if number := source.chunkNumber(); s.source != source || s.chunk != number {
		s.source, s.chunk = source, number
		s.gids = zeroed(s.gids, len(source.users()))
	}
	return s.gids
}

// append numbers a value that is surely new.
func (in *interner) append(v event.Value) uint32 {
	in.values = append(in.values, v)
	in.account.add(40)
	return uint32(len(in.values)) - 1
}
