package exec

import (
	"math"
	"math/big"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// momentsAggregate is sum, avg and stddev of one argument: exact sums of the values and, for
// stddev, of their squares. Numbers count if there are any, else durations.
type momentsAggregate struct {
	*input
	numbersOf []moments
	durations []moments // nil until a duration comes
	squares   bool
	account   account
}

type moments struct {
	sum     exactSum
	squares exactSum
	odd     *big.Rat // squares beyond the range of floats
	n       int64
}

func (x *Execution) newMoments(in *input, squares bool) *momentsAggregate {
	return &momentsAggregate{input: in, squares: squares, account: account{budget: x.Budget, purpose: "sums"}}
}

func (a *momentsAggregate) reset() {
	a.numbersOf, a.durations = emptied(a.numbersOf), emptied(a.durations)
}

func (a *momentsAggregate) resize(n int) {
	before := cap(a.numbersOf)
	a.numbersOf = extended(a.numbersOf, n)
	a.account.add(80 * (cap(a.numbersOf) - before))
	if a.durations != nil {
		a.durations = extended(a.durations, n)
	}
}

func (a *momentsAggregate) update(b *batch, groups []uint32) error {
	n, ok, err := a.numbers(b)
	if err != nil {
		return err
	}
	switch {
	case ok && n.kind == event.KindFloat:
		a.addFloats(n, groups)
		return nil
	case ok && n.kind == event.KindInt:
		a.addInts(a.numbersOf, n, groups)
		return nil
	case ok && n.kind == event.KindDuration:
		a.durations = extended(a.durations, len(a.numbersOf))
		a.addInts(a.durations, n, groups)
		return nil
	case a.kind == inputCodes:
		codes, err := a.codes(b)
		if err != nil {
			return err
		}
		if a.direct {
			a.addCodes(codes, groups)
			return nil
		}
		for i, c := range codes {
			a.addValue(groupAt(groups, i), a.codeValue(c))
		}
		return nil
	}
	values, err := a.each(b)
	if err != nil {
		return err
	}
	for i, v := range values {
		a.addValue(groupAt(groups, i), v)
	}
	return nil
}

func groupAt(groups []uint32, i int) uint32 {
	if groups == nil {
		return 0
	}
	return groups[i]
}

func (a *momentsAggregate) addFloats(n numbers, groups []uint32) {
	for i, f := range n.floats {
		if n.ok != nil && !n.ok[i] {
			continue
		}
		m := &a.numbersOf[groupAt(groups, i)]
		m.n++
		m.sum.addFloat(f)
		if a.squares {
			m.addSquare(f)
		}
	}
}

// addCodes adds the numbers of the dictionary that the codes stand for.
func (a *momentsAggregate) addCodes(codes, groups []uint32) {
	for i, c := range codes {
		kind, bits := a.dict.Number(c)
		switch kind {
		case event.KindFloat:
			f := math.Float64frombits(bits)
			m := &a.numbersOf[groupAt(groups, i)]
			m.n++
			m.sum.addFloat(f)
			if a.squares {
				m.addSquare(f)
			}
		case event.KindInt:
			m := &a.numbersOf[groupAt(groups, i)]
			m.n++
			m.sum.addInt(int64(bits))
			if a.squares {
				m.addIntSquare(int64(bits))
			}
		}
	}
}

func (a *momentsAggregate) addInts(to []moments, n numbers, groups []uint32) {
	for i, v := range n.ints {
		if n.ok != nil && !n.ok[i] {
			continue
		}
		m := &to[groupAt(groups, i)]
		m.n++
		m.sum.addInt(v)
		if a.squares {
			m.addIntSquare(v)
		}
	}
}

func (a *momentsAggregate) addValue(group uint32, v event.Value) {
	var m *moments
	switch v.Kind() {
	case event.KindInt, event.KindFloat:
		m = &a.numbersOf[group]
	case event.KindDuration:
		a.durations = extended(a.durations, len(a.numbersOf))
		m = &a.durations[group]
	default:
		return
	}
	m.n++
	if v.Kind() == event.KindFloat {
		m.sum.addFloat(v.AsFloat())
		if a.squares {
			m.addSquare(v.AsFloat())
		}
		return
	}
	m.sum.addInt(v.AsInt())
	if a.squares {
		m.addIntSquare(v.AsInt())
	}
}

func (a *momentsAggregate) add(group uint32, row rowValue) { a.addValue(group, row.x) }

func (m *moments) addSquare(f float64) {
	if size := math.Abs(f); size != 0 && (size < 1e-140 || size > 1e150) {
		if m.odd == nil {
			m.odd = new(big.Rat)
		}
		r := new(big.Rat).SetFloat64(f)
		m.odd.Add(m.odd, r.Mul(r, r))
		return
	}
	square := f * f
	m.squares.addFloat(square)
	m.squares.addFloat(math.FMA(f, f, -square))
}

func (m *moments) addIntSquare(i int64) {
	size := uint64(i)
	if i < 0 {
		size = -size
	}
	if size < 1<<63 {
		m.squares.addInts(int64(size), size)
		return
	}
	m.squares.addFloat(1 << 126)
}

func (m *moments) merge(o *moments) {
	m.n += o.n
	m.sum.merge(&o.sum)
	m.squares.merge(&o.squares)
	if o.odd != nil {
		if m.odd == nil {
			m.odd = new(big.Rat)
		}
		m.odd.Add(m.odd, o.odd)
	}
}

func (a *momentsAggregate) merge(other aggregate, from, to uint32) {
	o := other.(*momentsAggregate)
	a.numbersOf[to].merge(&o.numbersOf[from])
	if int(from) < len(o.durations) {
		a.durations = extended(a.durations, len(a.numbersOf))
		a.durations[to].merge(&o.durations[from])
	}
}

func (a *momentsAggregate) finish(group uint32, spec *syntax.Agg) (event.Value, error) {
	m, kind := &a.numbersOf[group], event.KindFloat
	if m.n == 0 && int(group) < len(a.durations) && a.durations[group].n > 0 {
		m, kind = &a.durations[group], event.KindDuration
	}
	switch spec.Func {
	case syntax.AggSum:
		if kind == event.KindDuration {
			return durationOf(m.sum.rat()), nil
		}
		return m.sum.value(), nil
	case syntax.AggAvg:
		switch {
		case m.n == 0:
			return event.Null, nil
		case kind == event.KindDuration:
			return durationOf(m.sum.rat().Quo(m.sum.rat(), big.NewRat(m.n, 1))), nil
		}
		return scalar.Finite(m.sum.float() / float64(m.n)), nil
	}
	return m.stddev(kind), nil
}

// durationOf is the duration nearest to a number of nanoseconds, null if there is none.
func durationOf(x *big.Rat) event.Value {
	half := big.NewRat(1, 2)
	if x.Sign() < 0 {
		half.Neg(half)
	}
	x = new(big.Rat).Add(x, half)
	nanos := new(big.Int).Quo(x.Num(), x.Denom())
	if !nanos.IsInt64() {
		return event.Null
	}
	return event.Duration(nanos.Int64())
}

// stddev is that of a sample, rounded once before the root.
func (m *moments) stddev(kind event.Kind) event.Value {
	if m.n < 2 {
		return event.Null
	}
	squares := m.squares.rat()
	if m.odd != nil {
		squares.Add(squares, m.odd)
	}
	sum := m.sum.rat()
	variance := squares.Sub(squares, sum.Quo(sum.Mul(sum, sum), big.NewRat(m.n, 1)))
	f, _ := variance.Quo(variance, big.NewRat(m.n-1, 1)).Float64()
	if kind == event.KindDuration {
		return event.Duration(int64(math.Round(math.Sqrt(f))))
	}
	return scalar.Finite(math.Sqrt(f))
}
