package engine

import (
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"cairn/engine/segment"
)

const (
	// hotChunkRows is the size from which a hot reader grows no more.
	hotChunkRows = segment.BlockRows
	// freshRows is up to which size a query joins chunks where they are joined behind its back.
	freshRows = 8192
	// chunkGrowth is how many times larger than what follows a chunk is to be left alone.
	chunkGrowth = 3
)

// hotChunks are the readers over a span's hot blocks. Its views share them until a seal takes the front of the
// list away.
//
//	blocks  1000 1000 1000 1000 1000 1000 1000 1000 1000 300 17 17 4
//	        └────────────── stable ─────────────┘└────┘  └── tail ──┘
//
// A query that finds new blocks puts them in order as a chunk of their own, together with the chunks
// before it that are not much larger: a row is sorted again a few times until it is in a full chunk, not
// by every query. Blocks that may still be joined are the tail. While queries keep coming, most of this is done
// before they do: see prepare.
type hotChunks struct {
	// preparing is held during prepare; taken before mu.
	preparing sync.Mutex

	mu       sync.Mutex
	prepared bool       // somebody calls prepare: queries leave joining large chunks to him
	stable   []hotRange // one behind the other, from the first block on
	// No chunk grows across sealing, the number of blocks on their way into a segment, or over joining, the end of
	// what prepare is joining; 0: there is nothing of the kind.
	sealing, joining int
	kept             map[hotPlace]hotChunk
	// moved are the fingerprints of what links made of the users, by the first block of a chunk.
	moved map[int]hotMoved
}

// hotRange is the place of a chunk: the blocks [start, end).
type hotRange struct{ start, end, rows int }

type hotMoved struct {
	links       *linkView
	sequence    uint64
	fingerprint uint64
}

// hotPlace is where a chunk begins. Its users are as they were sent, or canonical where that differs.
type hotPlace struct {
	start  int
	linked bool
}

type hotChunk struct {
	reader *segment.Reader
	// sequence is that of the last block. With the start it tells which blocks the chunk has: the tail is joined as
	// blocks come, and always in the same way.
	sequence uint64
	// fingerprint tells what links have made of the users.
	fingerprint uint64
}

// readers returns readers over the blocks, building what is new since they were last asked for, and whether there was
// anything. Users are under canonical numbers if there are links.
func (c *hotChunks) readers(blocks []hotBlock, links *linkView) (list []*segment.Reader, built bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ranges := c.ranges(blocks)
	list = make([]*segment.Reader, len(ranges))
	for i, r := range ranges {
		var known bool
		list[i], known = c.reader(blocks[r.start:r.end], r.start, links)
		built = built || !known
	}
	return list, built
}

// ranges divides the blocks of a view into chunks, the tail being the last.
func (c *hotChunks) ranges(blocks []hotBlock) []hotRange {
	known := 0
	for known < len(c.stable) && c.stable[known].end <= len(blocks) {
		known++
	}
	ranges := c.stable[:known:known]
	// A view older than the chunks has its own, where they go further than it does.
	newest := known == len(c.stable)
	stable := len(blocks)
	for stable > 0 && blocks[stable-1].rows < tinyRows {
		stable--
	}
	most := hotChunkRows
	if c.prepared {
		most = freshRows
	}
	for start := endOf(ranges); start < stable; start = endOf(ranges) {
		next := hotRange{start: start, end: start}
		for next.end < stable && next.rows < hotChunkRows && (next.end != c.sealing || next.end == start) {
			next.rows += blocks[next.end].rows
			next.end++
		}
		n := c.joinable(ranges, next, most)
		for _, r := range slices.Backward(ranges[n:]) {
			if newest {
				c.forget(next.start)
			}
			next.start, next.rows = r.start, next.rows+r.rows
		}
		ranges = append(ranges[:n:n], next)
	}
	if newest {
		c.stable = ranges
	}
	if start := endOf(ranges); start < len(blocks) {
		ranges = append(ranges[:len(ranges):len(ranges)], hotRange{start: start, end: len(blocks)})
	}
	return ranges
}

// joinable returns from which of the ranges on they are to be one chunk with the next, of so many rows at most.
func (c *hotChunks) joinable(ranges []hotRange, next hotRange, most int) int {
	n := len(ranges)
	for ; n > 0; n-- {
		before := ranges[n-1]
		if before.rows >= chunkGrowth*next.rows || before.rows+next.rows > most || before.end == c.sealing || before.end == c.joining {
			break
		}
		next.rows += before.rows
	}
	return n
}

func endOf(ranges []hotRange) int {
	if len(ranges) == 0 {
		return 0
	}
	return ranges[len(ranges)-1].end
}

// forget drops what is kept of a chunk, as no chunk begins there any more.
func (c *hotChunks) forget(start int) {
	delete(c.kept, hotPlace{start, false})
	delete(c.kept, hotPlace{start, true})
	delete(c.moved, start)
}

// reader returns the reader over the blocks of a chunk, and whether it was there. The last chunk is kept until there
// is a longer one.
func (c *hotChunks) reader(blocks []hotBlock, start int, links *linkView) (r *segment.Reader, known bool) {
	fingerprint, sequence := c.fingerprint(blocks, start, links), lastSequence(blocks)
	place := hotPlace{start, fingerprint != 0}
	kept := c.kept[place]
	if kept.sequence == sequence && kept.fingerprint == fingerprint {
		return kept.reader, true
	}
	chunk := hotChunk{newHotReader(blocks, links, fingerprint != 0), sequence, fingerprint}
	if sequence >= kept.sequence {
		c.keep(place, chunk)
	}
	return chunk.reader, false
}

func (c *hotChunks) keep(place hotPlace, chunk hotChunk) {
	if c.kept == nil {
		c.kept = make(map[hotPlace]hotChunk)
	}
	c.kept[place] = chunk
}

func lastSequence(blocks []hotBlock) uint64 { return blocks[len(blocks)-1].sequence }

func newHotReader(blocks []hotBlock, links *linkView, linked bool) *segment.Reader {
	inputs := make([]segment.Input, len(blocks))
	for i := range blocks {
		inputs[i] = blocks[i].input
		if linked {
			inputs[i].Users = links.linkedUsers(inputs[i].Users)
		}
	}
	return segment.NewHot(inputs)
}

// fingerprint returns what links make of the users of a chunk.
func (c *hotChunks) fingerprint(blocks []hotBlock, start int, links *linkView) uint64 {
	if links == nil {
		return 0
	}
	sequence := lastSequence(blocks)
	if known := c.moved[start]; known.links == links && known.sequence == sequence {
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
	c.moved[start] = hotMoved{links, sequence, links.fingerprint(moved)}
	return c.moved[start].fingerprint
}

// prepare does ahead what the next query would do: it puts new blocks in order, and joins chunks while queries
// use what there is. Columns that queries have used of the oldest chunk are put in order too. It calls pace between
// pieces of its work.
func (c *hotChunks) prepare(blocks []hotBlock, links *linkView, pace func()) error {
	c.preparing.Lock()
	defer c.preparing.Unlock()
	c.mu.Lock()
	c.prepared = true
	c.mu.Unlock()
	readers, _ := c.readers(blocks, links)
	if err := readers[len(readers)-1].LoadAs(readers[0], pace); err != nil {
		return err
	}
	for {
		pace()
		joined, err := c.join(blocks, links, pace)
		if !joined || err != nil {
			return err
		}
	}
}

// join makes one chunk of the last ones, if they are to be, and reports whether it did.
func (c *hotChunks) join(blocks []hotBlock, links *linkView, pace func()) (bool, error) {
	c.mu.Lock()
	last := len(c.stable) - 1
	if last < 0 || endOf(c.stable) > len(blocks) {
		c.mu.Unlock()
		return false, nil
	}
	n := c.joinable(c.stable[:last], c.stable[last], hotChunkRows)
	if n == last {
		c.mu.Unlock()
		return false, nil
	}
	next := hotRange{start: c.stable[n].start, end: c.stable[last].end}
	for _, r := range c.stable[n:] {
		next.rows += r.rows
	}
	c.joining = next.end
	part := blocks[next.start:next.end]
	fingerprint := c.fingerprint(part, next.start, links)
	place := hotPlace{next.start, fingerprint != 0}
	used := c.kept[place].reader
	c.mu.Unlock()

	chunk := hotChunk{newHotReader(part, links, place.linked), lastSequence(part), fingerprint}
	var err error
	if used != nil {
		err = chunk.reader.LoadAs(used, pace)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.joining = 0
	if err != nil {
		return false, err
	}
	// Queries have left the ranges up to here alone, and may have added others.
	for _, r := range c.stable[n : last+1] {
		c.forget(r.start)
	}
	c.stable = slices.Concat(c.stable[:n], []hotRange{next}, c.stable[last+1:])
	c.keep(place, chunk)
	return true, nil
}

// seals notes that the first blocks are on their way into a segment.
func (c *hotChunks) seals(blocks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealing = blocks
}

// behind returns the chunks of what follows the first blocks.
func (c *hotChunks) behind(blocks int) *hotChunks {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &hotChunks{prepared: c.prepared}
	for _, r := range c.stable {
		if r.start < blocks {
			continue
		}
		start := r.start - blocks
		if start != endOf(out.stable) {
			break // one reached across
		}
		out.stable = append(out.stable, hotRange{start, r.end - blocks, r.rows})
		for _, linked := range []bool{false, true} {
			if chunk, ok := c.kept[hotPlace{r.start, linked}]; ok {
				out.keep(hotPlace{start, linked}, chunk)
			}
		}
	}
	return out
}
