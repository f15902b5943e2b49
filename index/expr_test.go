package index

import (
	"errors"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

const testRows = 20

// setLeaf is a leaf whose rows are known.
type setLeaf struct {
	rows  []uint32
	cost  int
	asked int
	err   error
}

func (l *setLeaf) Cost() int { return l.cost }

func (l *setLeaf) Rows() (Rows, Source, error) {
	l.asked++
	return Rows{Bits: roaring.BitmapOf(l.rows...)}, "test", l.err
}

// naive says whether a row matches.
func naive(e Expr, row uint32) bool {
	switch e.op {
	case opConst:
		return e.rows.Not != (e.rows.Bits != nil && e.rows.Bits.Contains(row))
	case opLeaf:
		return slices.Contains(e.leaf.(*setLeaf).rows, row)
	case opNot:
		return !naive(e.kids[0], row)
	case opAnd:
		return !slices.ContainsFunc(e.kids, func(k Expr) bool { return !naive(k, row) })
	default:
		return slices.ContainsFunc(e.kids, func(k Expr) bool { return naive(k, row) })
	}
}

func drawExpr(t *rapid.T, depth int) Expr {
	rows := rapid.SliceOfDistinct(rapid.Uint32Range(0, testRows-1), rapid.ID[uint32])
	kind := rapid.IntRange(0, 4).Draw(t, "op")
	if depth == 0 {
		kind %= 2
	}
	switch kind {
	case 0:
		return Of(&setLeaf{rows: rows.Draw(t, "rows"), cost: rapid.IntRange(0, 9).Draw(t, "cost")})
	case 1:
		return Const(Rows{roaring.BitmapOf(rows.Draw(t, "rows")...), rapid.Bool().Draw(t, "not")})
	case 2:
		return Not(drawExpr(t, depth-1))
	}
	kids := make([]Expr, rapid.IntRange(0, 3).Draw(t, "kids"))
	for i := range kids {
		kids[i] = drawExpr(t, depth-1)
	}
	if kind == 3 {
		return And(kids...)
	}
	return Or(kids...)
}

func TestEvalAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, 4)
		got, err := e.Eval(testRows, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for row := range uint32(testRows) {
			want := naive(e, row)
			if want {
				n++
			}
			if naive(Const(got), row) != want {
				t.Fatalf("row %d: got %v, want %v", row, !want, want)
			}
		}
		if got.Count(testRows) != n || got.AndCount(got, testRows) != n || got.AndCount(got.Invert(), testRows) != 0 {
			t.Fatalf("counts %d, %d rows, want %d", got.Count(testRows), got.AndCount(got, testRows), n)
		}
	})
}

func TestCheapestFirst(t *testing.T) {
	dear := &setLeaf{rows: []uint32{1}, cost: 100}
	cheap := &setLeaf{cost: 1}
	var answers []Answer
	got, err := And(Of(dear), Of(cheap)).Eval(testRows, func(a Answer) { answers = append(answers, a) })
	if err != nil || !got.IsNone() || dear.asked != 0 || cheap.asked != 1 {
		t.Errorf("got %v, %v; asked %d and %d times", got, err, dear.asked, cheap.asked)
	}
	if len(answers) != 1 || answers[0] != (Answer{cheap, "test", 0}) {
		t.Errorf("answers %v", answers)
	}
}

func TestLeafError(t *testing.T) {
	wrong := errors.New("wrong")
	if _, err := Not(Or(Of(&setLeaf{err: wrong}))).Eval(testRows, nil); !errors.Is(err, wrong) {
		t.Error(err)
	}
}
