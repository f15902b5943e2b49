package syntax

import (
	"strconv"
	"strings"

	"cairn/engine/event"
)

// nameLongest bounds default names, in characters, so that a long expression gives a readable table.
const nameLongest = 64

// DefaultName returns the name of a column that the text does not name:
//
//	amount, fields.amount     amount
//	user.plan                 user.plan
//	bin(1d), bin(t, 1d)       time, t
//	hour(), lower(page)       hour, lower_page
//	count(), sum(amount)      count, sum_amount
//	p90(x), p99.9(x)          p90_x, p99_9_x
//	sum(amount) / users()     sum_amount_per_users
//	a + b, a - b, a * b       a_plus_b, a_minus_b, a_times_b
//
// Conditions and windows of aggregates leave no trace. Among the columns of one result the second of
// the same name gets _2, the third _3; names given with `as` are kept.
func DefaultName(e Expr) string {
	name := []rune(defaultName(e))
	if len(name) > nameLongest {
		name = name[:nameLongest]
	}
	return string(name)
}

func defaultName(e Expr) string {
	switch e := e.(type) {
	case *Column:
		if e.Scope == ScopeProfile {
			return "user." + e.Name
		}
		return e.Name
	case *Literal:
		return literalName(e.Value)
	case *Bin:
		return ColumnTime
	case *Call:
		return callName(e)
	case *Agg:
		return aggregateName(e)
	case *Unary:
		return map[Op]string{OpNot: "not_", OpNeg: "minus_"}[e.Op] + defaultName(e.X)
	case *Binary:
		return defaultName(e.X) + "_" + operatorNames[e.Op] + "_" + defaultName(e.Y)
	case *Regex:
		return defaultName(e.X) + "_matches"
	case *In:
		return defaultName(e.X) + "_in"
	case *UserIn:
		return "user_in_" + e.Name
	case *Did:
		return selectorName("did", e.Selector)
	case *FirstTime:
		return selectorName("first_time", e.Selector)
	}
	return "value"
}

var operatorNames = map[Op]string{
	OpOr: "or", OpAnd: "and", OpEq: "is", OpNe: "is_not", OpLt: "below", OpLe: "at_most", OpGt: "above", OpGe: "at_least",
	OpContains: "contains", OpStartsWith: "starts_with", OpEndsWith: "ends_with",
	OpAdd: "plus", OpSub: "minus", OpMul: "times", OpDiv: "per", OpMod: "mod",
}

func literalName(v event.Value) string {
	var w printer
	if v.Kind() == event.KindString {
		w.text(v.AsString())
	} else {
		w.value(v)
	}
	name := strings.Map(func(r rune) rune {
		if isWordPart(r) {
			return r
		}
		return '_'
	}, w.String())
	if name == "" {
		return "empty"
	}
	return name
}

// callName joins a function's name and those of its arguments, constants aside.
func callName(c *Call) string {
	name := c.Name
	for _, arg := range c.Args {
		if _, ok := arg.(*Literal); ok {
			continue
		}
		if column, ok := arg.(*Column); ok && isTimeColumn(column) && (c.Name == "hour" || c.Name == "weekday") {
			continue
		}
		name += "_" + defaultName(arg)
	}
	return name
}

func isTimeColumn(c *Column) bool { return c.Scope == ScopeRow && c.Name == ColumnTime }

func aggregateName(a *Agg) string {
	name := a.Func.String()
	if a.Func == AggQuantile {
		name = "p" + strings.ReplaceAll(percentText(a.Q), ".", "_")
	}
	if a.X == nil {
		return name
	}
	return name + "_" + defaultName(a.X)
}

// percentText multiplies by a hundred in decimal: 0.999 gives 99.9.
func percentText(q float64) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(q, 'f', -1, 64), ".")
	fraction += strings.Repeat("0", max(0, 2-len(fraction)))
	whole = strings.TrimLeft(whole+fraction[:2], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction = fraction[2:]; fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

func selectorName(name string, s *Selector) string {
	for i, t := range s.Terms {
		if i > 0 {
			name += "_or"
		}
		if t.Any {
			name += "_any"
		} else {
			name += "_" + t.Name
		}
	}
	return name
}

// usedNames are the names that columns have already, each with the last number that it was given.
type usedNames map[string]int

func (u usedNames) has(name string) bool { return u[name] > 0 }

func (u usedNames) add(name string) { u[name] = max(1, u[name]) }

// unused returns the name itself, or with _2, _3 … behind it when it is taken, and takes it.
func (u usedNames) unused(name string) string {
	free := name
	for u.has(free) {
		u[name]++
		free = name + "_" + strconv.Itoa(u[name])
	}
	u.add(free)
	return free
}

// omitNames says which columns of a result the printer can leave unnamed, since fillNames gives them
// the same names again.
func omitNames(lists ...[]Named) [][]bool {
	omitted := make([][]bool, len(lists))
	for i, list := range lists {
		omitted[i] = make([]bool, len(list))
		for j := range list {
			omitted[i][j] = list[j].Expr != nil // of fixed columns there is nothing to name
		}
	}
	for settled := false; !settled; {
		settled = true
		used := usedNames{}
		for i, list := range lists {
			for j, n := range list {
				if !omitted[i][j] {
					used.add(n.Name)
				}
			}
		}
		for i, list := range lists {
			for j, n := range list {
				if !omitted[i][j] {
					continue
				}
				if used.unused(DefaultName(n.Expr)) != n.Name {
					omitted[i][j], settled = false, false
				}
			}
		}
	}
	return omitted
}
