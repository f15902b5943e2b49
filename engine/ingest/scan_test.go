package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"cairn/engine/event"
)

func nested(open, close, inner string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(close, n)
}

func TestRejects(t *testing.T) {
	long := strings.Repeat("x", 300)
	var many strings.Builder
	for i := range 1025 {
		fmt.Fprintf(&many, `,"f%d":1`, i)
	}
	for _, test := range []struct{ line, reason, field, message string }{
		{`{"event":7}`, BadEvent, "event", "expected a string, found a number"},
		{`{"event":null}`, BadEvent, "event", "expected a string, found null"},
		{`{"event":["a"]}`, BadEvent, "event", "expected a string, found a list"},
		{`{"event":""}`, BadEvent, "event", "the event's name is empty"},
		{`{"user":"u"}`, BadEvent, "event", "the event has no name"},
		{`{"event":"a","user":{"x":1}}`, BadEvent, "user", "expected a string, found an object"},
		{`[1]`, BadEvent, "", "expected an object, found a list"},
		{`nonsense`, BadJSON, "", "expected a value, found 'n'"},
		{`{"event":"a","time":true}`, BadTime, "time", "expected a string or a number, found true"},
		{`{"event":"a","time":"yesterday"}`, BadTime, "time", `"yesterday" is not a time as RFC 3339 writes it`},
		{`{"event":"a","time":1e300}`, BadTime, "time", "1e300 is not a time"},
		{`{"event":"a","time":"2099-01-01T00:00:00Z"}`, TimeTooNew, "time", "2099-01-01T00:00:00Z is after 2030-01-01T00:00:00Z"},
		{`{"event":"` + long + `"}`, BadEvent, "event", "it has 300 bytes, more than 256"},
		{`{"event":"a","user":"` + long + long + `"}`, UserTooLong, "user", "it has 600 bytes, more than 512"},
		{`{"event":"a","id":"` + long + `"}`, IDTooLong, "id", "it has 300 bytes, more than 256"},
		{`{"event":"a","` + long + `":1}`, NameTooLong, long[:64], "the name has 300 bytes, more than 256"},
		{`{"event":"a","x":"` + strings.Repeat("y", 65537) + `"}`, ValueTooLong, "x", "the string has 65537 bytes, more than 65536"},
		{`{"event":"a"` + many.String() + `}`, TooManyFields, "", "more than 1024 fields"},
		{`{"event":"a","x":"` + strings.Repeat(" ", 1<<20) + `"}`, ValueTooLong, "x", "the string has 1048576 bytes, more than 65536"},
		{`{"event":"a",` + strings.Repeat(" ", 1<<20) + `"x":1}`, EventTooLarge, "", "the event has 1048596 bytes, more than 1048576"},
		{`{"event":"a","x":` + nested(`{"y":`, `}`, `1`, 1000) + `}`, TooDeep, "", "more than 16 objects and lists inside each other"},
		{`{"event":"a","x":` + nested(`[`, `]`, ``, 1000) + `}`, TooDeep, "", "more than 16 objects and lists inside each other"},
		{`{"event":"a","x":` + nested(`[`, ``, ``, 1000) + `}`, BadJSON, "", "expected a value, found '}'"},
		{`{"event":"a","x":1,"x":2}`, BadJSON, "x", "the key stands twice in an object"},
		{`{"event":"a","x":{"y":1},"x.y":2}`, DuplicateField, "x.y", "the field has a value already"},
		{`{"event":"a","x":1,"fields":{"x":2}}`, DuplicateField, "x", "the field has a value already"},
		{`{"event":"a","x":01}`, BadJSON, "", "not a number as JSON writes them"},
		{`{"event":"a","x":1e999}`, BadJSON, "", "the number is beyond a 64-bit float"},
		{`{"event":"a","x":"\ud800"}`, BadJSON, "", "a lone surrogate in a string"},
		{"{\"event\":\"a\",\"x\":\"\xff\"}", BadJSON, "", "invalid UTF-8 in a string"},
		{`{"event":"a","x":"no end}`, BadJSON, "", "the line ends inside a string"},
		{`{"event":"a"} {"event":"b"}`, BadJSON, "", "expected the end of the line, found '{'"},
		{`{"event":"a","time":true,"x":}`, BadJSON, "", "expected a value, found '}'"},
		{`{"event":"a","\u0000dots":"x"}`, BadJSON, "", "the name begins with U+0000"},
	} {
		s := newTestScanner(t, Options{Received: arrival, TimeMax: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), KeepRaw: true})
		result := s.NDJSON([]byte("\n" + `{"event":"before"}` + "\r\n\n" + test.line + "\r\n" + `{"event":"after"}`))
		name := test.line[:min(60, len(test.line))]
		if result.Batch.Rows != 2 || len(result.Rejects) != 1 || result.Events != 3 || result.Lines != 4 {
			t.Errorf("%s: %d rows, %v", name, result.Batch.Rows, result.Rejects)
			continue
		}
		r := result.Rejects[0]
		if r.Reason != test.reason || r.Field != test.field || r.Message != test.message {
			t.Errorf("%s:\ngot  %s %q %s\nwant %s %q %s", name, r.Reason, r.Field, r.Message, test.reason, test.field, test.message)
		}
		if r.Line != 4 || r.Index != 1 || string(r.Raw) != test.line {
			t.Errorf("%s: line %d, index %d, raw %.40q", name, r.Line, r.Index, r.Raw)
		}
		if result.Index(0) != 0 || result.Index(1) != 2 {
			t.Errorf("%s: rows stand at %d and %d", name, result.Index(0), result.Index(1))
		}
		if len(result.Batch.Fields) > 0 {
			t.Errorf("%s: the rejected event left %v", name, result.Batch.Fields[0].Name)
		}
	}
}

func TestArrays(t *testing.T) {
	for _, test := range []struct {
		body         string
		rows, reject int
		err          string
	}{
		{`[]`, 0, 0, "no events"},
		{` `, 0, 0, "no events"},
		{`[{"event":"a"}]`, 1, 0, ""},
		{"[\n {\"event\":\"a\"} ,\n {\"event\":1},{\"event\":\"b\"}\n]\n", 2, 1, ""},
		{`[{"event":"a"},5,{"event":"a","x":1,"x":2},{"event":"a","x":"\ud800"},{"event":"b"}]`, 2, 3, ""},
		{"{\n\"event\":\n\"a\"\n}\n", 1, 0, ""},
		{"{\"event\":\"a\"}\n{\"event\":\"b\"}", 2, 0, ""},
		{"\xef\xbb\xbf{\"event\":\"a\"}\n", 1, 0, ""},
		{`[{"event":"a"},]`, 0, 0, "line 1, byte 15: expected a value, found ']'"},
		{"[{\"event\":\"a\"}\n{\"event\":\"a\"}]", 0, 0, "line 2, byte 15: expected a comma or a closing bracket after the event, found '{'"},
		{`[{"event":"a"}] x`, 0, 0, "line 1, byte 16: expected the end, found 'x'"},
		{`[{"event":"a"}`, 0, 0, "line 1, byte 14: expected a comma or a closing bracket after the event, found the end"},
		{"\xef\xbb\xbf[{\"event\":\"a\",\"x\":tru}]", 0, 0, "line 1, byte 21: expected a value, found 't'"},
		{`[{"event":"a","x":"` + "\n" + `"}]`, 0, 0, "line 1, byte 19: a control character in a string"},
	} {
		s := newTestScanner(t, Options{Received: arrival})
		for range 2 {
			result, err := s.Scan([]byte(test.body))
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("%q: %v, want %s", test.body, err, test.err)
				}
				continue
			}
			if err != nil || result.Batch.Rows != test.rows || len(result.Rejects) != test.reject {
				t.Errorf("%q: %v, %+v", test.body, err, result)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	for _, test := range []struct{ format, value, want string }{
		{"", `"2025-06-01T08:00:00Z"`, "2025-06-01T08:00:00Z"},
		{"", `"2025-06-01T08:00:00.123456789+08:00"`, "2025-06-01T00:00:00.123456789Z"},
		{"", `"2025-06-01t08:00:00.1-00:30"`, "2025-06-01T08:30:00.1Z"},
		{"", `"2024-02-29 23:59:60Z"`, "2024-03-01T00:00:00Z"},
		{"", `"1969-12-31T23:59:59.5Z"`, "1969-12-31T23:59:59.5Z"},
		{"", `"2025-06-01T08:00:00"`, ""},
		{"", `"1748764803"`, ""},
		{"", `"2025-06-01T24:00:00Z"`, ""},
		{"", `"1500-06-01T08:00:00Z"`, ""},
		{"", `"2025-06-01T08:00:00.Z"`, ""},
		{"", `1748764803`, "2025-06-01T08:00:03Z"},
		{"", `1748764803.5`, "2025-06-01T08:00:03.5Z"},
		{"", `1748764803.123456789`, "2025-06-01T08:00:03.123456789Z"},
		{"", `1748764803500`, "2025-06-01T08:00:03.5Z"},
		{"", `1748764803500000`, "2025-06-01T08:00:03.5Z"},
		{"", `1748764803500000000`, "2025-06-01T08:00:03.5Z"},
		{"", `-1.5`, "1969-12-31T23:59:58.5Z"},
		{"", `1.7487648e9`, "2025-06-01T08:00:00Z"},
		{"", `99999999999`, ""},
		{"", `1748764803500.25`, "2025-06-01T08:00:03.50025Z"},
		{"auto", `"2025-06-01"`, "2025-05-31T16:00:00Z"},
		{"auto", `"2025-06-01 08:00:00.5"`, "2025-06-01T00:00:00.5Z"},
		{"auto", `"1748764803"`, "2025-06-01T08:00:03Z"},
		{"auto", `"2025-06-01T08:00:00Z"`, "2025-06-01T08:00:00Z"},
		{"auto", `"soon"`, ""},
		{"unix_ms", `1748764803`, "1970-01-21T05:46:04.803Z"},
		{"unix", `"1748764803"`, "2025-06-01T08:00:03Z"},
		{"unix", `"2025-06-01T08:00:00Z"`, ""},
		{"2/1/2006 15:04", `"29/2/2016 01:16"`, "2016-02-28T17:16:00Z"},
		{"20060102", `19970101`, "1996-12-31T16:00:00Z"},
	} {
		s := newTestScanner(t, Options{TimeFormat: test.format, Location: shanghai})
		result := s.NDJSON([]byte(`{"event":"a","time":` + test.value + `}`))
		got := ""
		if result.Batch.Rows == 1 {
			got = time.Unix(0, result.Batch.Time[0]).UTC().Format(time.RFC3339Nano)
		}
		if got != test.want {
			t.Errorf("%s as %q: got %s %v, want %s", test.value, test.format, got, result.Rejects, test.want)
		}
	}
}

func TestMapping(t *testing.T) {
	line := `{"created_at":"2021-07-21T06:00:00Z","type":"PushEvent","id":123,"actor":{"login":"ada","id":5},"user":"ignored","event":"x","time":7}`
	s := newTestScanner(t, Options{TimeField: "created_at", EventField: "type", UserField: "actor.login", IDField: "id"})
	result := s.NDJSON([]byte(line))
	if result.Batch.Rows != 1 {
		t.Fatal(result.Rejects)
	}
	got := string(event.AppendJSON(nil, &result.Batch.Events()[0]))
	want := `{"time":"2021-07-21T06:00:00Z","event":"PushEvent","user":"ada","id":"123","type":"PushEvent","actor":{"login":"ada","id":5},"fields":{"user":"ignored","event":"x","time":7}}`
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	s = newTestScanner(t, Options{EventName: "edit"})
	result = s.NDJSON([]byte(`{"time":1,"user":"u","event":"kept","id":"i","x":null}` + "\n" + `{"user":"u"}`))
	if got := string(event.AppendJSON(nil, &result.Batch.Events()[0])); got != `{"time":"1970-01-01T00:00:01Z","event":"edit","user":"u","id":"i","x":null,"fields":{"event":"kept"}}` {
		t.Error(got)
	}
	if len(result.Rejects) != 1 || result.Rejects[0].Reason != BadTime {
		t.Error(result.Rejects)
	}
	s = newTestScanner(t, Options{Received: 5, AllowReceived: true})
	result = s.NDJSON([]byte(`{"event":"a","received":"1970-01-01T00:00:01Z"}` + "\n" + `{"event":"a"}`))
	if !reflect.DeepEqual(result.Batch.Received, []int64{1e9, 5}) {
		t.Error(result.Batch.Received, result.Rejects)
	}
}

func TestCSV(t *testing.T) {
	body := "\xef\xbb\xbftime;event;user;n;f;ok;code;text;null\r\n" +
		"2025-06-01;a;u1;12;1.50;TRUE;007;\"say \"\"hi\"\";\nthere\";?\r\n" +
		"\r\n" +
		"2025-06-01;b;;-5;-0.5;false;\"12\";x;\"?\"\r\n" +
		"2025-06-01;c;u3;1\r\n" +
		"2025-06-01;;u3;1;1;1;1;1;1\r\n" +
		"later;d;u3;1;1;1;1;1;1\r\n" +
		"2025-06-01;e;u3;\"x\"y;1;1;1;1;1\r\n" +
		"2025-06-01;f;u4;99999999999999999999;1e3;yes;+1;\"\";\"?\""
	want := []string{
		`{"time":"2025-06-01T00:00:00Z","event":"a","user":"u1","n":12,"f":1.5,"ok":true,"code":"007","text":"say \"hi\";\nthere"}`,
		`{"time":"2025-06-01T00:00:00Z","event":"b","n":-5,"f":-0.5,"ok":false,"code":"12","text":"x","null":"?"}`,
		`{"time":"2025-06-01T00:00:00Z","event":"f","user":"u4","n":"99999999999999999999","f":1000.0,"ok":"yes","code":"+1","text":"","null":"?"}`,
	}
	opt := Options{Format: FormatCSV, TimeFormat: "auto", NullValues: []string{"?"}, KeepRaw: true, KeepPositions: true}
	check := func(result *Result) {
		t.Helper()
		var got []string
		for _, e := range result.Batch.Events() {
			got = append(got, string(event.AppendJSON(nil, &e)))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
		var rejects []string
		for _, r := range result.Rejects {
			rejects = append(rejects, fmt.Sprintf("%d %s", r.Index, r))
		}
		if !reflect.DeepEqual(rejects, []string{
			`2 line 6: bad_csv: expected 9 columns, found 4`,
			`3 line 7: bad_event: field "event": the event has no name`,
			`4 line 8: bad_time: field "time": "later" is not a time as RFC 3339, a date or a number`,
			`5 line 9: bad_csv: text after a closing quote`,
		}) {
			t.Errorf("rejects\n%s", strings.Join(rejects, "\n"))
		}
		if string(result.Rejects[0].Raw) != "2025-06-01;c;u3;1" {
			t.Errorf("%q", result.Rejects[0].Raw)
		}
		if line, _, ok := result.Position(2); line != 10 || !ok {
			t.Errorf("row 2 stands on line %d", line)
		}
	}
	result, err := newTestScanner(t, opt).Scan([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	check(result)
	err = Stream(context.Background(), iotest.OneByteReader(strings.NewReader(body)), opt, 2, func(r *Result) error { check(r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		"a,b\n1,2\n":       `bad header line: no column "time" for the event's time; there are a, b`,
		"time,time\n1,2\n": `bad header line: two columns are called "time"`,
		"time,b\n1,2\n":    `bad header line: no column "event" for the event's event; there are time, b`,
		"\"time,b\n1,2\n":  `bad header line: a quote has no end`,
	} {
		if _, err := newTestScanner(t, Options{Format: FormatCSV}).Scan([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", body, err)
		}
	}
	s := newTestScanner(t, Options{Format: FormatCSV, Header: []string{"when", "what"}, TimeField: "when", EventField: "what"})
	result, err = s.Scan([]byte("5,a\n\"6\n7,b\n"))
	if err != nil || result.Batch.Rows != 2 || len(result.Rejects) != 1 || result.Rejects[0].Line != 2 {
		t.Errorf("%v %+v", err, result)
	}
}

// streamed reads a body through Stream and joins the results.
func streamed(t *testing.T, r io.Reader, opt Options, workers int) (events []event.Event, rejects []Reject, err error) {
	t.Helper()
	next := 0
	err = Stream(context.Background(), r, opt, workers, func(result *Result) error {
		for row, e := range result.Batch.Events() {
			if index := result.Index(row); index < next {
				t.Fatalf("event %d comes after %d", index, next)
			} else {
				next = index + 1
			}
			events = append(events, e)
		}
		rejects = append(rejects, result.Rejects...)
		return nil
	})
	return events, rejects, err
}

func TestStreamEqualsScan(t *testing.T) {
	var lines, array bytes.Buffer
	array.WriteString(" [")
	for i := 0; lines.Len() < 5*chunkBytes; i++ {
		line := fmt.Sprintf(`{"event":"e%d","time":%d,"user":"u%d","x":[{"y":"],{%d"}],"pad":%q}`, i%10, i+1, i%100, i, strings.Repeat("p", i%1000))
		if i%1000 == 17 {
			line = `{"event":5}`
		}
		fmt.Fprintf(&lines, "%s\n", line)
		if i%50 == 0 {
			lines.WriteString("\n")
		}
		if i > 0 {
			array.WriteString(",\n")
		}
		array.WriteString(line)
	}
	array.WriteString("]\n")
	s := newTestScanner(t, Options{})
	for name, body := range map[string][]byte{"lines": lines.Bytes(), "array": array.Bytes()} {
		whole, err := s.Scan(body)
		if err != nil {
			t.Fatal(err)
		}
		events, rejects, err := streamed(t, bytes.NewReader(body), Options{}, 3)
		if err != nil || !reflect.DeepEqual(rejects, whole.Rejects) {
			t.Fatalf("%s: %v; %d rejects, want %d", name, err, len(rejects), len(whole.Rejects))
		}
		want := whole.Batch.Events()
		if len(events) != len(want) {
			t.Fatalf("%s: %d events, want %d", name, len(events), len(want))
		}
		for i := range want {
			if !sameEvent(events[i], want[i]) {
				t.Fatalf("%s: event %d: %+v, want %+v", name, i, events[i], want[i])
			}
		}
	}
	broken := bytes.Replace(array.Bytes(), []byte(`"e9","time":5000,`), []byte(`"e9","time":,`), 1)
	_, scanErr := s.Scan(broken)
	_, _, streamErr := streamed(t, bytes.NewReader(broken), Options{}, 2)
	if scanErr == nil || streamErr == nil || scanErr.Error() != streamErr.Error() {
		t.Errorf("a broken array: %v by Scan, %v by Stream", scanErr, streamErr)
	}
}

func TestStreamEnds(t *testing.T) {
	huge := `{"event":"a","time":1}` + "\n" + `{"event":"b","x":"` + strings.Repeat("x", 5*chunkBytes) + "\"}\n" + `{"event":"c","time":1}`
	events, rejects, err := streamed(t, strings.NewReader(huge), Options{}, 2)
	if err != nil || len(events) != 2 || len(rejects) != 1 || rejects[0].Reason != EventTooLarge || rejects[0].Line != 2 || rejects[0].Index != 1 {
		t.Errorf("a huge line: %d events, %v, %v", len(events), rejects, err)
	}
	fault := errors.New("fault")
	_, _, err = streamed(t, io.MultiReader(strings.NewReader(huge), iotest.ErrReader(fault)), Options{}, 2)
	if !errors.Is(err, fault) {
		t.Error(err)
	}
	for format, part := range map[Format]string{
		FormatNDJSON: "{\"event\":\"a\",\"time\":1}\n{\"event\":\"b\",\"time\":1}\n{\"event\":\"c\"",
		FormatJSON:   "[{\"event\":\"a\",\"time\":1},{\"event\":\"b\",\"time\":1},{\"event\":\"c\"",
		FormatCSV:    "event,time\na,1\nb,1\nc",
	} {
		events, rejects, err := streamed(t, io.MultiReader(strings.NewReader(part), iotest.ErrReader(fault)), Options{Format: format}, 2)
		if !errors.Is(err, fault) || len(events) != 2 || len(rejects) != 0 {
			t.Errorf("%s cut short: %d events, %v, %v", format, len(events), rejects, err)
		}
	}
	if err := Stream(context.Background(), strings.NewReader(huge), Options{}, 2, func(*Result) error { return fault }); !errors.Is(err, fault) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Stream(ctx, strings.NewReader(huge), Options{}, 2, func(*Result) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, empty := range []string{"", "\n\n", "[]", "\xef\xbb\xbf"} {
		if events, _, err := streamed(t, strings.NewReader(empty), Options{}, 1); err != nil || len(events) > 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
	if events, _, err := streamed(t, strings.NewReader("{\n\"event\":\"a\",\"time\":1}"), Options{Format: FormatJSON}, 1); err != nil || len(events) != 1 {
		t.Error(err, events)
	}
}
