package engine

import (
	"math"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/column"
	"cairn/engine/segment"
)

const (
	// hotChunkRows is the size from which a hot reader is kept for good; a query sorts at most that
	// many rows again because new ones have come.
	hotChunkRows = segment.BlockRows
	// tinyFan blocks of about one size are joined in memory, so that single events cost no more than
	// batches.
	tinyFan = 16
	// tinyRows is the size from which blocks are not joined.
	tinyRows = 4096
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
type hotChunks struct {
	mu   sync.Mutex
	kept map[hotPlace]hotChunk
	// moved are the fingerprints of what links made of the users, by the first block of a chunk.
	moved map[int]hotMoved
}

type hotMoved struct {
	links       *linkView
	end         int
	fingerprint uint64
}

// hotPlace is where a chunk begins. Its users are as they were sent, or canonical where that differs.
type hotPlace struct {
	start  int
	linked bool
}

type hotChunk struct {
	reader *segment.Reader
	end    int // number of blocks up to and with this chunk
	// fingerprint tells what links have made of the users.
	fingerprint uint64
}

// readers returns readers over the blocks, building what is new since they were last asked for. Users are under
// canonical numbers if there are links.
func (c *hotChunks) readers(blocks []hotBlock, links *linkView) []*segment.Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*segment.Reader
	for start := 0; start < len(blocks); {
		end, rows := start, 0
		for end < len(blocks) && rows < hotChunkRows {
			rows += blocks[end].rows
			end++
		}
		out = append(out, c.reader(blocks[start:end], start, links))
		start = end
	}
	return out
}

// reader returns the reader over the blocks of a chunk. The last chunk is kept until there is a longer one.
func (c *hotChunks) reader(blocks []hotBlock, start int, links *linkView) *segment.Reader {
	fingerprint, end := c.fingerprint(blocks, start, links), start+len(blocks)
	place := hotPlace{start, fingerprint != 0}
	known := c.kept[place]
	if known.end == end && known.fingerprint == fingerprint {
		return known.reader
	}
	inputs := make([]segment.Input, len(blocks))
	for i := range blocks {
		inputs[i] = blocks[i].input
		if fingerprint != 0 {
			inputs[i].Users = links.linkedUsers(inputs[i].Users)
		}
	}
	chunk := hotChunk{segment.NewHot(inputs), end, fingerprint}
	if end >= known.end {
		if c.kept == nil {
			c.kept = make(map[hotPlace]hotChunk)
		}
		c.kept[place] = chunk
	}
	return chunk.reader
}

// fingerprint returns what links make of the users of a chunk.
func (c *hotChunks) fingerprint(blocks []hotBlock, start int, links *linkView) uint64 {
	if links == nil {
		return 0
	}
	end := start + len(blocks)
	if known := c.moved[start]; known.links == links && known.end == end {
		return known.fingerprint
	}
	moved := roaring.New()
	for i := range blocks {
		for _, user := range blocks[i].input.Users {
			if links.of(user) != user {
				moved.Add(user)
			}
		}
	}
	if c.moved == nil {
		c.moved = make(map[int]hotMoved)
	}
	c.moved[start] = hotMoved{links, end, links.fingerprint(moved)}
	return c.moved[start].fingerprint
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
	next := &hotChunks{kept: make(map[hotPlace]hotChunk)}
	for place, chunk := range c.kept {
		if chunk.end <= blocks {
			next.kept[place] = chunk
		}
	}
	return next
}

// joinBlocks copies the rows of blocks into one.
func joinBlocks(blocks []hotBlock) hotBlock {
	var b column.Builder
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
	joined := newHotBlock(segment.Input{Batch: b.Finish(), Users: users, Received: last.input.Received}, last.sequence)
	joined.first = blocks[0].first
	return joined
}
