package scalar

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/query/syntax"
)

// compileColumn compiles a text of which every column is bound to slot 0.
func compileColumn(t testing.TB, text string) Test {
	e, err := syntax.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	f, err := CompileTest(e, &Env{Bind: func(syntax.Expr) (int, error) { return 0, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConditionsDoNotAllocate(t *testing.T) {
	row := &One{}
	for _, text := range []string{
		`x = "qr"`, `x != 5`, `x > 1.5 and x < 10`, `x in ("a", "b", 3)`, `x contains "r"`, `x starts with "q"`, `x ~ "^q.$"`,
		`x + 1 > 2`, `exists(x)`, `x >= "2025-06-01"`, `bin(x, 1d) = x`, `coalesce(x, 1) = 1`, `bucket(x, 5) = 5`, `len(x) = 2`,
	} {
		f := compileColumn(t, text)
		for _, v := range []event.Value{{}, event.Null, event.Int(7), event.Float(2.5), event.String("qr"), event.Time(1750000000e9)} {
			row.V = v
			if n := testing.AllocsPerRun(10, func() { f(row) }); n > 0 {
				t.Errorf("%s on %v: %v allocations", text, v, n)
			}
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`bucket(x, y, 5)`: "line 1, column 11",
		`bucket(x, 5, 1)`: "line 1, column 14",
	} {
		call := &syntax.Call{Name: "bucket"}
		for _, arg := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "bucket("), ")"), ", ") {
			e, err := syntax.ParseExpr(arg)
			if err != nil {
				t.Fatal(err)
			}
			switch e := e.(type) {
			case *syntax.Column:
				e.Pos = syntax.Pos{Line: 1, Column: strings.Index(text, arg) + 1}
			case *syntax.Literal:
				e.Pos = syntax.Pos{Line: 1, Column: strings.LastIndex(text, arg) + 1}
			}
			call.Args = append(call.Args, e)
		}
		_, err := Compile(call, &Env{Bind: func(syntax.Expr) (int, error) { return 0, nil }})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Compile(&syntax.Call{Name: "lower"}, &Env{}); err == nil {
		t.Error("no error for a call without arguments")
	}
}

func TestParseTime(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for text, want := range map[string]string{
		"2025-06-01":                          "2025-06-01T00:00:00+02:00",
		"2025-06-01T10:30":                    "2025-06-01T10:30:00+02:00",
		"2025-06-01 10:30:15":                 "2025-06-01T10:30:15+02:00",
		"2025-06-01T10:30:15.123456789":       "2025-06-01T10:30:15.123456789+02:00",
		"2025-06-01T10:30:00Z":                "2025-06-01T12:30:00+02:00",
		"2025-06-01 10:30:00.5+05:30":         "2025-06-01T07:00:00.5+02:00",
		"2025-06-01T10:30Z":                   "2025-06-01T12:30:00+02:00",
		"2025-6-1":                            "",
		"2025-02-30":                          "",
		"2025-06-01T25:00":                    "",
		"":                                    "",
		"2025-06-01T10:30:00Z and much later": "",
		"20250601":                            "",
		"yesterday!":                          "",
		"2025-06-01T10:30:00.":                "",
		"0001-01-01":                          "1677-09-21T00:12:43.145224192Z", // the first instant there is
	} {
		nanos, ok := ParseTime(text, berlin)
		got := ""
		if ok {
			got = time.Unix(0, nanos).In(berlin).Format(time.RFC3339Nano)
			if nanos == math.MinInt64 {
				got = time.Unix(0, nanos).UTC().Format(time.RFC3339Nano)
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	saoPaulo := zone(t, "America/Sao_Paulo")
	if nanos, _ := ParseTime("2018-11-04", saoPaulo); time.Unix(0, nanos).In(saoPaulo).Format(time.RFC3339) != "2018-11-04T01:00:00-02:00" {
		t.Error("a date without midnight")
	}
}

// A list is taken apart as encoding/json does.
func TestElements(t *testing.T) {
	texts := []string{"a", "", `q"\`, "\n\t\b\f\r", "é", "😀", ",", "]", "\u2028", "\x01"}
	gen := rapid.Custom(func(t *rapid.T) any {
		var draw func(depth int) any
		draw = func(depth int) any {
			switch n := rapid.IntRange(0, 7).Draw(t, "kind"); {
			case n == 0:
				return nil
			case n == 1:
				return rapid.Bool().Draw(t, "bool")
			case n == 2:
				return rapid.Int32().Draw(t, "int")
			case n == 3:
				if f := rapid.Float64Range(-1e6, 1e6).Draw(t, "float"); f != 0 {
					return f
				}
				return 0 // JSON's -0 is the integer 0
			case n == 4 && depth > 0:
				return map[string]any{rapid.SampledFrom(texts).Draw(t, "key"): draw(depth - 1)}
			case n == 5 && depth > 0:
				return []any{draw(depth - 1), draw(depth - 1)}
			}
			return rapid.SampledFrom(texts).Draw(t, "text")
		}
		return draw(2)
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(gen, 0, 4).Draw(t, "list")
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		var got []event.Value
		Elements(event.List(string(text)), func(v event.Value) bool { got = append(got, v); return false })
		if len(got) != len(list) {
			t.Fatalf("%s: %d elements", text, len(got))
		}
		for i, v := range list {
			want, _ := json.Marshal(v)
			var a, b any
			if json.Unmarshal(want, &a) != nil || json.Unmarshal(event.AppendValue(nil, got[i]), &b) != nil {
				t.Fatalf("%s: element %d", text, i)
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Fatalf("%s: element %d is %s", text, i, y)
			}
		}
	})
}

// Broken lists, which no engine stores, give no panic and no endless loop.
func FuzzElements(f *testing.F) {
	for _, s := range []string{"[1,2]", `["a\u00e9\ud83d\ude00"]`, "[[", `["\`, "[,]", "[", `["`, "[{]}", "[-]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := 0
		Elements(event.List(s), func(event.Value) bool { n++; return n > len(s) })
		if n > len(s) {
			t.Fatal("more elements than bytes")
		}
	})
}

// Every value is in one bucket of its histogram, and there are not too many buckets.
func TestHistCountsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(
			rapid.Map(rapid.Int64(), event.Int),
			rapid.Map(rapid.Float64(), event.Float),
			rapid.Map(rapid.IntRange(-50, 50), func(i int) event.Value { return event.Int(int64(i)) }),
		)
		duration := rapid.Map(rapid.Int64(), event.Duration)
		values := rapid.SliceOfN(rapid.OneOf(number, duration), 1, 20).Draw(t, "values")
		want := 0
		numbers := false
		for _, v := range values {
			numbers = numbers || v.IsNumber()
		}
		for _, v := range values {
			if v.IsNumber() == numbers {
				want++
			}
		}
		buckets, got := 0, 0
		Elements(Hist(values), func(pair event.Value) bool {
			buckets++
			var both []event.Value
			Elements(pair, func(v event.Value) bool { both = append(both, v); return false })
			got += int(both[1].AsInt())
			return false
		})
		if got != want || buckets > histBucketsMax {
			t.Fatalf("%d of %d values in %d buckets", got, want, buckets)
		}
	})
}

func TestArithmeticNeverOverflows(t *testing.T) {
	edge := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2, 1 << 31, 1 << 53, math.MaxInt64 - 1, math.MaxInt64}
	for _, a := range edge {
		for _, b := range edge {
			for name, pair := range map[string]struct {
				got  event.Value
				want float64
			}{
				"+": {add(event.Int(a), event.Int(b)), float64(a) + float64(b)},
				"-": {subtract(event.Int(a), event.Int(b)), float64(a) - float64(b)},
				"*": {multiply(event.Int(a), event.Int(b)), float64(a) * float64(b)},
			} {
				if got := pair.got.AsFloat(); math.Abs(got-pair.want) > math.Abs(pair.want)*1e-15+4 {
					t.Errorf("%d %s %d = %v", a, name, b, pair.got)
				}
			}
			for _, v := range []event.Value{
				add(event.Duration(a), event.Duration(b)), subtract(event.Time(a), event.Time(b)),
				multiply(event.Duration(a), event.Int(b)), divide(event.Duration(a), event.Int(b)), modulo(event.Int(a), event.Int(b)),
				divide(event.Int(a), event.Int(b)), bucketWidth(event.Int(a), event.Int(b)), round(event.Int(a), event.Int(b)),
				power(event.Int(a), event.Int(b)), negate(event.Int(a)), absolute(event.Duration(a)),
			} {
				if f := v.AsFloat(); v.Kind() == event.KindFloat && (math.IsInf(f, 0) || math.IsNaN(f)) {
					t.Errorf("%d, %d: not finite", a, b)
				}
			}
		}
	}
}

func TestInterpolate(t *testing.T) {
	values := []event.Value{event.Int(1), event.Int(2), event.Float(4)}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.5, 0.5: 2, 0.75: 3, 1: 4} {
		if got := Interpolate(3, q, func(i int) event.Value { return values[i] }); got != event.Float(want) {
			t.Errorf("%v: %v", q, got)
		}
	}
	if got := Interpolate(2, 0.5, func(i int) event.Value { return event.Duration(int64(i) * 3) }); got != event.Duration(2) {
		t.Error(got)
	}
}

func BenchmarkCondition(b *testing.B) {
	f := compileColumn(b, `x = "qr" or x > 100`)
	row := &One{V: event.Int(7)}
	for b.Loop() {
		f(row)
	}
}
