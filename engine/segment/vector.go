package segment

import (
	"math"
	"sort"
	"sync/atomic"

	"cairn/engine/event"
)

// Form is the shape in which a Vector holds its values.
type Form uint8

// The forms of a Vector. Code i below is the dictionary code of value i or, in a numeric vector, the
// number of which Base + Scale × code is made.
const (
	FormConst Form = iota // every value has code Const
	FormRuns              // run i covers values up to Ends[i] and has code RunCodes[i]
	Form8                 // U8
	Form16                // U16
	Form32                // U32
	Form64                // U64, numeric vectors only
)

func (f Form) String() string {
	return [...]string{"const", "runs", "u8", "u16", "u32", "u64"}[f]
}

// Vector is one column in one block. Values are packed: a row without a value takes no place, so
// value i belongs to the i-th present row. A Vector is immutable and shared.
//
// In a numeric vector (Kind KindInt or KindFloat) a value is, with code read as uint64 and in
// wrapping arithmetic, n = Base + Scale × code and then
//
//	KindInt            int64(n)
//	KindFloat          float64(int64(n)) / 10^Exp
//	KindFloat, RawBits math.Float64frombits(n)
type Vector struct {
	Rows    int       // rows of the block
	Present *Presence // nil: every row has a value
	Len     int       // values

	Form     Form
	Const    uint64
	Ends     []uint32
	RunCodes []uint32
	U8       []uint8
	U16      []uint16
	U32      []uint32
	U64      []uint64

	// Numeric vectors.
	Kind    event.Kind // KindAbsent: dictionary codes
	Base    int64
	Scale   int64
	Exp     uint8
	RawBits bool

	index atomic.Pointer[runIndex] // FormRuns: made when first wanted
}

// Numeric reports whether the vector holds numbers rather than dictionary codes.
func (v *Vector) Numeric() bool { return v.Kind != event.KindAbsent }

// code returns the code of value i.
func (v *Vector) code(i int) uint64 {
	switch v.Form {
	case FormConst:
		return v.Const
	case FormRuns:
		return uint64(v.RunCodes[v.runOf(i)])
	case Form8:
		return uint64(v.U8[i])
	case Form16:
		return uint64(v.U16[i])
	case Form32:
		return uint64(v.U32[i])
	default:
		return v.U64[i]
	}
}

func (v *Vector) runOf(i int) int {
	return sort.Search(len(v.Ends), func(r int) bool { return int(v.Ends[r]) > i })
}

// Has reports whether the row has a value.
func (v *Vector) Has(row int) bool { return v.Present == nil || v.Present.Has(row) }

// Code returns the dictionary code in a row, or AbsentCode.
func (v *Vector) Code(row int) uint32 {
	i, ok := v.position(row)
	if !ok {
		return AbsentCode
	}
	return uint32(v.code(i))
}

func (v *Vector) position(row int) (int, bool) {
	if v.Present == nil {
		return row, true
	}
	return v.Present.Position(row)
}

// Value returns the value in a row, absent if there is none. dict is the dictionary of the column,
// not looked at if the vector is numeric.
func (v *Vector) Value(row int, dict *Dictionary) event.Value {
	i, ok := v.position(row)
	if !ok {
		return event.Value{}
	}
	if v.Numeric() {
		return v.number(v.code(i))
	}
	return dict.Value(uint32(v.code(i)))
}

// number turns a code of a numeric vector into its value.
func (v *Vector) number(code uint64) event.Value {
	if v.Kind == event.KindInt {
		return event.Int(v.Base + v.Scale*int64(code))
	}
	return event.Float(v.float(code))
}

func (v *Vector) float(code uint64) float64 {
	n := v.Base + v.Scale*int64(code)
	if v.RawBits {
		return math.Float64frombits(uint64(n))
	}
	return float64(n) / pow10[v.Exp]
}

// maxDecimalExp is the largest power of ten by which floats are tried as integers; 10^22 is the
// last that a float64 holds exactly, and more than 14 digits after the point are not decimals.
const maxDecimalExp = 14

var pow10 = [maxDecimalExp + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// SizeBytes returns the memory that the vector holds, without its dictionary.
func (v *Vector) SizeBytes() int {
	index := 0
	if v.Form == FormRuns {
		index = 10 * (v.Len>>6 + 1)
	}
	return 216 + index + v.Present.sizeBytes() + 4*(cap(v.Ends)+cap(v.RunCodes)) + cap(v.U8) + 2*cap(v.U16) + 4*cap(v.U32) + 8*cap(v.U64)
}
