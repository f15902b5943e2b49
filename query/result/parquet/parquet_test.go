package parquet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
	"cairn/query/result"
	"cairn/query/scalar"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

func write(t testing.TB, table *result.Table) *parquet.File {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, table); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func tableOf(names []string, rows ...[]event.Value) *result.Table {
	t := &result.Table{Rows: rows}
	for _, name := range names {
		t.Columns = append(t.Columns, result.Column{Name: name})
	}
	t.Infer()
	return t
}

// A program reads the file as structs, columns by name.
func TestFileIsReadAsStructs(t *testing.T) {
	at := time.Date(2025, 6, 1, 8, 0, 0, 123456789, time.FixedZone("", 8*3600))
	table := tableOf(
		[]string{"time", "count", "rate", "big", "name", "gap", "tags", "hist", "any", "none"},
		[]event.Value{
			event.Time(at.UnixNano()), event.Int(1<<62 + 1), event.Int(1), event.Bool(true), event.String("ä"),
			event.Duration(90_500_000_000), event.List(`["a",null,"b\n"]`), event.List("[1,2]"), event.Int(1<<53 + 1), event.Null,
		},
		[]event.Value{
			{},
			event.Null, event.Float(0.25), event.Bool(false), event.String(""),
			event.Null, event.List("[]"),
			{},
			event.String("1"),
			{},
		},
	)
	table.Meta = result.Meta{Snapshot: "s_1", Exact: true, Warnings: []string{"no event"}}
	type row struct {
		Time  *time.Time `parquet:"time,optional,timestamp(nanosecond)"`
		Count *int64     `parquet:"count,optional"`
		Rate  *float64   `parquet:"rate,optional"`
		Big   *bool      `parquet:"big,optional"`
		Name  *string    `parquet:"name,optional"`
		Gap   *float64   `parquet:"gap,optional"`
		Tags  []*string  `parquet:"tags,optional,list"`
		Hist  []int64    `parquet:"hist,optional,list"`
		Any   *string    `parquet:"any,optional"`
		None  *string    `parquet:"none,optional"`
	}
	f := write(t, table)
	got := make([]row, 3)
	n, err := parquet.NewGenericReader[row](f).Read(got)
	if n != 2 || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%d rows, %v", n, err)
	}
	text, _ := json.Marshal(got[:n])
	const want = `[{"Time":"2025-06-01T00:00:00.123456789Z","Count":4611686018427387905,"Rate":1,"Big":true,"Name":"ä","Gap":90.5,` +
		`"Tags":["a",null,"b\n"],"Hist":[1,2],"Any":"9007199254740993","None":null},` +
		`{"Time":null,"Count":null,"Rate":0.25,"Big":false,"Name":"","Gap":null,"Tags":[],"Hist":null,"Any":"\"1\"","None":null}]`
	if strings.ReplaceAll(string(text), `"Hist":[]`, `"Hist":null`) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if meta, _ := f.Lookup(KeyMeta); meta != string(result.AppendMeta(nil, &table.Meta)) {
		t.Errorf("%s = %s", KeyMeta, meta)
	}
	if columns, _ := f.Lookup(KeyColumns); !strings.HasPrefix(columns, `[{"name":"time","type":"time"},{"name":"count","type":"int"}`) {
		t.Errorf("%s = %s", KeyColumns, columns)
	}
}

func TestSchemaSaysWhatColumnsHold(t *testing.T) {
	row := func(v ...event.Value) []event.Value { return v }
	cases := []struct {
		name   string
		values []event.Value
		want   string
	}{
		{"int", row(event.Int(1), event.Null), "optional int64 c (INT(64,true));"},
		{"float", row(event.Float(0.5), event.Int(3)), "optional double c;"},
		{"float", row(event.Float(0.5), event.Int(1<<53+1)), "optional binary c (JSON);"},
		{"string", row(event.String("x")), "optional binary c (STRING);"},
		{"bool", row(event.Bool(true)), "optional boolean c;"},
		{"time", row(event.Time(1)), "optional int64 c (TIMESTAMP(isAdjustedToUTC=true,unit=NANOS));"},
		{"duration", row(event.Duration(1)), "optional double c;"},
		{"null", row(event.Null, event.Value{}), "optional binary c (STRING);"},
		{"mixed", row(event.Int(1), event.String("1")), "optional binary c (JSON);"},
		{"mixed", row(event.EmptyObject), "optional binary c (JSON);"},
		{"strings", row(event.List(`["a"]`), event.List(`[null]`)), "optional group c (LIST) { repeated group list { optional binary element (STRING); } }"},
		{"empty", row(event.List(`[]`)), "optional group c (LIST) { repeated group list { optional binary element (STRING); } }"},
		{"ints", row(event.List(`[1]`), event.List(`[9007199254740993]`)), "optional group c (LIST) { repeated group list { optional int64 element (INT(64,true)); } }"},
		{"floats", row(event.List(`[1,0.5]`)), "optional group c (LIST) { repeated group list { optional double element; } }"},
		{"bools", row(event.List(`[true]`), event.List(`[false]`)), "optional group c (LIST) { repeated group list { optional boolean element; } }"},
		{"inexact", row(event.List(`[9007199254740993,0.5]`)), "optional binary c (JSON);"},
		{"huge", row(event.List(`[123456789012345678901]`)), "optional binary c (JSON);"},
		{"kinds", row(event.List(`["a"]`), event.List(`[1]`)), "optional binary c (JSON);"},
		{"nested", row(event.List(`[["a"]]`)), "optional binary c (JSON);"},
		{"objects", row(event.List(`[{"a":1}]`)), "optional binary c (JSON);"},
	}
	for _, c := range cases {
		var rows [][]event.Value
		for _, v := range c.values {
			rows = append(rows, []event.Value{v})
		}
		f := write(t, tableOf([]string{"c"}, rows...))
		got := strings.Join(strings.Fields(f.Schema().String()), " ")
		if want := "message answer { " + c.want + " }"; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, want)
		}
	}
}

// randomTable draws a table with columns of every type and with odd names.
func randomTable(t *rapid.T) *result.Table {
	kinds := []*rapid.Generator[event.Value]{
		rapid.Map(rapid.Int64(), event.Int),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), event.Float),
		rapid.Map(rapid.String(), func(s string) event.Value { return event.String(strings.ToValidUTF8(s, "?")) }),
		rapid.Map(rapid.SampledFrom([]string{"a", "b", ""}), event.String),
		rapid.Map(rapid.Bool(), event.Bool),
		rapid.Map(rapid.Int64(), event.Time),
		rapid.Map(rapid.Int64Range(-1e15, 1e15), event.Duration),
		rapid.Map(rapid.SampledFrom([]string{`[]`, `["a"]`, `["é\"",null,"a"]`}), event.List),
		rapid.Map(rapid.SampledFrom([]string{`[1]`, `[1,-2]`, `[9007199254740993]`}), event.List),
		rapid.Map(rapid.SampledFrom([]string{`[1]`, `[0.5]`, `[1e300,null]`}), event.List),
		rapid.Map(rapid.SampledFrom([]string{`[true]`, `[1,"a"]`, `[["a"],{"k":1}]`}), event.List),
		rapid.Just(event.EmptyObject),
		rapid.Just(event.Null),
		rapid.Just(event.Value{}),
	}
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"z", "a", "a.b", "a_b", "A", "a,b", "é", "count", "a b", "list"}), 1, 6, rapid.ID[string]).Draw(t, "names")
	var columns [][]*rapid.Generator[event.Value]
	for range names {
		columns = append(columns, rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 3).Draw(t, "kinds"))
	}
	rows := make([][]event.Value, rapid.IntRange(0, 30).Draw(t, "rows"))
	for i := range rows {
		for c := range columns {
			rows[i] = append(rows[i], rapid.OneOf(columns[c]...).Draw(t, "value"))
		}
	}
	return tableOf(names, rows...)
}

// What is read back is what the table held, by the rules of the package.
func TestRandomTablesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := randomTable(t)
		if rapid.Bool().Draw(t, "zone") {
			table.Meta.Location = time.FixedZone("", 5*3600+1800)
		}
		var b bytes.Buffer
		if err := Write(&b, table); err != nil {
			t.Fatal(err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if f.NumRows() != int64(len(table.Rows)) {
			t.Fatalf("%d rows of %d", f.NumRows(), len(table.Rows))
		}
		fields := f.Schema().Fields()
		for i, c := range table.Columns {
			if fields[i].Name() != c.Name {
				t.Fatalf("column %d is %q, want %q", i, fields[i].Name(), c.Name)
			}
		}
		for r, cells := range readCells(t, f) {
			for c, got := range cells {
				if want := textOf(table, c, table.Rows[r][c]); got != want {
					t.Fatalf("row %d, %q: got %s, want %s", r, table.Columns[c].Name, got, want)
				}
			}
		}
	})
}

// readCells reads a file as texts: those of the values, by row and column.
func readCells(t *rapid.T, f *parquet.File) [][]string {
	var out [][]string
	fields := f.Schema().Fields()
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buffer := make([]parquet.Row, 7)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				cells := make([]string, len(fields))
				row.Range(func(c int, values []parquet.Value) bool {
					cells[c] = cellText(fields[c], values)
					return true
				})
				out = append(out, cells)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func cellText(field parquet.Field, values []parquet.Value) string {
	if field.Leaf() {
		return valueText(field, values[0])
	}
	element := field.Fields()[0].Fields()[0]
	switch {
	case values[0].DefinitionLevel() == 0:
		return "null"
	case values[0].DefinitionLevel() == 1:
		return "[]"
	}
	var parts []string
	for _, v := range values {
		parts = append(parts, valueText(element, v))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func valueText(node parquet.Node, v parquet.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch text := fmt.Sprint(node.Type()); {
	case text == "STRING":
		return strconv.Quote(string(v.ByteArray()))
	case text == "JSON":
		return string(v.ByteArray())
	case strings.HasPrefix(text, "TIMESTAMP"):
		return "time " + strconv.FormatInt(v.Int64(), 10)
	case v.Kind() == parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	default:
		return v.String()
	}
}

// textOf says what cellText should give for a value.
func textOf(table *result.Table, c int, v event.Value) string {
	if !v.Exists() {
		return "null"
	}
	column := columnOf(table, c)
	one := func(f form, v event.Value) string {
		switch {
		case !v.Exists():
			return "null"
		case f == formJSON:
			var b []byte
			switch v.Kind() {
			case event.KindTime:
				b = fmt.Appendf(b, "%q", time.Unix(0, v.AsInt()).In(table.Meta.Zone()).Format(time.RFC3339Nano))
			case event.KindDuration:
				b = result.AppendValue(b, v, time.UTC)
			default:
				b = event.AppendValue(b, v)
			}
			return string(b)
		case f == formText:
			return strconv.Quote(v.AsString())
		case f == formTime:
			return "time " + strconv.FormatInt(v.AsInt(), 10)
		case f == formSeconds:
			return strconv.FormatFloat(float64(v.AsInt())/1e9, 'g', -1, 64)
		case f == formFloat:
			return strconv.FormatFloat(v.AsFloat(), 'g', -1, 64)
		}
		return string(event.AppendValue(nil, v))
	}
	if column.form != formList {
		return one(column.form, v)
	}
	var parts []string
	scalar.Elements(v, func(e event.Value) bool {
		parts = append(parts, one(column.element, e))
		return false
	})
	return "[" + strings.Join(parts, " ") + "]"
}

// A large answer is cut into row groups, and dictionaries that grow too large are given up.
func TestLargeAnswersHaveRowGroups(t *testing.T) {
	table := tableOf([]string{"n", "text"})
	for i := range 2*groupRows + 10 {
		table.Rows = append(table.Rows, []event.Value{event.Int(int64(i)), event.String(fmt.Sprintf("some text %d", i))})
	}
	table.Infer()
	f := write(t, table)
	var sizes []int64
	for _, g := range f.RowGroups() {
		sizes = append(sizes, g.NumRows())
	}
	if !slices.Equal(sizes, []int64{groupRows, groupRows, 10}) {
		t.Errorf("row groups of %v rows", sizes)
	}
	type row struct {
		N    int64  `parquet:"n,optional"`
		Text string `parquet:"text,optional"`
	}
	reader := parquet.NewGenericReader[row](f)
	buffer := make([]row, 1000)
	next := int64(0)
	for {
		n, err := reader.Read(buffer)
		for _, r := range buffer[:n] {
			if r.N != next || r.Text != fmt.Sprintf("some text %d", next) {
				t.Fatalf("row %d is %v", next, r)
			}
			next++
		}
		if err != nil {
			break
		}
	}
	if next != int64(len(table.Rows)) {
		t.Errorf("%d rows of %d", next, len(table.Rows))
	}
}

func TestTableWithoutColumns(t *testing.T) {
	f := write(t, tableOf(nil))
	if f.NumRows() != 0 || len(f.Schema().Fields()) != 0 {
		t.Errorf("%d rows, %v", f.NumRows(), f.Schema())
	}
	if _, ok := f.Lookup(KeyMeta); !ok {
		t.Error("no meta")
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, errors.New("no room")
	}
	return len(p), nil
}

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	table := tableOf([]string{"a"}, []event.Value{event.Int(1)})
	var b bytes.Buffer
	if err := Write(&b, table); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < b.Len(); room += 7 {
		if err := Write(&fullDisk{room}, table); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}
