package engine

import (
	"math"
	"slices"
	"sync"

	"cairn/engine/column"
	"cairn/engine/segment"
)

const (
	// hotChunkRows is the size from which a hot reader grows no more.
	hotChunkRows = segment.BlockRows
	// tinyFan blocks of about one size are joined in memory, so that single events cost no more than
	// batches.
	tinyFan = 16
	// tinyRows is the size from which blocks are not joined.
	tinyRows = 512
	// tinyBytes is the size together from which they are not.
	tinyBytes = 64 << 20
)

// hotBlock is one committed frame in memory, or several joined.
type hotBlock struct {
	input    segment.Input
	sequence uint64 // of the frame, the newest if joined
	first    uint64 // the oldest if joined
	rows     int
	bytes    int64
	from, to int64 // event times, inclusive
}

func newHotBlock(input segment.Input, sequence uint64) hotBlock {
	b := hotBlock{input: input, sequence: sequence, first: sequence, rows: input.Batch.Rows, from: math.MaxInt64, to: math.MinInt64}
	if input.Rows != nil {
		b.rows = len(input.Rows)
		for _, row := range input.Rows {
			at := input.Batch.Time[row]
			b.from, b.to = min(b.from, at), max(b.to, at)
		}
	} else {
		for _, at := range input.Batch.Time {
			b.from, b.to = min(b.from, at), max(b.to, at)
		}
	}
	b.bytes = int64(input.Batch.SizeBytes() + 4*cap(input.Users) + 4*cap(input.Rows) + 128)
	return b
}

// hotChunks are the readers over a span's hot blocks. Views share them until a seal changes the
// front of the list.
//
//	blocks  1000 1000 1000 1000 1000 1000 1000 1000 1000 300 17 17 4
//	        └────────────── stable ─────────────┘└────┘  └── tail ──┘
//
// A query that finds new blocks puts them in order as a chunk of their own, together with the chunks
// before it that are not much larger: a row is sorted again a few times until it is in a full chunk, not
// by every query. Blocks that may still be joined are the tail.
type hotChunks struct {
	mu     sync.Mutex
	stable []hotChunk // one behind the other, from the first block on
	tail   hotChunk   // the last one asked for
}

// hotChunk is a reader over the blocks [start, end).
type hotChunk struct {
	reader     *segment.Reader
	start, end int
	rows       int
}

// chunkGrowth is how many times larger than what follows a chunk is to be left alone.
const chunkGrowth = 3

// readers returns readers over the blocks, building what is new since they were last asked for.
func (c *hotChunks) readers(blocks []hotBlock) []*segment.Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := 0
	for known < len(c.stable) && c.stable[known].end <= len(blocks) {
		known++
	}
	chunks := c.stable[:known:known]
	stable := len(blocks)
	for stable > 0 && blocks[stable-1].rows < tinyRows {
		stable--
	}
	// A view older than the chunks gets its own, where they go further than it does.
	newest := known == len(c.stable)
	for start := endOf(chunks); start < stable; start = endOf(chunks) {
		next := hotChunk{start: start, end: start}
		for next.end < stable && next.rows < hotChunkRows {
			next.rows += blocks[next.end].rows
			next.end++
		}
		chunks = addChunk(chunks, next, blocks)
	}
	if newest {
		c.stable = chunks
	}
	out := make([]*segment.Reader, 0, len(chunks)+1)
	for i := range chunks {
		out = append(out, chunks[i].reader)
	}
	if start := endOf(chunks); start < len(blocks) {
		tail := hotChunk{start: start, end: len(blocks)}
		if t := &c.tail; t.reader != nil && t.start == tail.start && t.end == tail.end {
			tail.reader = t.reader
		} else {
			tail.build(blocks)
		}
		if newest && tail.end >= c.tail.end {
			c.tail = tail
		}
		out = append(out, tail.reader)
	}
	return out
}

func endOf(chunks []hotChunk) int {
	if len(chunks) == 0 {
		return 0
	}
	return chunks[len(chunks)-1].end
}

// addChunk builds a chunk behind the others, with those before it that are not chunkGrowth times larger.
func addChunk(chunks []hotChunk, next hotChunk, blocks []hotBlock) []hotChunk {
	for n := len(chunks); n > 0; n-- {
		before := &chunks[n-1]
		if before.rows >= chunkGrowth*next.rows || before.rows+next.rows > hotChunkRows {
			break
		}
		next.start, next.rows = before.start, next.rows+before.rows
		chunks = chunks[: n-1 : n-1]
	}
	next.build(blocks)
	return append(chunks, next)
}

func (c *hotChunk) build(blocks []hotBlock) {
	inputs := make([]segment.Input, 0, c.end-c.start)
	for i := c.start; i < c.end; i++ {
		inputs = append(inputs, blocks[i].input)
	}
	c.reader = segment.NewHot(inputs)
}

// addHot appends a block; the caller edits the newest view.
func (s *span) addHot(b hotBlock) {
	if s.chunks == nil {
		s.chunks = &hotChunks{}
	}
	if len(s.hot) == 0 {
		s.hotFrom, s.hotTo = b.from, b.to
	}
	s.hot = append(s.hot, b)
	s.hotRows += b.rows
	s.hotBytes += b.bytes
	s.hotFrom, s.hotTo = min(s.hotFrom, b.from), max(s.hotTo, b.to)
	s.joinTiny()
}

// joinTiny joins the newest blocks while there are tinyFan of about one size.
func (s *span) joinTiny() {
	for {
		n := len(s.hot)
		if n-tinyFan < s.sealing || sizeClass(s.hot[n-1].rows) < 0 {
			return
		}
		class, bytes := sizeClass(s.hot[n-1].rows), int64(0)
		for _, b := range s.hot[n-tinyFan:] {
			if sizeClass(b.rows) != class {
				return
			}
			bytes += b.bytes
		}
		if bytes > tinyBytes {
			return
		}
		joined := joinBlocks(s.hot[n-tinyFan:])
		for _, b := range s.hot[n-tinyFan:] {
			s.hotBytes -= b.bytes
		}
		s.hotBytes += joined.bytes
		s.hot = append(slices.Clone(s.hot[:n-tinyFan]), joined)
		s.chunks = s.chunks.cut(n - tinyFan)
	}
}

// sizeClass is the logarithm of a block's size to the base tinyFan, or -1 if it is not tiny.
func sizeClass(rows int) int {
	if rows >= tinyRows {
		return -1
	}
	class := 0
	for ; rows >= tinyFan; rows /= tinyFan {
		class++
	}
	return class
}

// cut returns the chunks of the first blocks only.
func (c *hotChunks) cut(blocks int) *hotChunks {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.stable) && c.stable[n].end <= blocks {
		n++
	}
	return &hotChunks{stable: c.stable[:n:n]}
}

// joinBlocks copies the rows of blocks into one.
func joinBlocks(blocks []hotBlock) hotBlock {
	b := builders.Get().(*column.Builder)
	defer builders.Put(b)
	var users []uint32
	for _, block := range blocks {
		in := block.input
		from := b.Len()
		numbers := b.AppendBatch(in.Batch, in.Rows)
		for i, n := range numbers {
			if n == column.NoPart {
				continue
			}
			for int(n) >= len(users) {
				users = append(users, 0)
			}
			users[n] = in.Users[i]
		}
		if in.Batch.Received == nil {
			b.FillReceived(from, in.Received)
		}
	}
	last := blocks[len(blocks)-1]
	joined := newHotBlock(segment.Input{Batch: compacted(b), Users: users, Received: last.input.Received}, last.sequence)
	joined.first = blocks[0].first
	return joined
}
