package exec

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"cairn/engine/event"
	"cairn/query/plan"
	"cairn/query/syntax"
)

// sessionColumns are the computed columns of the sessions of a worker's chunks; a madeSource.
type sessionColumns struct {
	x       *Execution
	feeder  *sessionFeeder
	names   *sessionNames
	chunk   *chunk
	number  int              // of the chunk
	columns []*sessionColumn // by number
	ids     []uint32
	ends    [2]placeOrder // of the first and of the last events
}

// sessionColumn is a computed column and how it is made.
type sessionColumn struct {
	madeColumn
	fill func(c *sessionColumn) error
	done bool       // for the chunk at hand
	key  *keyColumn // of events that it is read from
	aggs *orderColumn
}

// placeOrder lists the sessions of a chunk by the place of one of their events, for reading it.
type placeOrder struct {
	done   bool
	bits   []uint64 // which places are those of such events
	owner  []uint32 // by place, where bits tell
	order  []uint32 // the sessions
	places []uint32 // beside order
}

// sort puts the sessions into order.
func (o *placeOrder) sort(list []chunkSession, places int, exit bool) {
	o.done = true
	words := (places + 63) / 64
	o.bits, o.owner = sized(o.bits, words), sized(o.owner, places)
	clear(o.bits)
	for i := range list {
		place := list[i].entry
		if exit {
			place = list[i].exit
		}
		o.bits[place>>6] |= 1 << (place & 63)
		o.owner[place] = uint32(i)
	}
	o.order, o.places = sized(o.order, len(list)), sized(o.places, len(list))
	n := 0
	for w, word := range o.bits {
		for ; word != 0; word &= word - 1 {
			place := uint32(w<<6 + bits.TrailingZeros64(word))
			o.order[n], o.places[n] = o.owner[place], place
			n++
		}
	}
}

// newSessionColumns makes all columns that x knows of.
func (x *Execution) newSessionColumns(f *sessionFeeder, p *plan.Streamed) (*sessionColumns, error) {
	s := &sessionColumns{x: x, feeder: f, names: x.made.newSessionNames()}
	for _, name := range x.made.list {
		c := &sessionColumn{}
		s.columns = append(s.columns, c)
		if err := s.define(c, name, p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// turn turns to the sessions of another chunk.
func (s *sessionColumns) turn(c *chunk) {
	s.chunk = c
	s.number++
	for i := range s.columns {
		s.columns[i].done = false
	}
	s.ids = s.ids[:0]
	s.ends[0].done, s.ends[1].done = false, false
}

// chunkNumber implements madeSource.
func (s *sessionColumns) chunkNumber() int { return s.number }

// users implements madeSource.
func (s *sessionColumns) users() []uint32 {
	if len(s.ids) == 0 {
		for i := range s.feeder.list {
			s.ids = append(s.ids, s.feeder.list[i].user)
		}
	}
	return s.ids
}

// times implements madeSource.
func (s *sessionColumns) times(dst []int64, b *batch) []int64 {
	if b.places != nil {
		return picked(dst, s.chunk.times, b.places)
	}
	for i := range b.n {
		dst = append(dst, s.feeder.list[b.session(i)].end)
	}
	return dst
}

// column implements madeSource.
func (s *sessionColumns) column(number int) (*madeColumn, error) {
	c := s.columns[number]
	if !c.done {
		c.done = true
		if err := c.fill(c); err != nil {
			return nil, err
		}
	}
	return &c.madeColumn, nil
}

// define says how a column is made.
func (s *sessionColumns) define(c *sessionColumn, name string, p *plan.Streamed) error {
	ints := func(kind event.Kind, of func(x *chunkSession) int64) error {
		c.kind = kind
		c.fill = func(c *sessionColumn) error {
			c.ints = sized(c.ints, len(s.feeder.list))
			for i := range s.feeder.list {
				c.ints[i] = of(&s.feeder.list[i])
			}
			return nil
		}
		return nil
	}
	switch name {
	case syntax.ColumnUser, "session.entry.user", "session.exit.user":
		c.special, c.fill = madeUsers, func(c *sessionColumn) error { c.values = c.values[:0]; return nil }
		return nil
	case "session.id":
		c.special, c.fill = madeSessionID, func(c *sessionColumn) error { c.values = c.values[:0]; return nil }
		return nil
	case "session.number":
		user, number := uint32(0), int64(0)
		return ints(event.KindInt, func(x *chunkSession) int64 {
			if x.user != user {
				user, number = x.user, 0
			}
			number++
			return number
		})
	case "session.events":
		return ints(event.KindInt, func(x *chunkSession) int64 { return int64(x.events) })
	case "session.duration":
		return ints(event.KindDuration, func(x *chunkSession) int64 { return x.end - x.start })
	case "session.entry.time":
		return ints(event.KindTime, func(x *chunkSession) int64 { return x.start })
	case "session.exit.time":
		return ints(event.KindTime, func(x *chunkSession) int64 { return x.end })
	case "session.entry":
		return s.defineEnd(c, false, eventName)
	case "session.exit":
		return s.defineEnd(c, true, eventName)
	case "dwell":
		c.byEvent, c.kind = true, event.KindDuration
		c.fill = func(c *sessionColumn) error {
			c.ints = s.feeder.dwell
			c.ok = sized(c.ok, len(c.ints))
			for i, d := range c.ints {
				c.ok[i] = d != noDwell
			}
			return nil
		}
		return nil
	}
	if exit, field, ok := syntax.SessionColumn(name); ok {
		return s.defineEnd(c, exit, endField(field))
	}
	for _, n := range p.Groups {
		if n.Name == name {
			return s.defineGroup(c, n.Expr)
		}
	}
	for _, a := range p.Leaves {
		if plan.AggColumn(a) == name && p.AtEnd(a) {
			return s.defineOrder(c, a)
		}
	}
	c.fill = func(*sessionColumn) error { return nil } // of an aggregate: filled by the one who makes it
	return nil
}

// defineGroup makes a column the value that an expression over other columns has as a key of a group.
func (s *sessionColumns) defineGroup(c *sessionColumn, e syntax.Expr) (err error) {
	in, err := s.x.newInput(e)
	if err != nil {
		return err
	}
	c.key = s.x.newKeyColumn(in)
	c.ids = c.key.ids
	c.fill = func(c *sessionColumn) error {
		if err := c.key.open(nil); err != nil {
			return err
		}
		gids, err := c.key.gids(&batch{n: len(s.feeder.list), made: s})
		c.gids = append(c.gids[:0], gids...)
		return err
	}
	return nil
}

// endField is the expression of a field of a session's first or last event, as named behind session.entry.
// or session.exit.
func endField(field string) syntax.Expr {
	if plan.IsEventColumn(field) {
		return &syntax.Column{Name: field}
	}
	if name, ok := strings.CutPrefix(field, "fields."); ok && plan.IsEventColumn(name) {
		field = name
	}
	return &syntax.Column{Scope: syntax.ScopeFields, Name: field}
}

// tidy reports whether a column tells simultaneous events at the end of a session apart.
func tidy(name string) bool {
	_, field, ok := syntax.SessionColumn(name)
	return ok && field != syntax.ColumnTime && field != syntax.ColumnUser || name == "session.entry" || name == "session.exit"
}

// newKey makes what numbers the values of an expression of events, as they are; 0 is absent.
func (s *sessionColumns) newKey(e syntax.Expr) (*keyColumn, error) {
	in, err := s.x.newInput(e)
	if err != nil {
		return nil, err
	}
	k := s.x.newKeyColumn(in)
	k.ids.exact, k.ids.apart = true, true
	k.ids.intern(event.Value{})
	return k, nil
}

// defineEnd makes a column the value of an expression in the first or the last events.
func (s *sessionColumns) defineEnd(c *sessionColumn, exit bool, e syntax.Expr) (err error) {
	if c.key, err = s.newKey(e); err != nil {
		return err
	}
	c.ids = c.key.ids
	c.fill = func(c *sessionColumn) error {
		c.gids = sized(c.gids, len(s.feeder.list))
		return s.readEnds(c.key, exit, c.gids)
	}
	return nil
}

// readEnds reads a key in the first or the last events.
func (s *sessionColumns) readEnds(k *keyColumn, exit bool, gids []uint32) error {
	o := &s.ends[0]
	if exit {
		o = &s.ends[1]
	}
	if !o.done {
		o.sort(s.feeder.list, len(s.chunk.times), exit)
	}
	return s.read(k, o.order, o.places, gids)
}

// read reads a key at places, which ascend, into gids at the index beside each.
func (s *sessionColumns) read(k *keyColumn, indices, places []uint32, gids []uint32) error {
	for view := range s.chunk.parts {
		_, end := s.chunk.part(view)
		n := 0
		for n < len(places) && places[n] < end {
			n++
		}
		if n == 0 {
			continue
		}
		if err := s.readView(k, view, indices[:n], places[:n], gids); err != nil {
			return err
		}
		indices, places = indices[n:], places[n:]
	}
	return nil
}

// readView is read of places in one segment.
func (s *sessionColumns) readView(k *keyColumn, view int, indices, places []uint32, gids []uint32) error {
	v := s.feeder.w.stream.views[view].view
	if err := k.open(v); err != nil {
		return err
	}
	size := uint32(v.reader.BlockRows())
	b := batch{view: v}
	for len(places) > 0 {
		sel := s.feeder.w.chosen[:0]
		block := s.chunk.rowAt(view, places[0]) / size
		n := 0
		for ; n < len(places); n++ {
			row := s.chunk.rowAt(view, places[n]) - block*size
			if row >= size {
				break
			}
			sel = append(sel, uint16(row))
		}
		b.block, b.sel, b.n = int(block), sel, n
		got, err := k.gids(&b)
		if err != nil {
			return err
		}
		for i, gid := range got {
			gids[indices[i]] = gid
		}
		indices, places = indices[n:], places[n:]
	}
	return nil
}

// named implements madeSource.
func (s *sessionColumns) named(c *madeColumn) error {
	if len(c.values) > 0 {
		return nil
	}
	users := s.users()
	if err := s.x.names.fetch(s.x, users); err != nil {
		return err
	}
	for i, u := range users {
		v := s.x.names.value(u)
		if c.special == madeSessionID {
			v = event.String(sessionID(v, s.feeder.list[i].start))
		}
		c.values = append(c.values, v)
	}
	return nil
}

// sessionName implements madeSource.
func (s *sessionColumns) sessionName(session int) event.Value {
	x := &s.feeder.list[session]
	return s.names.name(x.user, x.start)
}

// sessionNames stand for the ids of sessions that have been used as keys, for as long as nobody wants to
// see them. One worker adds to one of them.
type sessionNames struct {
	worker int
	users  []uint32
	starts []int64
}

const sessionNameBits = 40

func (m *madeNames) newSessionNames() *sessionNames {
	n := &sessionNames{worker: len(m.sessions)}
	m.sessions = append(m.sessions, n)
	return n
}

// name returns what stands for a session.
func (n *sessionNames) name(user uint32, start int64) event.Value {
	n.users, n.starts = append(n.users, user), append(n.starts, start)
	return event.FromBits(kindUnnamedSession, uint64(n.worker)<<sessionNameBits|uint64(len(n.users)-1), "")
}

// nameSessions turns what stands for sessions among values into their ids.
func (x *Execution) nameSessions(values []event.Value) error {
	for i, v := range values {
		if v.Kind() != kindUnnamedSession {
			continue
		}
		n := x.made.sessions[v.Bits()>>sessionNameBits]
		at := v.Bits() & (1<<sessionNameBits - 1)
		if err := x.names.fetch(x, []uint32{n.users[at]}); err != nil {
			return err
		}
		values[i] = event.String(sessionID(x.names.value(n.users[at]), n.starts[at]))
	}
	return nil
}

// orderColumn is first or last of an expression of a session's events: nearly always that of its first or
// last event. For the other sessions all events are looked at.
type orderColumn struct {
	last   bool
	events []orderEvent
	order  []uint32
	places []uint32
	gids   []uint32
}

// orderEvent is an event of a session for which all are looked at.
type orderEvent struct{ place, session uint32 }

// defineOrder makes a column the first or last value of an expression among the events of a session.
func (s *sessionColumns) defineOrder(c *sessionColumn, a *syntax.Agg) (err error) {
	if c.key, err = s.newKey(a.X); err != nil {
		return err
	}
	c.ids = c.key.ids
	c.aggs = &orderColumn{last: a.Func == syntax.AggLast}
	c.fill = s.fillOrder
	return nil
}

func (s *sessionColumns) fillOrder(c *sessionColumn) error {
	o, list := c.aggs, s.feeder.list
	c.gids = sized(c.gids, len(list))
	if err := s.readEnds(c.key, o.last, c.gids); err != nil {
		return err
	}
	tied := uint32(tiedStart)
	if o.last {
		tied = tiedEnd
	}
	o.events = o.events[:0]
	for i := range list {
		if x := &list[i]; x.tied&tied != 0 || x.events > 1 && !c.ids.values[c.gids[i]].Exists() {
			for _, sp := range s.feeder.spansOf(x) {
				for place := sp.from; place < sp.to; place++ {
					o.events = append(o.events, orderEvent{place, uint32(i)})
				}
			}
		}
	}
	if len(o.events) == 0 {
		return nil
	}
	if err := s.readEvents(c.key, o); err != nil {
		return err
	}
	best := map[uint32]timed{}
	for i, e := range o.events {
		v := timed{s.chunk.times[e.place], c.ids.values[o.gids[i]]}
		if !v.value.Exists() {
			continue
		}
		have, ok := best[e.session]
		order := compareInts(v.at, have.at)
		if order == 0 {
			order = event.Compare(v.value, have.value)
		}
		if !ok || order != 0 && order > 0 == o.last {
			best[e.session] = v
			c.gids[e.session] = o.gids[i]
		}
	}
	return nil
}

// readEvents reads a key in the events that are looked at.
func (s *sessionColumns) readEvents(k *keyColumn, o *orderColumn) error {
	slices.SortFunc(o.events, func(a, b orderEvent) int { return cmp.Compare(a.place, b.place) })
	n := len(o.events)
	o.order, o.places, o.gids = sized(o.order, n), sized(o.places, n), sized(o.gids, n)
	for i, e := range o.events {
		o.order[i], o.places[i] = uint32(i), e.place
	}
	return s.read(k, o.order, o.places, o.gids)
}
