package event

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendJSON(t *testing.T) {
	e := Event{
		Time: 1748764800_120000000, Name: "pay \"success\"", User: "u\n1", ID: "i", Received: 1748764801_000000000,
		Fields: []Field{
			{"amount", Float(12)},
			{"n", Int(math.MinInt64)},
			{"page.path", String("/a\u2028é\x00")},
			{"tags", List(`[1,"a"]`)},
			{"page.query.x", Null},
			{"none", Value{}},
			{"page.meta", EmptyObject},
			{"time", String("t")},
			{"user.name", Bool(true)},
			{"a.b", Int(1)},
			{"c.d.e", Int(2)},
			{"big", Float(1e300)},
			{"small", Float(-1e-7)},
			{"zero", Float(math.Copysign(0, -1))},
			{FieldDots, String(FormatDots([][]string{{"a.b"}, {"c", "d.e"}}))},
		},
	}
	want := `{"time":"2025-06-01T08:00:00.12Z","event":"pay \"success\"","user":"u\n1","id":"i","received":"2025-06-01T08:00:01Z",` +
		`"amount":12.0,"n":-9223372036854775808,"page":{"path":"/a` + "\u2028é" + `\u0000","query":{"x":null},"meta":{}},"tags":[1,"a"],` +
		`"a.b":1,"c":{"d.e":2},"big":1e+300,"small":-1e-07,"zero":-0.0,"fields":{"time":"t","user":{"name":true}}}`
	if got := string(AppendJSON(nil, &e)); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	// A value that is a parent too, which two places of one event can give, and a third level, which
	// none can.
	e = Event{Name: "x", Fields: []Field{{"a", Int(1)}, {"a.b", Int(2)}, {"a.b.c", Int(3)}}}
	if got := string(AppendJSON(nil, &e)); got != `{"time":"1970-01-01T00:00:00Z","event":"x","a":1,"fields":{"a":{"b":2,"b.c":3}}}` {
		t.Error(got)
	}
}

func TestDotsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.StringOfN(rapid.SampledFrom([]rune("ab.\\\n\x00é")), 0, 5, -1)
		path := rapid.SliceOfN(step, 1, 4).Draw(t, "path")
		path[0] += "." // only such paths are listed
		got := ParseDots(FormatDots([][]string{path}))
		if len(got) != 1 {
			t.Fatalf("%q: %q", path, got)
		}
		for _, back := range got {
			if len(back) != len(path) {
				t.Fatalf("%q came back as %q", path, back)
			}
			for i := range path {
				if back[i] != path[i] {
					t.Fatalf("%q came back as %q", path, back)
				}
			}
		}
	})
}
