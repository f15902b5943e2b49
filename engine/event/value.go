package event

import (
	"math"
	"strings"
)

// Kind is the type of a Value. The order of the constants is the order of values of different
// kinds in sorted output, numbers (KindInt and KindFloat) being one class. The numbers are part of
// the disk format.
type Kind uint8

const (
	KindAbsent   Kind = iota // no value at all: not null, not ""
	KindNull                 // JSON null
	KindBool                 //
	KindInt                  // int64
	KindFloat                // float64, always finite
	KindString               // UTF-8
	KindList                 // a JSON array, held as its compact JSON text
	KindObject               // an empty JSON object, held as "{}"; other objects become dotted fields
	KindTime                 // made by queries: Unix nanoseconds
	KindDuration             // made by queries: nanoseconds
)

func (k Kind) String() string {
	return [...]string{"absent", "null", "bool", "int", "float", "string", "list", "object", "time", "duration"}[k]
}

// Value is one typed value. It is small, immutable, comparable with == (which tells 1 from 1.0 and
// is therefore identity, not the language's equality) and safe to copy. The zero Value is absent.
type Value struct {
	kind Kind
	num  uint64 // bool, int64, float64 bits, nanoseconds
	str  string // string, list and object text
}

// Null is JSON null.
var Null = Value{kind: KindNull}

// Bool, Int, Float, String, List, Object, Time and Duration make a value of their kind.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int makes an integer value.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Float makes a float value; f must be finite.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// String makes a string value.
func String(s string) Value { return Value{kind: KindString, str: s} }

// List makes a list from the compact JSON text of an array.
func List(json string) Value { return Value{kind: KindList, str: json} }

// EmptyObject is the value of a field whose JSON was {}.
var EmptyObject = Value{kind: KindObject, str: "{}"}

// Time makes an instant from Unix nanoseconds.
func Time(nanos int64) Value { return Value{kind: KindTime, num: uint64(nanos)} }

// Duration makes a duration from nanoseconds.
func Duration(nanos int64) Value { return Value{kind: KindDuration, num: uint64(nanos)} }

// FromBits rebuilds a value from its kind, its 64 bits (see Bits) and its text (see Text).
func FromBits(k Kind, bits uint64, text string) Value { return Value{kind: k, num: bits, str: text} }

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsAbsent, IsNull and Exists follow the language: exists is present and not null.
func (v Value) IsAbsent() bool { return v.kind == KindAbsent }

// IsNull reports whether the value is JSON null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Exists reports whether the value is present and not null.
func (v Value) Exists() bool { return v.kind > KindNull }

// IsNumber reports whether the value is an integer or a float.
func (v Value) IsNumber() bool { return v.kind == KindInt || v.kind == KindFloat }

// Bits returns the 64 bits behind a bool, int, float, time or duration.
func (v Value) Bits() uint64 { return v.num }

// Text returns the text behind a string, list or object.
func (v Value) Text() string { return v.str }

// AsBool, AsInt, AsFloat and AsString return the content of a value of that kind; the caller has
// looked at Kind. AsInt also serves times and durations (nanoseconds).
func (v Value) AsBool() bool { return v.num != 0 }

// AsInt returns the integer, or the nanoseconds of a time or duration.
func (v Value) AsInt() int64 { return int64(v.num) }

// AsFloat returns a number as float64: an integer is converted, so precision beyond 2^53 is lost.
func (v Value) AsFloat() float64 {
	if v.kind == KindFloat {
		return math.Float64frombits(v.num)
	}
	return float64(int64(v.num))
}

// AsString returns the string.
func (v Value) AsString() string { return v.str }

// Canonical maps values that the language holds equal to one representative: a float that is a
// whole number within int64 becomes that integer (so -0.0 becomes 0). Group keys, distinct counts
// and set membership compare canonical values with ==.
func (v Value) Canonical() Value {
	if v.kind == KindFloat {
		f := math.Float64frombits(v.num)
		if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return Int(int64(f))
		}
	}
	return v
}

// Compare is the total order used for dictionaries, sorting and ties: absent, null, false, true,
// numbers by size (exactly, also between int and float; an int before an equal float), strings by
// bytes, lists by text, objects, times, durations. It is not the language's `<`, which knows no
// order between values of different types.
func Compare(a, b Value) int {
	if a.IsNumber() && b.IsNumber() {
		if c := CompareNumbers(a, b); c != 0 {
			return c
		}
		return int(a.kind) - int(b.kind)
	}
	if a.kind != b.kind {
		if a.kind < b.kind {
			return -1
		}
		return 1
	}
	switch a.kind {
	case KindString, KindList, KindObject:
		return strings.Compare(a.str, b.str)
	case KindTime, KindDuration:
		return compareInt(int64(a.num), int64(b.num))
	default:
		return compareUint(a.num, b.num)
	}
}

// CompareNumbers orders two numbers by size, exactly: 1 and 1.0 are equal, and an int64 beyond 2^53
// is not rounded before it is compared with a float.
func CompareNumbers(a, b Value) int {
	switch {
	case a.kind == KindInt && b.kind == KindInt:
		return compareInt(int64(a.num), int64(b.num))
	case a.kind == KindFloat && b.kind == KindFloat:
		return compareFloat(math.Float64frombits(a.num), math.Float64frombits(b.num))
	case a.kind == KindInt:
		return compareIntFloat(int64(a.num), math.Float64frombits(b.num))
	default:
		return -compareIntFloat(int64(b.num), math.Float64frombits(a.num))
	}
}

func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	if c := compareInt(i, int64(whole)); c != 0 {
		return c
	}
	return compareFloat(whole, f)
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
