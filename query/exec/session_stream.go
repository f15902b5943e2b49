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
	cut := sessionCut{f: f, c: c, gap: f.r.stage.Gap, longest: f.r.stage.Max, sessions: len(f.list), spans: len(f.spans)}
	if cut.longest == 0 {
		cut.longest = math.MaxInt64
	}
	for _, p := range pieces {
		if !cut.piece(p) {
			f.list, f.spans = f.list[:cut.sessions], f.spans[:cut.spans]
			return false, nil
		}
	}
	return cut.close(), nil
}

// sessionCut cuts the pieces of one user.
type sessionCut struct {
	f               *sessionFeeder
	c               *chunk
	gap, longest    int64
	sessions, spans int // of the feeder before the user
	open            bool
	s               chunkSession // the one at hand, if open
}

// piece takes a piece; false: the user has simultaneous events that matter, or his segments overlap.
func (t *sessionCut) piece(p piece) bool {
	times := t.c.times[p.from:p.to]
	if t.open {
		if times[0] <= t.s.end {
			return false
		}
		if times[0]-t.s.end > t.gap || times[0]-t.s.start > t.longest {
			if !t.close() {
				return false
			}
		}
	}
	for from := 0; from < len(times); {
		if !t.open {
			t.begin(p, times, from)
		}
		to := from + 1
		for to < len(times) && times[to]-times[to-1] <= t.gap {
			to++
		}
		if times[to-1]-t.s.start > t.longest {
			for to = from; times[to]-t.s.start <= t.longest; to++ {
			}
		}
		if t.f.strict {
			for i := from + 1; i < to; i++ {
				if times[i] == times[i-1] {
					return false
				}
			}
		}
		t.f.spans = append(t.f.spans, span{p.from + uint32(from), p.from + uint32(to)})
		t.s.events += int32(to - from)
		t.s.end, t.s.exit, t.s.exitView = times[to-1], p.from+uint32(to)-1, p.view
		t.s.tied &^= tiedEnd
		if to-from > 1 && times[to-1] == times[to-2] {
			t.s.tied |= tiedEnd
		}
		if to < len(times) && !t.close() {
			return false
		}
		from = to
	}
	return true
}

// begin begins a session with an event of a piece.
func (t *sessionCut) begin(p piece, times []int64, i int) {
	place := p.from + uint32(i)
	t.open = true
	t.s = chunkSession{
		user: p.user, start: times[i], entry: place, entryView: p.view, spans: uint32(len(t.f.spans)),
	}
	if i+1 < len(times) && times[i+1] == times[i] {
		t.s.tied = tiedStart
	}
}

// close ends the session at hand; false: it has simultaneous events that matter.
func (t *sessionCut) close() bool {
	t.open = false
	f := t.f
	if !inRange(f.r.rng, t.s.start) {
		f.spans = f.spans[:t.s.spans]
		return true
	}
	if f.tidy && t.s.tied != 0 {
		f.list, f.spans = f.list[:t.sessions], f.spans[:t.spans]
		return false
	}
	if f.strict {
		f.pause(t.c, f.spans[t.s.spans:])
	}
	t.s.number = int32(len(f.list)-t.sessions) + 1
	f.list = append(f.list, t.s)
	return true
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
