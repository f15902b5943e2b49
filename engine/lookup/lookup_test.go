package lookup_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/engine/lookup"
)

func parse(t *testing.T, text string, keys ...string) *lookup.Table {
	t.Helper()
	table, err := lookup.Parse([]byte(text), keys, 1000)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return table
}

func rows(table *lookup.Table) [][]event.Value {
	var out [][]event.Value
	for i := range table.Rows() {
		out = append(out, table.Row(i))
	}
	return out
}

func TestParse(t *testing.T) {
	null, text, whole := event.Null, event.String, event.Int
	for _, c := range []struct {
		name, text string
		columns    []string
		want       [][]event.Value
	}{
		{"csv", "id,name,n\n1,a,1.5\n2,,true\n", []string{"id", "name", "n"}, [][]event.Value{
			{whole(1), text("a"), event.Float(1.5)}, {whole(2), null, event.Bool(true)},
		}},
		{"quotes are strings", "id;\"a \"\"name\"\"\"\r\n\"1\";\"x\ny\"\r\n007;\"\"", []string{"id", `a "name"`}, [][]event.Value{
			{text("1"), text("x\ny")}, {text("007"), text("")},
		}},
		{"empty lines and a mark of bytes", "\xef\xbb\xbfid\tb\n\n1\t\n\n", []string{"id", "b"}, [][]event.Value{{whole(1), null}}},
		{"no rows", "id,b", []string{"id", "b"}, nil},
		{"numbers that would not come back", "id,b\n99999999999999999999,-0\n+1,1e400\n", []string{"id", "b"}, [][]event.Value{
			{text("99999999999999999999"), text("-0")}, {text("+1"), text("1e400")},
		}},
		{"ndjson", "{\"id\":1}\n\n {\"b\":\"\\u00e9\",\"id\":\"x\"}\r\n{\"id\":1.5,\"c\":null,\"b\":false}", []string{"id", "b", "c"}, [][]event.Value{
			{whole(1), null, null}, {text("x"), text("é"), null}, {event.Float(1.5), event.Bool(false), null},
		}},
	} {
		table := parse(t, c.text, "id")
		if !reflect.DeepEqual(table.Columns(), c.columns) || !reflect.DeepEqual(rows(table), c.want) {
			t.Errorf("%s: %q %v; want %q %v", c.name, table.Columns(), rows(table), c.columns, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, keys, want string }{
		{"", "id", "not a side table: the text is empty"},
		{"id,b\n1,2\n\n3,4\n1,5\n", "id", "line 5: the key 1 is that of line 2 too"},
		{"id,b\n1.0,2\n1,4\n", "id", "line 3: the key 1 is that of line 2 too"},
		{"id,day,b\na,1,2\na,1,4\n", "id,day", `line 3: the key "a", 1 is that of line 2 too`},
		{"id,b\n\"x\ny\",2\n,4\n", "id", `line 4: the key's "id" has no value`},
		{"id,b\n1,2,3\n", "id", "line 2: expected 2 columns, found 3"},
		{"id,b\n1\n", "id", "line 2: expected 2 columns, found 1"},
		{"id,b\n1,\"x\n", "id", "line 2: a quote has no end"},
		{"id,b\n1,\"x\"y\n", "id", "line 2: text after the quote that ends a cell"},
		{"id,b\n1,\xff\n", "id", `line 2: the column "b" is not UTF-8`},
		{"id,id\n1,2\n", "id", `not a side table: two columns are called "id"`},
		{"id,\n1,2\n", "id", "not a side table: column 2 has no name in UTF-8"},
		{"id,b\n1,2\n", "x", `not a side table: there is no column "x" for the key`},
		{"id,b\n1,2\n", "id,id", `not a side table: the key has the column "id" twice`},
		{"{\"id\":1}\n{\"b\":1}\n", "id", `line 2: the key's "id" has no value`},
		{"{\"id\":1}\n{\"id\":null}\n", "id", `line 2: the key's "id" has no value`},
		{"{\"id\":1}\n{\"id\":2,\"b\":{}}\n", "id", `line 2: "b" is an object; numbers, strings, booleans and null are possible`},
		{"{\"id\":1}\n{\"id\":2,\"b\":[1]}\n", "id", `line 2: "b" is a list; numbers, strings, booleans and null are possible`},
		{"{\"id\":1}\n[2]\n", "id", "line 2: expected an object"},
		{"{\"id\":1} {\"id\":2}\n", "id", "line 1: more text after the object; one object a line is wanted"},
		{"{\"id\":1e999}\n", "id", `line 1: "id": the number 1e999 is beyond a 64-bit float`},
	} {
		_, err := lookup.Parse([]byte(c.text), strings.Split(c.keys, ","), 1000)
		if !errors.Is(err, lookup.ErrInvalid) || err.Error() != c.want {
			t.Errorf("%q by %s: %v; want %s", c.text, c.keys, err, c.want)
		}
	}
	for _, text := range []string{`{"id":1,"id":2}`, `{"id":1`, `{"id":"\ud800"}`, "{\"id\":\"\xff\"}", `{"id":01}`} {
		var line *lookup.LineError
		if _, err := lookup.Parse([]byte(text), []string{"id"}, 1000); !errors.As(err, &line) || line.Line != 1 {
			t.Errorf("%q: %v; want an error of line 1", text, err)
		}
	}
	var many *lookup.RowsError
	if _, err := lookup.Parse([]byte("id\n1\n2\n3\n"), []string{"id"}, 2); !errors.As(err, &many) {
		t.Errorf("three rows where two are allowed: %v", err)
	}
	if _, err := lookup.Parse([]byte("id\n1\n2\n"), []string{"id"}, 2); err != nil {
		t.Errorf("two rows where two are allowed: %v", err)
	}
}

func TestFind(t *testing.T) {
	var text strings.Builder
	text.WriteString("campaign,day,cost\n")
	for i := range 500 {
		fmt.Fprintf(&text, "c%d,%d,%d\n", i/10, i%10, i)
	}
	table := parse(t, text.String(), "day", "campaign")
	for i := range 500 {
		key := []event.Value{event.Float(float64(i % 10)), event.String(fmt.Sprintf("c%d", i/10))}
		if row, ok := table.Find(key); !ok || table.Row(row)[2] != event.Int(int64(i)) {
			t.Fatalf("%v: row %d, %v", key, row, ok)
		}
	}
	for _, key := range [][]event.Value{
		{event.String("1"), event.String("c1")},
		{event.Int(1), event.String("c99")},
		{event.Null, event.String("c1")},
		{event.Int(1)},
	} {
		if row, ok := table.Find(key); ok {
			t.Errorf("%v: found row %d", key, row)
		}
	}
}

// value draws a value that a table may hold.
func value(t *rapid.T) event.Value {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return event.Null
	case 1:
		return event.Bool(rapid.Bool().Draw(t, "bool"))
	case 2:
		return event.Int(rapid.Int64().Draw(t, "int"))
	case 3:
		f := rapid.Float64().Draw(t, "float")
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0.5
		}
		return event.Float(f)
	}
	return event.String(rapid.String().Draw(t, "string"))
}

func TestStoredFormRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.SliceOfNDistinct(rapid.StringN(1, 8, -1), 1, 5, rapid.ID).Draw(t, "columns")
		key := rapid.Permutation(columns).Draw(t, "key")[:rapid.IntRange(1, len(columns)).Draw(t, "keys")]
		var values []event.Value
		for range len(columns) * rapid.IntRange(0, 20).Draw(t, "rows") {
			values = append(values, value(t))
		}
		table, err := lookup.New(columns, key, values)
		if err != nil {
			var row *lookup.RowError
			if !errors.As(err, &row) {
				t.Fatal(err)
			}
			t.Skip("not a table")
		}
		stored, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := lookup.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Columns(), columns) || !reflect.DeepEqual(back.Keys(), key) || !reflect.DeepEqual(rows(back), rows(table)) {
			t.Fatalf("%v %v %v became %v %v %v", columns, key, values, back.Columns(), back.Keys(), rows(back))
		}
		again(t, table)
		// Whatever byte is changed, it is noticed.
		at := rapid.IntRange(0, len(stored)-1).Draw(t, "at")
		stored[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		if _, err := lookup.Decode(stored); !errors.Is(err, lookup.ErrCorrupt) {
			t.Fatalf("byte %d was altered: %v", at, err)
		}
	})
}
