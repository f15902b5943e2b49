// Package index answers "here is a condition, which rows match?" over sets of rows.
//
//	Rows    a set of rows, or the complement of one
//	Expr    and, or, not over leaves; a leaf knows what it costs and fetches its rows when asked
//
// The packages below hold the bytes: packed (integers in few bits), postings (a set of rows for each
// value), bloom (a filter for values that are not there).
package index

import (
	"cmp"
	"slices"
)

// Source names what answered a leaf, for explanations: "directory", "index", "codes", …
type Source string

// Leaf is a condition that something outside answers.
type Leaf interface {
	// Cost estimates the work of Rows in any unit that all leaves of an expression share.
	Cost() int
	// Rows returns the rows that match, and what told so. It is called at most once for each
	// occurrence of the leaf in an expression.
	Rows() (Rows, Source, error)
}

// Expr is a condition. Make it with And, Or, Not, Of and Const.
type Expr struct {
	op   op
	kids []Expr
	leaf Leaf
	rows Rows
}

type op uint8

const (
	opConst op = iota
	opLeaf
	opAnd
	opOr
	opNot
)

// Of makes the expression of a leaf.
func Of(leaf Leaf) Expr { return Expr{op: opLeaf, leaf: leaf} }

// Const makes an expression of rows that are known.
func Const(rows Rows) Expr { return Expr{op: opConst, rows: rows} }

// And matches the rows that match all of kids: every row if there are none.
func And(kids ...Expr) Expr { return Expr{op: opAnd, kids: kids} }

// Or matches the rows that match any of kids: no row if there are none.
func Or(kids ...Expr) Expr { return Expr{op: opOr, kids: kids} }

// Not matches the rows that kid does not match, those without a value included: "not equal" wants
// the rows with a value besides.
func Not(kid Expr) Expr { return Expr{op: opNot, kids: []Expr{kid}} }

// Answer records what one leaf said. Rows is the size of its set in the segment; a leaf that did
// not have to be asked is not recorded.
type Answer struct {
	Leaf   Leaf
	Source Source
	Rows   int
}

// Eval returns the rows of a segment of rows rows that match. Of the parts of an and or an or the
// cheapest is asked first, and the rest not at all once the outcome is settled. trace, if not nil,
// is given every answer.
func (e Expr) Eval(rows int, trace func(Answer)) (Rows, error) {
	switch e.op {
	case opConst:
		return e.rows, nil
	case opLeaf:
		set, source, err := e.leaf.Rows()
		if err == nil && trace != nil {
			trace(Answer{e.leaf, source, set.Count(rows)})
		}
		return set, err
	case opNot:
		set, err := e.kids[0].Eval(rows, trace)
		return set.Invert(), err
	}
	set, settled, join := All, Rows.IsNone, Rows.And
	if e.op == opOr {
		set, settled, join = None, Rows.IsAll, Rows.Or
	}
	for _, kid := range byCost(e.kids) {
		if settled(set) {
			break
		}
		more, err := kid.Eval(rows, trace)
		if err != nil {
			return None, err
		}
		set = join(set, more)
	}
	return set, nil
}

// cost is the sum over the leaves.
func (e Expr) cost() int {
	if e.op == opLeaf {
		return e.leaf.Cost()
	}
	n := 0
	for _, kid := range e.kids {
		n += kid.cost()
	}
	return n
}

func byCost(kids []Expr) []Expr {
	sorted := slices.Clone(kids)
	slices.SortStableFunc(sorted, func(a, b Expr) int { return cmp.Compare(a.cost(), b.cost()) })
	return sorted
}
