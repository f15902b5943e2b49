package segment

import (
	"errors"
	"math/bits"

	"cairn/engine/column"
	"cairn/engine/event"
)

// maxDictBytes bounds the text of one dictionary, whose offsets have 32 bits.
const maxDictBytes = 1 << 30

// errTooLarge makes Build and Merge try again with fewer rows a segment.
var errTooLarge = errors.New("segment: the values of a column are too long for one segment")

// noPlace marks a row of an input that is not in the segment.
const noPlace = ^uint32(0)

// plain is a column in the order of the segment's rows, values packed.
type plain struct {
	rows    int
	present []uint64 // bitmap over the rows; nil: all
	n       int      // values
	dict    *Dictionary
	codes   []uint32   // with dict
	nums    []uint64   // without: bits of the numbers
	kind    event.Kind // of nums
}

// share is one input's part of a column. place maps its rows to rows of the segment or noPlace.
type share interface {
	kinds() KindSet
	// scatterNums writes the bits of numbers of one kind to their places.
	scatterNums(t *target) error
	// scatterCodes writes provisional numbers to their places.
	scatterCodes(t *target, b *dictBuilder) error
}

// target collects values by row. It is used for one column after another.
type target struct {
	rows    int
	present []uint64
	ids     []uint32
	nums    []uint64
	local   []uint32
	// packedIDs and packedNums are what is left of a column with gaps.
	packedIDs  []uint32
	packedNums []uint64
	pace       func()
}

func newTarget(rows int) *target {
	return &target{rows: rows, present: make([]uint64, (rows+63)/64), pace: func() {}}
}

func (t *target) setNum(row uint32, bits uint64) {
	t.present[row>>6] |= 1 << (row & 63)
	t.nums[row] = bits
}

func (t *target) setID(row, id uint32) {
	t.present[row>>6] |= 1 << (row & 63)
	t.ids[row] = id
}

// locals returns n slots set to noPlace.
func (t *target) locals(n int) []uint32 {
	if cap(t.local) < n {
		t.local = make([]uint32, n)
	}
	t.local = t.local[:n]
	for i := range t.local {
		t.local[i] = noPlace
	}
	return t.local
}

// materialise puts the column that the shares make up into the order of the segment. It returns nil
// if no row of the segment has a value. Codes and numbers belong to t and are overwritten by the
// next column.
func materialise(t *target, shares []share) (*plain, error) {
	clear(t.present)
	var kinds KindSet
	for _, s := range shares {
		kinds |= s.kinds()
	}
	if kinds.Only(event.KindInt) || kinds.Only(event.KindFloat) {
		return materialiseNums(t, shares, kinds)
	}
	t.takeIDs(t.rows)
	var b dictBuilder
	for _, s := range shares {
		t.pace()
		if err := s.scatterCodes(t, &b); err != nil {
			return nil, err
		}
	}
	t.pace()
	p := t.plain()
	if p.n == 0 {
		return nil, nil
	}
	d, err := b.finish()
	if err != nil {
		return nil, err
	}
	p.dict = d
	p.codes = packPresent(&t.packedIDs, t.ids, p.present, p.n)
	if len(b.nums.bits) == 0 {
		for i, id := range p.codes {
			p.codes[i] = b.textRank[id]
		}
	} else {
		for i, id := range p.codes {
			p.codes[i] = b.code(id)
		}
	}
	return p, nil
}

func materialiseNums(t *target, shares []share, kinds KindSet) (*plain, error) {
	if t.nums == nil {
		t.nums = make([]uint64, t.rows)
	}
	for _, s := range shares {
		t.pace()
		if err := s.scatterNums(t); err != nil {
			return nil, err
		}
	}
	p := t.plain()
	if p.n == 0 {
		return nil, nil
	}
	p.kind = event.KindInt
	if kinds.Only(event.KindFloat) {
		p.kind = event.KindFloat
	}
	p.nums = packPresent(&t.packedNums, t.nums, p.present, p.n)
	return p, nil
}

// plain makes the frame of a column from the rows that are present.
func (t *target) plain() *plain {
	p := &plain{rows: t.rows}
	for _, w := range t.present {
		p.n += bits.OnesCount64(w)
	}
	if p.n < t.rows {
		p.present = append([]uint64(nil), t.present...)
	}
	return p
}

// packPresent returns the values of the present rows: values itself, or in buffer.
func packPresent[T any](buffer *[]T, values []T, present []uint64, n int) []T {
	if present == nil {
		return values[:n]
	}
	if cap(*buffer) < n {
		*buffer = make([]T, n, max(n, len(values)/2))
	}
	out := (*buffer)[:n]
	next := 0
	for i, w := range present {
		if w == ^uint64(0) {
			next += copy(out[next:], values[i<<6:i<<6+64])
			continue
		}
		for ; w != 0; w &= w - 1 {
			out[next] = values[i<<6+bits.TrailingZeros64(w)]
			next++
		}
	}
	return out
}

// numberLimit is the number of distinct values up to which numbers may be dictionary-coded.
const numberLimit = 4096

// codeNumbers replaces the numbers of p by dictionary codes where they are few and it costs little.
func (p *plain) codeNumbers(t *target) {
	if p.nums == nil {
		return
	}
	limit := min(numberLimit, p.n/4+1)
	var table numTable
	codes := t.takeIDs(p.n)
	last, lastCode := uint64(0), uint32(0)
	for i, b := range p.nums {
		if b != last || i == 0 {
			c, ok := table.add(p.kind, b, limit)
			if !ok {
				return
			}
			last, lastCode = b, c
		}
		codes[i] = lastCode
	}
	kinds, nums, rank := table.sorted()
	if !dictPays(p.kind, nums, p.n) {
		return
	}
	for i, c := range codes {
		codes[i] = rank[c]
	}
	n := uint32(len(kinds))
	p.dict = &Dictionary{kinds: kinds, nums: nums, lists: n, objects: n}
	p.codes, p.nums, p.kind = codes, nil, event.KindAbsent
}

// takeIDs returns n slots for codes.
func (t *target) takeIDs(n int) []uint32 {
	if t.ids == nil {
		t.ids = make([]uint32, t.rows)
	}
	return t.ids[:n]
}

// dictPays estimates whether n numbers with these distinct values are better kept as codes. A few
// distinct values may cost a little more than raw numbers: codes group faster.
func dictPays(kind event.Kind, distinct []uint64, n int) bool {
	width := 64
	if kind == event.KindInt {
		width = bits.Len64(distinct[len(distinct)-1] - distinct[0])
	}
	raw := n * width / 8
	coded := 3*len(distinct) + n*bits.Len(uint(len(distinct)-1))/8
	if len(distinct) <= 256 {
		return coded <= raw+raw/2+16
	}
	return coded < raw
}

// batchShare is a column of a batch.
type batchShare struct {
	column *column.Column
	place  []uint32 // by row of the batch
}

func (s *batchShare) kinds() KindSet {
	c := s.column
	if c.Len() == 0 {
		return 0
	}
	if c.Kinds == nil {
		return 1 << c.Kind
	}
	var set KindSet
	for _, k := range c.Kinds {
		set |= 1 << k
	}
	return set
}

func (s *batchShare) scatterNums(t *target) error {
	c := s.column
	if c.Rows == nil {
		for i, b := range c.Bits {
			if p := s.place[i]; p != noPlace {
				t.setNum(p, b)
			}
		}
		return nil
	}
	for i, row := range c.Rows {
		if p := s.place[row]; p != noPlace {
			t.setNum(p, c.Bits[i])
		}
	}
	return nil
}

func isText(k event.Kind) bool {
	return k == event.KindString || k == event.KindList || k == event.KindObject
}

func (s *batchShare) scatterCodes(t *target, b *dictBuilder) error {
	c := s.column
	if c.Kinds != nil || !isText(c.Kind) {
		s.scatterMixed(t, b)
		return nil
	}
	local := t.locals(c.Dict.Len())
	for i, number := range c.Bits {
		row := uint32(i)
		if c.Rows != nil {
			row = c.Rows[i]
		}
		p := s.place[row]
		if p == noPlace {
			continue
		}
		id := local[number]
		if id == noPlace {
			id = b.text(c.Kind, c.Dict.String(uint32(number)))
			local[number] = id
		}
		t.setID(p, id)
	}
	return nil
}

func (s *batchShare) scatterMixed(t *target, b *dictBuilder) {
	c := s.column
	const textKinds = 3
	local := t.locals(textKinds * c.Dict.Len())
	for i, number := range c.Bits {
		p := s.place[c.Row(i)]
		if p == noPlace {
			continue
		}
		kind := c.KindAt(i)
		if !isText(kind) {
			t.setID(p, b.number(kind, number))
			continue
		}
		slot := &local[textKinds*int(number)+int(kind-event.KindString)]
		if *slot == noPlace {
			*slot = b.text(kind, c.Dict.String(uint32(number)))
		}
		t.setID(p, *slot)
	}
}

// timesShare is the dense times or arrivals of a batch: one per row, or one for all.
type timesShare struct {
	times []int64
	all   int64 // if times is nil
	place []uint32
}

func (s *timesShare) kinds() KindSet { return 1 << event.KindInt }

func (s *timesShare) scatterNums(t *target) error {
	for i, p := range s.place {
		if p == noPlace {
			continue
		}
		n := s.all
		if s.times != nil {
			n = s.times[i]
		}
		t.setNum(p, uint64(n))
	}
	return nil
}

func (s *timesShare) scatterCodes(t *target, b *dictBuilder) error {
	return errors.New("segment: times are never dictionary-coded")
}
