package exec

import (
	"math"
	"slices"
)

// sessionFeeder finds the sessions of a worker's users chunk by chunk, for what is made of them while they
// stream by.
type sessionFeeder struct {
	r    *sessionRun
	w    *streamWorker
	sink sessionSink
	// strict says that the order of simultaneous events always shows; tidy that it does at the ends of
	// sessions.
	strict, tidy bool

	list  []chunkSession // of the chunk at hand
	spans []span
	dwell []int64 // by place, if strict
	later []uint32
}

// sessionSink takes the sessions of chunks.
type sessionSink interface {
	// take takes the sessions of a chunk, which feeder has.
	take(c *chunk) error
}

// chunkSession is a session of the chunk at hand. Places are those of events in the chunk.
type chunkSession struct {
	user                uint32
	number, events      int32
	start, end          int64
	entry, exit         uint32 // places of the first and the last event
	entryView, exitView uint32
	tied                uint8  // see tiedStart
	spans               uint32 // its events begin with this one of spans, and end where those of the next begin
}

// tiedStart and tiedEnd say that other events have the time of a session's first, or last, one.
const (
	tiedStart = 1 << iota
	tiedEnd
)

// span is the places [from, to) of events that follow upon each other.
type span struct{ from, to uint32 }

// left implements wideConsumer.
func (f *sessionFeeder) left() []uint32 { return f.later }

// endChunk implements chunkConsumer.
func (f *sessionFeeder) endChunk(c *chunk) error {
	err := f.sink.take(c)
	f.list, f.spans = f.list[:0], f.spans[:0]
	return err
}

// pieces implements pieceConsumer: it takes the users whose events are surely all there, and in order.
func (f *sessionFeeder) pieces(c *chunk, pieces []piece) (bool, error) {
	last := pieces[len(pieces)-1]
	wide := &f.r.wide
	if f.w.stream.only != nil || wide.beginsOpen(c.times[pieces[0].from]) || wide.endsOpen(c.times[last.to-1]) {
		return false, nil
	}
	sessions, spans := len(f.list), len(f.spans)
	cut := sessionCut{f: f, c: c, gap: f.r.stage.Gap, longest: f.r.stage.Max, first: sessions}
	if cut.longest == 0 {
		cut.longest = math.MaxInt64
	}
	for _, p := range pieces {
		if !cut.piece(p) {
			break
		}
	}
	cut.close()
	if cut.refused {
		f.list, f.spans = f.list[:sessions], f.spans[:spans]
	}
	return !cut.refused, nil
}

// sessionCut cuts the pieces of one user. The session at hand is the last of the feeder, if open.
type sessionCut struct {
	f            *sessionFeeder
	c            *chunk
	gap, longest int64
	first        int // the user's first session
	open         bool
	refused      bool // simultaneous events matter, or segments overlap
}

// piece takes a piece, unless the user is refused.
func (t *sessionCut) piece(p piece) bool {
	f, times := t.f, t.c.times[p.from:p.to]
	if t.open {
		s := &f.list[len(f.list)-1]
		pause := times[0] - s.end
		if pause <= 0 {
			t.refused = true
			return false
		}
		if pause > t.gap || times[0]-s.start > t.longest {
			t.close()
		}
	}
	gap, longest := t.gap, t.longest
	for from := 0; from < len(times); {
		if !t.open {
			t.open = true
			f.list = append(f.list, chunkSession{
				user: p.user, start: times[from], entry: p.from + uint32(from), entryView: p.view, spans: uint32(len(f.spans)),
			})
		}
		s := &f.list[len(f.list)-1]
		to := from + 1
		for before := times[from]; to < len(times); to++ {
			at := times[to]
			if at-before > gap {
				break
			}
			before = at
		}
		if times[to-1]-s.start > longest {
			for to = from; times[to]-s.start <= longest; to++ {
			}
		}
		if f.strict && hasTies(times[from:to]) {
			t.refused = true
			return false
		}
		f.spans = append(f.spans, span{p.from + uint32(from), p.from + uint32(to)})
		s.note(times[from:to], p.from+uint32(to)-1, p.view)
		if to < len(times) {
			t.close()
		}
		from = to
	}
	return !t.refused
}

// note adds events of a segment, which end at a place.
func (s *chunkSession) note(times []int64, exit, view uint32) {
	n := len(times)
	s.tied &^= tiedEnd
	if n > 1 {
		if times[n-1] == times[n-2] {
			s.tied |= tiedEnd
		}
		if times[0] == times[1] && times[0] == s.start {
			s.tied |= tiedStart
		}
	}
	s.events += int32(n)
	s.end, s.exit, s.exitView = times[n-1], exit, view
}

func hasTies(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] {
			return true
		}
	}
	return false
}

// close ends the session at hand.
func (t *sessionCut) close() {
	if !t.open {
		return
	}
	t.open = false
	f := t.f
	last := len(f.list) - 1
	s := &f.list[last]
	switch {
	case !inRange(f.r.rng, s.start):
		f.list, f.spans = f.list[:last], f.spans[:s.spans]
		return
	case f.tidy && s.tied != 0:
		t.refused = true
	case f.strict:
		f.pause(t.c, f.spans[s.spans:])
	}
	s.number = int32(last-t.first) + 1
}

// noDwell stands for the dwell of the last event of a session.
const noDwell = -1

// pause works out the time to the next event of a session in order.
func (f *sessionFeeder) pause(c *chunk, spans []span) {
	f.dwell = sized(f.dwell, len(c.times))
	for i, s := range spans {
		times, dwell := c.times[s.from:s.to], f.dwell[s.from:s.to]
		for i := 1; i < len(times); i++ {
			dwell[i-1] = times[i] - times[i-1]
		}
		dwell[len(dwell)-1] = noDwell
		if i+1 < len(spans) {
			dwell[len(dwell)-1] = c.times[spans[i+1].from] - times[len(times)-1]
		}
	}
}

// sized returns s with n elements, whatever they are.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return append(s[:cap(s)], make([]T, n-cap(s))...)
	}
	return s[:n]
}

// user implements streamConsumer.
func (f *sessionFeeder) user(r *userRows) error {
	if only := f.w.stream.only; only != nil && !only.has(r.user) {
		return nil
	}
	from, ok := f.r.first(r.times)
	if !ok {
		f.later = append(f.later, r.user)
		return nil
	}
	sessions, spans := len(f.list), len(f.spans)
	for from < r.len() {
		to := f.r.end(r.times, from)
		if inRange(f.r.rng, r.times[from]) {
			if to == r.len() && f.r.goesOn(r.times, from) {
				f.list, f.spans = f.list[:sessions], f.spans[:spans]
				f.later = append(f.later, r.user)
				return nil
			}
			f.add(r, from, to, int32(len(f.list)-sessions)+1)
		}
		from = to
	}
	return nil
}

// add adds the session of the events [from, to) of a user.
func (f *sessionFeeder) add(r *userRows, from, to int, number int32) {
	c := &f.w.chunk
	s := chunkSession{
		user: r.user, number: number, events: int32(to - from), start: r.times[from], end: r.times[to-1],
		entry: c.place(r.refs[from]), entryView: uint32(r.refs[from].view()),
		exit: c.place(r.refs[to-1]), exitView: uint32(r.refs[to-1].view()), spans: uint32(len(f.spans)),
	}
	if to-from > 1 {
		if r.times[from] == r.times[from+1] {
			s.tied |= tiedStart
		}
		if r.times[to-1] == r.times[to-2] {
			s.tied |= tiedEnd
		}
	}
	places := make([]uint32, 0, to-from)
	for _, ref := range r.refs[from:to] {
		places = append(places, c.place(ref))
	}
	if f.strict {
		f.dwell = sized(f.dwell, len(c.times))
		for i, place := range places {
			f.dwell[place] = noDwell
			if i+1 < len(places) {
				f.dwell[place] = r.times[from+i+1] - r.times[from+i]
			}
		}
	}
	slices.Sort(places)
	for i := 0; i < len(places); {
		n := i + 1
		for n < len(places) && places[n] == places[n-1]+1 {
			n++
		}
		f.spans = append(f.spans, span{places[i], places[n-1] + 1})
		i = n
	}
	f.list = append(f.list, s)
}
