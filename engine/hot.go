package engine

import (
	"math"

	"cairn/engine/column"
	"cairn/engine/segment"
)

const (
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
		// Older views have the blocks; those that come next find room.
		s.hot = append(append(make([]hotBlock, 0, n+tinyFan), s.hot[:n-tinyFan]...), joined)
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
