package exec

import (
	"context"
	"math"
	"sync"

	"cairn/engine/event"
	"cairn/engine/segment"
)

// streamWorker reads ranges of users, chunk by chunk: for each chunk the rows of every segment are
// gathered into columns, and then handed out by user. It is used by one goroutine.
type streamWorker struct {
	*stream
	consumer streamConsumer
	quick    pieceConsumer // the consumer, if it is one
	ahead    earlyConsumer // the same
	done     []bool        // by user of the chunk: whether later events are not needed; nil: all are
	first    uint32        // user of the chunk
	chunked  chunkConsumer // likewise
	cursors  []*streamCursor
	ids      []*interner   // by column: the values behind the numbers; 0 is no value
	actors   []event.Value // where users are not dense: who they are by number
	scratch  *scratch
	account  account
	// interrupt returns why the query is to end, nil as long as it is not.
	interrupt func() error
	held      int    // bytes accounted for
	end       uint32 // the user behind the last range

	zeros   int // so many elements of the chunk's class, which begins at zerosOf, are 0 for good
	zerosOf *uint32

	*streamBuffers
	rows  userRows
	order []int32
}

// streamBuffers are what a worker needs to read; they are kept for the next query.
type streamBuffers struct {
	chunk  chunk
	pieces []piece
	sorted []piece
	ends   []uint32 // by user of the chunk: where his pieces end

	finished []bool // serves done

	chosen, buffer []uint16 // with room for a block
	codes          []uint32
}

var streamPool = sync.Pool{New: func() any {
	return &streamBuffers{chosen: make([]uint16, segment.BlockRows+1), buffer: make([]uint16, 0, segment.BlockRows+1)}
}}

// streamKept is the size of a chunk, in rows, up to which its buffers are kept.
const streamKept = 8 * chunkRows

// chunk holds the gathered rows of some users in columns, segment by segment.
type chunk struct {
	times []int64
	class []uint32
	rows  []uint32 // in their segment
	keys  [][]uint32
	parts []chunkPart // by segment
}

// chunkPart is the part of a chunk that one segment gave: it ends where the next begins.
type chunkPart struct {
	from uint32
	row  uint32 // as that of a piece
}

// piece is the part of a chunk that holds the events of one user in one segment.
type piece struct {
	user     uint32
	view     uint32
	from, to uint32
	row      uint32 // the first, if the rows follow upon each other and are not listed in the chunk; else noRow
}

const noRow = math.MaxUint32

// chunkRows is about how many rows a chunk has: few enough for the columns to stay in the processor's
// cache.
const chunkRows = 1 << 15

func (s *stream) newWorker(ctx context.Context) (*streamWorker, error) {
	w := &streamWorker{
		stream: s, scratch: scratchPool.Get().(*scratch), account: account{budget: s.x.Budget, purpose: "events by user"},
		streamBuffers: streamPool.Get().(*streamBuffers),
	}
	w.interrupt = func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.x.Budget.Err()
	}
	for i := range s.columns {
		ids := newInterner(s.x.Budget, "values")
		ids.exact = s.isExact(i)
		if ids.apart = s.apart; s.apart {
			ids.intern(event.Value{})
		} else {
			ids.intern(event.Null)
		}
		w.ids = append(w.ids, ids)
	}
	for len(w.chunk.keys) < len(s.columns) {
		w.chunk.keys = append(w.chunk.keys, nil)
	}
	w.chunk.keys = w.chunk.keys[:len(s.columns)]
	w.rows.keys = make([][]uint32, len(s.columns))
	w.cursors = make([]*streamCursor, len(s.views))
	return w, nil
}

// values returns the values behind the numbers of a column.
func (w *streamWorker) values(column int) []event.Value { return w.ids[column].values }

func (w *streamWorker) close() {
	for _, c := range w.cursors {
		if c != nil {
			c.close()
		}
	}
	scratchPool.Put(w.scratch)
	w.scratch = nil
	if cap(w.chunk.times) <= streamKept {
		streamPool.Put(w.streamBuffers)
	}
	w.streamBuffers = nil
}

// rewind goes back to the first user.
func (w *streamWorker) rewind() {
	for i, c := range w.cursors {
		if c != nil {
			c.close()
			w.cursors[i] = nil
		}
	}
}

// cursor returns the worker's place in a segment.
func (w *streamWorker) cursor(i int) (*streamCursor, error) {
	if w.cursors[i] == nil {
		c, err := newStreamCursor(w, w.stream.views[i])
		if err != nil {
			return nil, err
		}
		w.cursors[i] = c
	}
	return w.cursors[i], nil
}

// users hands out the users of a range.
func (w *streamWorker) users(ctx context.Context, from, to uint32) error {
	if from < w.end {
		w.rewind()
	}
	w.end = to
	for i := range w.stream.views {
		c, err := w.cursor(i)
		if err != nil {
			return err
		}
		c.seek(from)
	}
	width := max(1, (to-from)/64)
	for from < to {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.x.Budget.Err(); err != nil {
			return err
		}
		end := from + min(width, to-from)
		rows := w.rowsUpTo(end)
		for rows > 2*chunkRows && end-from > 1 {
			end = from + (end-from)/2
			rows = w.rowsUpTo(end)
		}
		width = end - from
		if err := w.readChunk(ctx, from, end); err != nil {
			return err
		}
		from = end
		if rows < chunkRows/2 && width < 1<<20 {
			width *= 2
		}
	}
	return nil
}

// rowsUpTo counts the rows of the users from where the cursors are up to one, exclusive.
func (w *streamWorker) rowsUpTo(user uint32) int {
	n := 0
	for _, c := range w.cursors {
		n += int(c.source.starts[c.search(user)] - c.source.starts[c.next])
	}
	return n
}

// readChunk gathers the rows of the users [from, to) and hands them out.
func (w *streamWorker) readChunk(ctx context.Context, from, to uint32) error {
	c := &w.chunk
	c.times, c.class, c.rows = c.times[:0], c.class[:0], c.rows[:0]
	for i := range c.keys {
		c.keys[i] = c.keys[i][:0]
	}
	w.pieces, c.parts = w.pieces[:0], c.parts[:0]
	w.first, w.done = from, nil
	if w.ahead != nil && w.ahead.early(from, to) {
		w.done = resizedBools(w.finished, int(to-from))
		w.finished = w.done
	}
	for i, cursor := range w.cursors {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		before := len(w.pieces)
		c.parts = append(c.parts, chunkPart{uint32(len(c.times)), noRow})
		if err := cursor.gather(i, to); err != nil {
			return err
		}
		if w.done != nil {
			w.ahead.advance(c, w.pieces[before:], w.done)
		}
	}
	size := 8*cap(c.times) + 4*cap(c.class) + 4*cap(c.rows) + 16*cap(w.pieces)
	for _, k := range c.keys {
		size += 4 * cap(k)
	}
	w.account.add(size - w.held)
	w.held = size
	return w.handOut(ctx, from, to)
}

// handOut sorts the pieces by user, keeping segments in order, and calls the consumer for each user.
func (w *streamWorker) handOut(ctx context.Context, from, to uint32) error {
	c, n := &w.chunk, int(to-from)
	if cap(w.ends) < n+1 {
		w.ends = make([]uint32, n+1)
	}
	ends := w.ends[:n+1]
	clear(ends)
	for i := range w.pieces {
		ends[w.pieces[i].user-from+1]++
	}
	for i := 1; i <= n; i++ {
		ends[i] += ends[i-1]
	}
	sorted := growing(w.sorted[:0], len(w.pieces))[:len(w.pieces)]
	w.sorted = sorted
	for _, p := range w.pieces {
		at := &ends[p.user-from]
		sorted[*at] = p
		*at++
	}
	start := uint32(0)
	for i := range n {
		if ends[i] == start {
			continue
		}
		if i%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.handUser(sorted[start:ends[i]]); err != nil {
			return err
		}
		start = ends[i]
	}
	if w.chunked != nil {
		return w.chunked.endChunk(c)
	}
	return nil
}

// handUser calls the consumer for the user of some pieces.
func (w *streamWorker) handUser(pieces []piece) error {
	r, c := &w.rows, &w.chunk
	if w.quick != nil {
		if done, err := w.quick.pieces(c, pieces); done || err != nil {
			return err
		}
	}
	r.user = pieces[0].user
	if len(pieces) == 1 {
		p := pieces[0]
		r.times, r.class = c.times[p.from:p.to:p.to], c.class[p.from:p.to:p.to]
		for k := range c.keys {
			r.keys[k] = c.keys[k][p.from:p.to:p.to]
		}
	} else {
		// The space behind the gathered rows serves to join the pieces.
		n := len(c.times)
		for _, p := range pieces {
			c.times = append(c.times, c.times[p.from:p.to]...)
			c.class = append(c.class, c.class[p.from:p.to]...)
		}
		r.times, r.class = c.times[n:len(c.times):len(c.times)], c.class[n:len(c.class):len(c.class)]
		c.times, c.class = c.times[:n], c.class[:n]
		for k := range c.keys {
			for _, p := range pieces {
				c.keys[k] = append(c.keys[k], c.keys[k][p.from:p.to]...)
			}
			r.keys[k] = c.keys[k][n:len(c.keys[k]):len(c.keys[k])]
			c.keys[k] = c.keys[k][:n]
		}
	}
	r.refs = r.refs[:0]
	if w.stream.refs {
		for _, p := range pieces {
			for i := p.from; i < p.to; i++ {
				r.refs = append(r.refs, newRef(int(p.view), int(c.row(p, i))))
			}
		}
	}
	if err := w.arrange(r, pieces); err != nil {
		return err
	}
	return w.consumer.user(r)
}
