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

	list  []chunkSession // of the chunk at hand, those of a user together
	spans []span         // of sessions that have several
	dwell []int64        // by place, if strict
	later []uint32
	one   [1]span
}

// sessionSink takes the sessions of chunks.
type sessionSink interface {
	// take takes the sessions of a chunk, which feeder has.
	take(c *chunk) error
}

// chunkSession is a session of the chunk at hand. Places are those of events in the chunk.
type chunkSession struct {
	user        uint32
	events      int32
	start, end  int64
	entry, exit uint32 // places of the first and the last event
	// spans is 0 if the events are at all places from entry to exit. Else spans-1 is where in spans of the
	// feeder those of the session are: behind one whose from is how many they are.
	spans uint32
	tied  uint32 // see tiedStart
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

// spansOf returns where the events of a session are. The slice is valid until the next call.
func (f *sessionFeeder) spansOf(s *chunkSession) []span {
	if s.spans == 0 {
		f.one[0] = span{s.entry, s.exit + 1}
		return f.one[:]
	}
	n := f.spans[s.spans-1].from
	return f.spans[s.spans : s.spans+n]
}

// addSpan adds a span to the last session.
func (f *sessionFeeder) addSpan(s *chunkSession, next span) {
	if s.spans == 0 {
		f.spans = append(f.spans, span{from: 0})
		s.spans = uint32(len(f.spans))
		if s.events > 0 {
			f.addSpan(s, span{s.entry, s.exit + 1})
		}
	}
	f.spans = append(f.spans, next)
	f.spans[s.spans-1].from++
}

// pieces implements pieceConsumer: it takes the users whose events are surely all there, and in order.
func (f *sessionFeeder) pieces(c *chunk, pieces []piece) (bool, error) {
	last := pieces[len(pieces)-1]
	wide := &f.r.wide
	if f.w.stream.only != nil || wide.beginsOpen(c.times[pieces[0].from]) || wide.endsOpen(c.times[last.to-1]) {
		return false, nil
	}
	sessions, spans := len(f.list), len(f.spans)
	cut := sessionCut{f: f, c: c, gap: f.r.stage.Gap, longest: f.r.stage.Max}
	if cut.longest == 0 {
		cut.longest = math.MaxInt64
	}
	for _, p := range pieces {
		if cut.piece(p); cut.refused {
			break
		}
	}
	cut.close()
	if cut.refused {
		f.list, f.spans = f.list[:sessions], f.spans[:spans]
	}
	return !cut.refused, nil
}

// sessionCut cuts the pieces of one user. The last session of the feeder may go on with the next piece, if
// it is open.
type sessionCut struct {
	f            *sessionFeeder
	c            *chunk
	gap, longest int64
	open         bool
	refused      bool // simultaneous events matter, or segments overlap
}

// piece takes a piece.
func (t *sessionCut) piece(p piece) {
	times := t.c.times[p.from:p.to]
	from := 0
	if t.open {
		if from = t.goOn(p, times); from == len(times) || t.refused {
			return
		}
		t.close()
	}
	f := t.f
	for from < len(times) {
		start := times[from]
		to := t.end(times, from, start)
		s := chunkSession{
			user: p.user, events: int32(to - from), start: start, end: times[to-1],
			entry: p.from + uint32(from), exit: p.from + uint32(to) - 1,
		}
		if to-from > 1 {
			s.tied = tiesOf(times[from:to])
		}
		f.list = append(f.list, s)
		t.open = true
		if to < len(times) {
			t.close()
		}
		from = to
	}
}

// goOn adds the first events of a piece to the open session, and returns how many these are.
func (t *sessionCut) goOn(p piece, times []int64) int {
	s := &t.f.list[len(t.f.list)-1]
	pause := times[0] - s.end
	if pause <= 0 {
		t.refused = true
		return 0
	}
	if pause > t.gap || times[0]-s.start > t.longest {
		return 0
	}
	to := t.end(times, 0, s.start)
	t.f.addSpan(s, span{p.from, p.from + uint32(to)})
	s.tied &^= tiedEnd
	if to > 1 {
		s.tied |= tiesOf(times[:to]) & tiedEnd
	}
	s.events += int32(to)
	s.end, s.exit = times[to-1], p.from+uint32(to)-1
	return to
}

// end returns where the events of a session end that goes on with the event at from.
func (t *sessionCut) end(times []int64, from int, start int64) int {
	gap := t.gap
	to := from + 1
	for before := times[from]; to < len(times); to++ {
		at := times[to]
		if at-before > gap {
			break
		}
		before = at
	}
	if times[to-1]-start > t.longest {
		for to = from; times[to]-start <= t.longest; to++ {
		}
	}
	return to
}

// tiesOf returns what is tied of a session with these events, of which there are several.
func tiesOf(times []int64) (tied uint32) {
	n := len(times)
	if times[0] == times[1] {
		tied = tiedStart
	}
	if times[n-1] == times[n-2] {
		tied |= tiedEnd
	}
	return tied
}

// close ends the session at hand.
func (t *sessionCut) close() {
	if !t.open || t.refused {
		return
	}
	t.open = false
	f := t.f
	last := len(f.list) - 1
	s := &f.list[last]
	switch {
	case !inRange(f.r.rng, s.start):
		f.list = f.list[:last]
	case f.tidy && s.tied != 0:
		t.refused = true
	case f.strict:
		t.refused = !f.pause(t.c, f.spansOf(s))
	}
}

// noDwell stands for the dwell of the last event of a session.
const noDwell = -1

// pause works out the time to the next event of a session; false: some are simultaneous.
func (f *sessionFeeder) pause(c *chunk, spans []span) bool {
	f.dwell = sized(f.dwell, len(c.times))
	for i, s := range spans {
		times, dwell := c.times[s.from:s.to], f.dwell[s.from:s.to]
		for i := 1; i < len(times); i++ {
			if dwell[i-1] = times[i] - times[i-1]; dwell[i-1] == 0 {
				return false
			}
		}
		dwell[len(dwell)-1] = noDwell
		if i+1 < len(spans) {
			dwell[len(dwell)-1] = c.times[spans[i+1].from] - times[len(times)-1]
		}
	}
	return true
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
			f.add(r, from, to)
		}
		from = to
	}
	return nil
}

// add adds the session of the events [from, to) of a user.
func (f *sessionFeeder) add(r *userRows, from, to int) {
	c, times := &f.w.chunk, r.times[from:to]
	places := make([]uint32, len(times))
	for i, ref := range r.refs[from:to] {
		places[i] = c.place(ref)
	}
	s := chunkSession{user: r.user, start: times[0], end: times[len(times)-1], entry: places[0], exit: places[len(places)-1]}
	if len(times) > 1 {
		s.tied = tiesOf(times)
	}
	if f.strict {
		f.dwell = sized(f.dwell, len(c.times))
		for i, place := range places {
			f.dwell[place] = noDwell
			if i+1 < len(places) {
				f.dwell[place] = times[i+1] - times[i]
			}
		}
	}
	slices.Sort(places)
	for i := 0; i < len(places); {
		n := i + 1
		for n < len(places) && places[n] == places[n-1]+1 {
			n++
		}
		f.addSpan(&s, span{places[i], places[n-1] + 1})
		i = n
	}
	s.events = int32(len(times))
	f.list = append(f.list, s)
}
