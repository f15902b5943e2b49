package reference

import (
	"math"
	"math/big"
	"slices"

	"cairn/engine/event"
	"cairn/query/scalar"
	"cairn/query/syntax"
)

// aggregate evaluates one aggregate over rows.
func (r *run) aggregate(a *syntax.Agg, list []*row) (event.Value, error) {
	if a.If != nil {
		passes, err := r.test(a.If)
		if err != nil {
			return event.Null, err
		}
		list = slices.DeleteFunc(slices.Clone(list), func(x *row) bool { return !passes(x) })
	}
	switch a.Func {
	case syntax.AggCount:
		return event.Int(int64(len(list))), nil
	case syntax.AggUsers:
		users := map[event.Value]bool{}
		for _, row := range list {
			users[userOf(row)] = true
		}
		delete(users, event.Value{})
		return event.Int(int64(len(users))), nil
	}
	f, err := r.value(a.X)
	if err != nil {
		return event.Null, err
	}
	var values []event.Value
	var with []*row // the row of each value
	for _, row := range list {
		if v := f(row); v.Exists() {
			values = append(values, v)
			with = append(with, row)
		}
	}
	switch a.Func {
	case syntax.AggDistinct:
		return event.Int(int64(len(frequencies(values)))), nil
	case syntax.AggSum:
		return sum(values), nil
	case syntax.AggAvg:
		return avg(values), nil
	case syntax.AggMin:
		return extreme(values, -1), nil
	case syntax.AggMax:
		return extreme(values, 1), nil
	case syntax.AggStddev:
		return stddev(values), nil
	case syntax.AggMedian, syntax.AggQuantile:
		return quantile(values, a.Q), nil
	case syntax.AggFirst:
		return byTime(values, with, -1), nil
	case syntax.AggLast:
		return byTime(values, with, 1), nil
	case syntax.AggTopK:
		var top []event.Value
		for _, x := range frequencies(values) {
			top = append(top, x.value)
		}
		return scalar.ListOf(top[:min(a.N, len(top))], r.calendar.Location()), nil
	case syntax.AggHist:
		if len(a.Edges) > 0 {
			return scalar.HistEdges(a.Edges, values), nil
		}
		return scalar.Hist(values), nil
	}
	return event.Null, syntax.Errorf(a.Pos, "the reference does not know %s", a.Func)
}

// measures keeps the numbers, or when there is none the durations; with times set then the times.
func measures(values []event.Value, times bool) []event.Value {
	kinds := [][]event.Kind{{event.KindInt, event.KindFloat}, {event.KindDuration}}
	if times {
		kinds = append(kinds, []event.Kind{event.KindTime})
	}
	for _, wanted := range kinds {
		var list []event.Value
		for _, v := range values {
			if slices.Contains(wanted, v.Kind()) {
				list = append(list, v)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

// rational is a number or the nanoseconds of a duration, exactly.
func rational(v event.Value) *big.Rat {
	if v.Kind() == event.KindFloat {
		return new(big.Rat).SetFloat64(v.AsFloat())
	}
	return new(big.Rat).SetInt64(v.AsInt())
}

func total(values []event.Value) *big.Rat {
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, rational(v))
	}
	return sum
}

// nearest is the value of a kind nearest to an exact one.
func nearest(x *big.Rat, kind event.Kind) event.Value {
	if kind != event.KindDuration {
		f, _ := x.Float64()
		return scalar.Finite(f)
	}
	twice := new(big.Rat).Mul(x, big.NewRat(2, 1))
	if x.Sign() < 0 {
		twice.Sub(twice, big.NewRat(1, 1))
	} else {
		twice.Add(twice, big.NewRat(1, 1))
	}
	nanos := new(big.Int).Quo(twice.Num(), new(big.Int).Mul(twice.Denom(), big.NewInt(2)))
	if !nanos.IsInt64() {
		return event.Null
	}
	return event.Duration(nanos.Int64())
}

func sum(values []event.Value) event.Value {
	list := measures(values, false)
	if len(list) == 0 {
		return event.Int(0)
	}
	x := total(list)
	isFloat := func(v event.Value) bool { return v.Kind() == event.KindFloat }
	if list[0].IsNumber() && !slices.ContainsFunc(list, isFloat) && x.Num().IsInt64() {
		return event.Int(x.Num().Int64())
	}
	return nearest(x, list[0].Kind())
}

func avg(values []event.Value) event.Value {
	list := measures(values, false)
	if len(list) == 0 {
		return event.Null
	}
	if n := int64(len(list)); list[0].Kind() == event.KindDuration {
		return nearest(new(big.Rat).Quo(total(list), big.NewRat(n, 1)), event.KindDuration)
	}
	f, _ := total(list).Float64()
	return scalar.Finite(f / float64(len(list)))
}

func stddev(values []event.Value) event.Value {
	list := measures(values, false)
	n := int64(len(list))
	if n < 2 {
		return event.Null
	}
	squares := new(big.Rat)
	for _, v := range list {
		x := rational(v)
		squares.Add(squares, x.Mul(x, x))
	}
	sum := total(list)
	variance := squares.Sub(squares, sum.Quo(sum.Mul(sum, sum), big.NewRat(n, 1)))
	f, _ := variance.Quo(variance, big.NewRat(n-1, 1)).Float64()
	if list[0].Kind() == event.KindDuration {
		return event.Duration(int64(math.Round(math.Sqrt(f))))
	}
	return scalar.Finite(math.Sqrt(f))
}

func quantile(values []event.Value, q float64) event.Value {
	list := measures(values, true)
	slices.SortFunc(list, event.Compare)
	return scalar.Interpolate(len(list), q, func(i int) event.Value { return list[i] })
}

// extreme returns the least value, with sign -1, or the greatest, with 1.
func extreme(values []event.Value, sign int) event.Value {
	best := event.Null
	for _, v := range values {
		if best == event.Null || event.Compare(v, best)*sign > 0 {
			best = v
		}
	}
	return best
}

// byTime returns the value of the row that is least, or greatest, by time and value.
func byTime(values []event.Value, with []*row, sign int) event.Value {
	best, bestAt := event.Null, int64(0)
	for i, v := range values {
		at := with[i].columns[syntax.ColumnTime]
		if with[i].event != nil {
			at = event.Time(with[i].event.Time)
		}
		if at.Kind() != event.KindTime {
			continue
		}
		order := compareInts(at.AsInt(), bestAt)
		if best == event.Null || order*sign > 0 || order == 0 && event.Compare(v, best)*sign > 0 {
			best, bestAt = v, at.AsInt()
		}
	}
	return best
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
