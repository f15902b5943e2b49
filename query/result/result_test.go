package result

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"

	"cairn/engine/event"
)

func sample(t testing.TB) *Table {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	table := &Table{
		Columns: []Column{{Name: "time"}, {Name: "channel"}, {Name: "n"}, {Name: "rate"}, {Name: "wait"}, {Name: "tags"}, {Name: "any"}, {Name: "none"}},
		Rows: [][]event.Value{
			{
				event.Time(1748728800e9), event.String(`q"r, 1`), event.Int(1234567), event.Float(0.25), event.Duration(90e9),
				event.List(`["a",1]`), event.Int(1 << 60), event.Null,
			},
			{
				event.Time(1748815200e9), event.String(""), event.Int(-5), event.Float(2), event.Duration(-1_500_000_000),
				event.Null, event.String("été\n"),
				{},
			},
			{event.Null, {}, event.Null, event.Float(1e300), event.Duration(187200e9), event.List("[]"), event.Bool(true), event.Null},
		},
		Meta: Meta{
			Snapshot: "s1", Location: berlin, CompleteUntil: 1748815200e9, Exact: true, Segments: 2, RowsRead: 3, BytesRead: 4096,
			Elapsed: 1234567 * time.Nanosecond, Warnings: []string{"a \"b\""},
		},
	}
	table.Infer()
	return table
}

func TestJSON(t *testing.T) {
	want := `{"columns":[{"name":"time","type":"time"},{"name":"channel","type":"string"},{"name":"n","type":"int"},` +
		`{"name":"rate","type":"float"},{"name":"wait","type":"duration"},{"name":"tags","type":"list"},{"name":"any","type":"mixed"},` +
		`{"name":"none","type":"null"}],"rows":[
["2025-06-01T00:00:00+02:00","q\"r, 1",1234567,0.25,90,["a",1],"1152921504606846976",null],
["2025-06-02T00:00:00+02:00","",-5,2.0,-1.5,null,"été\n",null],
[null,null,null,1e+300,187200,[],true,null]],
"meta":{"snapshot":"s1","tz":"Europe/Berlin","complete_until":"2025-06-02T00:00:00+02:00","exact":true,"partial":false,` +
		`"truncated":false,"segments":2,"rows":3,"bytes":4096,"seconds":0.001235,"warnings":["a \"b\""]}}
`
	got := string(AppendJSON(nil, sample(t)))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid([]byte(got)) {
		t.Error("not valid")
	}
}

func TestNDJSON(t *testing.T) {
	lines := strings.Split(string(AppendNDJSON(nil, sample(t))), "\n")
	if len(lines) != 5 || lines[4] != "" || !strings.HasPrefix(lines[3], `{"meta":{"snapshot":"s1",`) {
		t.Fatal(lines)
	}
	if lines[2] != `{"time":null,"n":null,"rate":1e+300,"wait":187200,"tags":[],"any":true,"none":null}` {
		t.Error(lines[2])
	}
	for _, line := range lines[:4] {
		if !json.Valid([]byte(line)) {
			t.Error(line)
		}
	}
}

func TestListsInJSON(t *testing.T) {
	for text, want := range map[string]string{
		`[9007199254740992,-9007199254740993,1]`:                `[9007199254740992,"-9007199254740993",1]`,
		`[["9007199254740993\\"",{"k\"":12345678901234567890}]`: `[["9007199254740993\\"",{"k\"":"12345678901234567890"}]`,
		`[1.2345678901234567890,1e300,12345678901234567e2]`:     `[1.2345678901234567890,1e300,12345678901234567e2]`,
		`[true,null,[]]`: `[true,null,[]]`,
	} {
		if got := string(AppendValue(nil, event.List(text), nil)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestCSV(t *testing.T) {
	want := "time,channel,n,rate,wait,tags,any,none\n" +
		"2025-06-01T00:00:00+02:00,\"q\"\"r, 1\",1234567,0.25,90,\"[\"\"a\"\",1]\",1152921504606846976,\n" +
		"2025-06-02T00:00:00+02:00,\"\",-5,2.0,-1.5,,\"été\n\",\n" +
		",,,1e+300,187200,[],true,\n"
	got := string(AppendCSV(nil, sample(t)))
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if records, err := csv.NewReader(strings.NewReader(got)).ReadAll(); err != nil || len(records) != 4 || records[1][1] != `q"r, 1` {
		t.Error(records, err)
	}
}

func TestText(t *testing.T) {
	want := `time        channel          n    rate   wait  tags     any                        none
──────────  ───────  ─────────  ──────  ─────  ───────  ─────────────────────────  ────
2025-06-01  q"r, 1   1,234,567    0.25  1m30s  ["a",1]  1,152,921,504,606,846,976  –
2025-06-02                  -5     2.0  -1.5s  –        été·                       –
–           –                –  1e+300  2d 4h  []       true                       –
3 rows
warning: a "b"
`
	got := string(AppendText(nil, sample(t), TextOptions{}))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextFitsTheScreen(t *testing.T) {
	table := &Table{
		Columns: []Column{{Name: "名前", Type: TypeString}, {Name: "url", Type: TypeString}, {Name: "n", Type: TypeInt}},
		Rows: [][]event.Value{
			{event.String("ありがとうございます"), event.String(strings.Repeat("https://example.com/", 20)), event.Int(1)},
		},
		Meta: Meta{Exact: false, ErrorBound: 0.01, Partial: true, Truncated: true},
	}
	got := string(AppendText(nil, table, TextOptions{Width: 40}))
	for _, line := range strings.Split(got, "\n")[:3] {
		if n := displaywidth.String(line); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(got, "1 row, more were left out, partial: some data could not be read, quantiles within 1 %") {
		t.Error(got)
	}
}

func TestHumanNumbers(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", 0.5: "0.5", 1234567.891: "1,234,567.9", 0.123456789: "0.123457", 1.0 / 3: "0.33333", -2.5: "-2.5",
		12.3456789: "12.3457", 99.9999999: "100.0", 1e-9: "1e-09", 1e20: "1e+20", -1234.5: "-1,234.5", 12345.5: "12,345.5", 0.00012345: "0.000123",
	} {
		got := humanFloat(f, true)
		if strings.TrimRight(got, "0") != strings.TrimRight(want, "0") && math.Abs(f-1.0/3) > 1e-9 {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	for nanos, want := range map[int64]string{
		0: "0s", 1500: "1.5µs", 340_000_000: "340ms", 1_250_000_000: "1.25s", 59_999_999_999: "59.99s", 60e9: "1m", 90e9: "1m30s",
		3600e9: "1h", 12300e9: "3h 25m", 86400e9: "1d", 187200e9: "2d 4h", -90e9: "-1m30s", math.MinInt64: "-106751d 23h",
	} {
		if got := humanDuration(nanos); got != want {
			t.Errorf("%d: %s, want %s", nanos, got, want)
		}
	}
}

func TestInfer(t *testing.T) {
	for want, values := range map[Type][]event.Value{
		TypeNull:  {event.Null, {}},
		TypeInt:   {event.Int(1), event.Null},
		TypeFloat: {event.Int(1), event.Float(2)},
		TypeMixed: {event.Int(1), event.String("a")},
		TypeList:  {event.List("[]")},
		TypeBool:  {event.Bool(true), {}},
	} {
		table := Table{Columns: []Column{{Name: "x"}}}
		for _, v := range values {
			table.Rows = append(table.Rows, []event.Value{v})
		}
		if table.Infer(); table.Columns[0].Type != want {
			t.Errorf("%v: %s, want %s", values, table.Columns[0].Type, want)
		}
	}
}
