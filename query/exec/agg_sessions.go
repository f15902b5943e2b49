package exec

import (
	"cairn/engine/event"
	"cairn/query/syntax"
)

// sessionCount is distinct(session.id) while sessions stream by. A session is in one chunk of one worker, so
// that no set of them need be kept.
type sessionCount struct {
	counts []int64
	// The pairs of group and session seen in the chunk at hand: bits where groups are few, else numbers.
	source  madeSource
	chunk   int
	words   int // of bits for a group
	bits    []uint64
	numbers numberMap
}

// bitGroups is up to how many groups have bits.
const bitGroups = 1024

// isSessionID reports whether e is the id of a session that streams by.
func isSessionID(e syntax.Expr) bool {
	c, ok := e.(*syntax.Column)
	return ok && c.Scope == syntax.ScopeMade && c.Name == "session.id"
}

func (a *sessionCount) open(*view) error { return nil }
func (a *sessionCount) resize(n int)     { a.counts = extended(a.counts, n) }

func (a *sessionCount) reset() {
	a.counts = emptied(a.counts)
	a.source = nil
}

// turn turns to the chunk of a batch.
func (a *sessionCount) turn(b *batch) {
	if number := b.made.chunkNumber(); a.source != b.made || a.chunk != number {
		a.source, a.chunk = b.made, number
		a.words = (len(b.made.users()) + 63) / 64
		a.bits = a.bits[:0]
		clear(a.numbers.slots)
		a.numbers.keys = a.numbers.keys[:0]
	}
}

func (a *sessionCount) update(b *batch, groups []uint32) error {
	a.turn(b)
	if len(a.counts) <= bitGroups {
		if n := len(a.counts) * a.words; n > len(a.bits) {
			have := len(a.bits)
			a.bits = sized(a.bits, n)
			clear(a.bits[have:])
		}
		for i := range b.n {
			group, session := groupAt(groups, i), b.session(i)
			word, bit := &a.bits[int(group)*a.words+session>>6], uint64(1)<<(session&63)
			if *word&bit == 0 {
				*word |= bit
				a.counts[group]++
			}
		}
		return nil
	}
	a.toNumbers()
	for i := range b.n {
		group := groupAt(groups, i)
		before := len(a.numbers.keys)
		if a.numbers.number(uint64(group)<<32 | uint64(b.session(i))); len(a.numbers.keys) > before {
			a.counts[group]++
		}
	}
	return nil
}

// toNumbers turns bits into numbers, as the groups have become many.
func (a *sessionCount) toNumbers() {
	for i, word := range a.bits {
		for ; word != 0; word &= word - 1 {
			session := i%a.words<<6 + trailing(word)
			a.numbers.number(uint64(i/a.words)<<32 | uint64(session))
		}
	}
	a.bits = a.bits[:0]
}

// add is for rows of tables, which are counted by value instead.
func (a *sessionCount) add(uint32, rowValue) {}

func (a *sessionCount) merge(o aggregate, from, to uint32) {
	a.counts[to] += o.(*sessionCount).counts[from]
}

func (a *sessionCount) finish(group uint32, _ *syntax.Agg) (event.Value, error) {
	return event.Int(a.counts[group]), nil
}
