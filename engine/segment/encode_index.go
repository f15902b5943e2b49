package segment

import (
	"math/bits"

	"cairn/index/bloom"
	"cairn/index/postings"
)

// addIndexes encodes postings and bloom filter where they are worth their bytes.
func (e *encoder) addIndexes(m *columnMeta, ordinal int, p *plain) {
	always := ordinal == ordinalEvent || e.opt.indexAll
	if always || e.postingsPay(p) {
		b := e.postingsOf(p)
		if always || b.SizeBytes() <= e.postingsBudget()*5/4 {
			content := b.Bytes()
			m.postings = len(content)
			e.chunks = append(e.chunks, Chunk{makeChunkID(ordinal, chunkPostings, 0), content})
		}
	}
	from, to := p.dict.StringRange()
	if to-from >= bloomDistinct || ordinal == ordinalID || e.opt.indexAll {
		hashes := make([]uint64, 0, to-from)
		for c := from; c < to; c++ {
			hashes = append(hashes, bloom.Hash(p.dict.text(c)))
		}
		content := bloom.Build(hashes)
		m.bloom = len(content)
		e.chunks = append(e.chunks, Chunk{makeChunkID(ordinal, chunkBloom, 0), content})
	}
}

// postingsBudget is what the postings of a column may cost: two bits a row. Fields that stay the
// same in a session take about one; a column whose postings are larger changes so often that
// scanning its codes, at some hundred million a second, is the better index.
func (e *encoder) postingsBudget() int { return e.rows / 4 }

// postingsPay estimates whether the postings of a column stay within the budget.
func (e *encoder) postingsPay(p *plain) bool {
	budget := e.postingsBudget()
	if p.dict.Len() > budget/2 {
		return false
	}
	runs := 1
	for i := 1; i < len(p.codes); i++ {
		if p.codes[i] != p.codes[i-1] {
			runs++
		}
	}
	if runs*2 <= budget {
		return true
	}
	counts := make([]int, p.dict.Len())
	for _, c := range p.codes {
		counts[c]++
	}
	bitCount := 0
	for _, n := range counts {
		if n > 0 {
			bitCount += min(n*(bits.Len(uint(e.rows/n))+1), e.rows) + 24
		}
	}
	return bitCount/8 <= budget
}

// postings encodes the rows of each code: by way of runs of rows with one code, of which there are
// often far fewer than rows.
func (e *encoder) postingsOf(p *plain) *postings.Builder {
	firsts, ends, codes := e.runsOfRows(p)
	starts := make([]uint32, p.dict.Len()+1)
	for _, c := range codes {
		starts[c+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	sortedFirsts, sortedEnds := make([]uint32, len(codes)), make([]uint32, len(codes))
	for i, c := range codes {
		at := starts[c]
		starts[c]++
		sortedFirsts[at], sortedEnds[at] = firsts[i], ends[i]
	}
	b := &postings.Builder{}
	from := uint32(0)
	for _, to := range starts[:len(starts)-1] {
		b.AddRuns(sortedFirsts[from:to], sortedEnds[from:to])
		from = to
	}
	return b
}

// runsOfRows returns the runs of neighbouring rows that have one code, in the encoder's buffers.
func (e *encoder) runsOfRows(p *plain) (firsts, ends, codes []uint32) {
	firsts, ends, codes = e.firsts[:0], e.ends[:0], e.runCodes[:0]
	defer func() { e.firsts, e.ends, e.runCodes = firsts, ends, codes }()
	next, code := uint32(0), AbsentCode // where the last run ends, and its code
	add := func(row, c uint32) {
		firsts, codes = append(firsts, row), append(codes, c)
		if len(firsts) > 1 {
			ends = append(ends, next)
		}
	}
	if p.present == nil {
		for i, c := range p.codes {
			if c != code {
				next = uint32(i)
				add(uint32(i), c)
				code = c
			}
		}
		return firsts, append(ends, uint32(p.n)), codes
	}
	i := 0
	for w, word := range p.present {
		for ; word != 0; word &= word - 1 {
			row := uint32(w<<6 + bits.TrailingZeros64(word))
			c := p.codes[i]
			i++
			if row != next || c != code {
				add(row, c)
				code = c
			}
			next = row + 1
		}
	}
	return firsts, append(ends, next), codes
}
