package segment

import "math/bits"

// Presence tells which rows of a block have a value: a bitmap with the number of values before each
// word. It is immutable.
type Presence struct {
	Words []uint64 // row r is present if bit r%64 of word r/64 is set
	Rank  []uint16 // values before the word
	Count int      // values in all
}

// noWords serves blocks without any value.
var (
	noWords [BlockRows / 64]uint64
	noRanks [BlockRows / 64]uint16
)

// newPresence takes the words of a block over; it returns nil if all rows are present.
func newPresence(words []uint64, rows int) *Presence {
	n := 0
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	switch n {
	case rows:
		return nil
	case 0:
		return noPresence(rows)
	}
	p := &Presence{Words: words, Rank: make([]uint16, len(words)), Count: n}
	n = 0
	for i, w := range words {
		p.Rank[i] = uint16(n)
		n += bits.OnesCount64(w)
	}
	return p
}

func noPresence(rows int) *Presence {
	words := (rows + 63) / 64
	return &Presence{Words: noWords[:words:words], Rank: noRanks[:words:words]}
}

// Has reports whether the row has a value.
func (p *Presence) Has(row int) bool { return p.Words[row>>6]&(1<<(row&63)) != 0 }

// Position returns which of the values belongs to the row, and whether there is one.
func (p *Presence) Position(row int) (int, bool) {
	w := p.Words[row>>6]
	bit := uint64(1) << (row & 63)
	return int(p.Rank[row>>6]) + bits.OnesCount64(w&(bit-1)), w&bit != 0
}

func (p *Presence) sizeBytes() int {
	if p == nil || p.Count == 0 {
		return 48
	}
	return 8*len(p.Words) + 2*len(p.Rank) + 48
}

// appendRows appends the present rows, plus base.
func (p *Presence) appendRows(dst []uint32, base uint32) []uint32 {
	for i, w := range p.Words {
		for ; w != 0; w &= w - 1 {
			dst = append(dst, base+uint32(i<<6+bits.TrailingZeros64(w)))
		}
	}
	return dst
}
