package ingest

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"cairn/engine/event"
)

const arrival = 1_700_000_000_000_000_000

// oracle reads one event in Cairn's own shape with jsontext and the rules in their plainest form.
// It keeps to the limits on names, depth and strings, and not to the others.
func oracle(line []byte) (e event.Event, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(line))
	whole, err := d.ReadValue()
	if err != nil || whole.Kind() != '{' {
		return e, false
	}
	whole = slices.Clone(whole)
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return e, false
	}
	o := oracleReader{decoder: jsontext.NewDecoder(bytes.NewReader(whole)), event: &e, values: map[string]event.Value{}, ok: true}
	e.Time = arrival
	o.decoder.ReadToken()
	o.members(nil, true, 1)
	if e.Name == "" {
		return e, false
	}
	if len(o.dots) > 0 {
		o.values[event.FieldDots] = event.String(event.FormatDots(o.dots))
	}
	for name, v := range o.values {
		e.Fields = append(e.Fields, event.Field{Name: name, Value: v})
	}
	return e, o.ok
}

type oracleReader struct {
	decoder *jsontext.Decoder
	event   *event.Event
	values  map[string]event.Value
	dots    [][]string
	ok      bool
}

// members reads an object's members up to its end.
func (o *oracleReader) members(path []string, top bool, depth int) {
	o.ok = o.ok && depth <= 16
	for o.decoder.PeekKind() != '}' {
		token, _ := o.decoder.ReadToken()
		key := token.String()
		if !top || !o.attribute(key) {
			o.value(append(slices.Clip(path), key), depth)
		}
	}
	o.decoder.ReadToken()
}

func (o *oracleReader) attribute(key string) bool {
	kind := o.decoder.PeekKind()
	if key == "fields" {
		if kind != '{' {
			return false
		}
		o.decoder.ReadToken()
		o.members(nil, false, 1)
		return true
	}
	if !slices.Contains([]string{"time", "event", "user", "id"}, key) {
		return false
	}
	raw, _ := o.decoder.ReadValue()
	raw = slices.Clone(raw)
	text := string(raw)
	if kind == '"' {
		unquoted, err := jsontext.AppendUnquote(nil, raw)
		o.ok = o.ok && err == nil
		text = string(unquoted)
	}
	switch {
	case kind == 'n':
		o.ok = o.ok && key != "event"
	case kind != '"' && kind != '0', key == "event" && kind != '"':
		o.ok = false
	case kind == '0' && !o.number(text):
	case key == "time":
		if kind == '"' {
			t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
			nanos, fits := nanosOf(t, err)
			o.event.Time = nanos
			if !fits || !strict.MatchString(text) { // the scanner also takes a space for the T, and leap seconds
				o.event.Time, fits = rfc3339([]byte(text))
			}
			o.ok = o.ok && fits
		} else {
			kind, bits, _ := number([]byte(text))
			nanos, fits := (&timeReader{}).number([]byte(text), kind, bits)
			o.event.Time = nanos
			o.ok = o.ok && fits
		}
	case key == "event":
		o.event.Name = text
		o.ok = o.ok && len(text) <= 256
	case key == "user":
		o.event.User = text
		o.ok = o.ok && len(text) <= 512
	case key == "id":
		o.event.ID = text
		o.ok = o.ok && len(text) <= 256
	}
	return true
}

// strict is what RFC 3339 writes; package time takes more.
var strict = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$`)

// number reports whether a number fits a float64.
func (o *oracleReader) number(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	o.ok = o.ok && err == nil
	return err == nil
}

func (o *oracleReader) value(path []string, depth int) {
	name := strings.Join(path, ".")
	o.ok = o.ok && !strings.HasPrefix(name, "\x00") && len(name) <= 256
	kind := o.decoder.PeekKind()
	if kind == '{' {
		o.decoder.ReadToken()
		if o.decoder.PeekKind() != '}' {
			o.members(path, false, depth+1)
			return
		}
		o.decoder.ReadToken()
		o.ok = o.ok && depth < 16
		o.set(name, path, event.EmptyObject)
		return
	}
	if kind == '[' {
		o.set(name, path, event.List(string(o.list(nil, depth+1))))
		return
	}
	token, _ := o.decoder.ReadToken()
	switch kind {
	case 'n':
		o.set(name, path, event.Null)
	case 't', 'f':
		o.set(name, path, event.Bool(kind == 't'))
	case '"':
		o.ok = o.ok && len(token.String()) <= 64<<10
		o.set(name, path, event.String(token.String()))
	case '0':
		text := token.String()
		i, err := strconv.ParseInt(text, 10, 64)
		if err == nil && text != "-0" {
			o.set(name, path, event.Int(i))
			return
		}
		f, _ := strconv.ParseFloat(text, 64)
		if o.number(text) {
			o.set(name, path, event.Float(f))
		}
	}
}

func (o *oracleReader) set(name string, path []string, v event.Value) {
	if _, repeated := o.values[name]; repeated {
		o.ok = false
	}
	o.values[name] = v
	if strings.Count(name, ".") >= len(path) {
		o.dots = append(o.dots, path)
	}
}

// list appends the compact text of the value that comes.
func (o *oracleReader) list(dst []byte, depth int) []byte {
	kind := o.decoder.PeekKind()
	token, _ := o.decoder.ReadToken()
	if kind == '[' || kind == '{' {
		o.ok = o.ok && depth <= 16
	}
	switch kind {
	case '[':
		dst = append(dst, '[')
		for i := 0; o.decoder.PeekKind() != ']'; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = o.list(dst, depth+1)
		}
		o.decoder.ReadToken()
		return append(dst, ']')
	case '{':
		dst = append(dst, '{')
		for i := 0; o.decoder.PeekKind() != '}'; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(o.list(dst, depth+1), ':')
			dst = o.list(dst, depth+1)
		}
		o.decoder.ReadToken()
		return append(dst, '}')
	case '"':
		o.ok = o.ok && len(token.String()) <= 64<<10
		return event.AppendString(dst, token.String())
	case '0':
		o.number(token.String())
	}
	return append(dst, token.String()...)
}

func sortFields(e event.Event) event.Event {
	e.Fields = slices.Clone(e.Fields)
	slices.SortFunc(e.Fields, func(a, b event.Field) int { return strings.Compare(a.Name, b.Name) })
	return e
}

func sameEvent(a, b event.Event) bool {
	a, b = sortFields(a), sortFields(b)
	return a.Time == b.Time && a.Name == b.Name && a.User == b.User && a.ID == b.ID && slices.Equal(a.Fields, b.Fields)
}

func newTestScanner(t testing.TB, opt Options) *Scanner {
	t.Helper()
	s, err := NewScanner(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkLine holds the scanner to the oracle for one line: between other events, as an element of an
// array, and once more after it was written out.
func checkLine(t *testing.T, s *Scanner, line []byte) {
	t.Helper()
	if bytes.IndexByte(line, '\n') >= 0 || len(bytes.TrimLeft(line, " \t\r")) == 0 {
		return
	}
	want, ok := oracle(line)
	const around = `{"event":"neighbour","x":1,"y":"z","user":"u"}`
	body := append(append([]byte(around+"\n"), line...), "\n"+around...)
	result := s.NDJSON(body)
	events := result.Batch.Events()
	if result.Events != 3 || len(events) < 2 || !sameEvent(events[0], events[len(events)-1]) || events[0].Name != "neighbour" || len(events[0].Fields) != 2 {
		t.Fatalf("%q: the neighbours suffered: %+v %v", line, events, result.Rejects)
	}
	if got := len(events) == 3; got != ok {
		t.Fatalf("%q: accepted %v, want %v: %v", line, got, ok, result.Rejects)
	}
	if !ok {
		r := result.Rejects[0]
		if r.Line != 2 || r.Index != 1 || r.Offset < int64(len(around)) || r.Offset > int64(len(around)+1+len(line)) || r.Reason == "" || r.Message == "" {
			t.Fatalf("%q: reject %+v", line, r)
		}
		if r.Reason != BadJSON {
			array, err := s.Scan([]byte("[" + around + "," + string(line) + "," + around + "]"))
			if err != nil || len(array.Rejects) != 1 || array.Rejects[0].Reason != r.Reason || array.Batch.Rows != 2 {
				t.Fatalf("%q in an array: %v, want one reject %v", line, err, r)
			}
		}
		return
	}
	if !sameEvent(events[1], want) {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", line, sortFields(events[1]), sortFields(want))
	}
	array, err := s.Scan([]byte("[" + string(line) + "\n]"))
	if err != nil || len(array.Rejects) > 0 || !sameEvent(array.Batch.Events()[0], want) {
		t.Fatalf("%q in an array: %v", line, err)
	}
	text := event.AppendJSON(nil, &events[1])
	again := s.NDJSON(text)
	if len(again.Rejects) > 0 || !sameEvent(again.Batch.Events()[0], want) {
		t.Fatalf("%q written as %q comes back as %+v %v", line, text, again.Batch.Events(), again.Rejects)
	}
}

var seeds = []string{
	`{"event":"a"}`,
	`{"time":"2025-06-01T08:00:00.120Z","event":"app_launch","user":"o6_bm","id":"a1","scene":1011}`,
	`{"time":1748764803.5,"event":"pay_success","user":12,"id":"a2","amount":12.5,"payload":{"method":"qr"}}`,
	`{"event":7}`, `{"event":null}`, `{"event":""}`, `{}`, `[]`, `5`, `"x"`, `null`, `{"event":"a"} x`, `{"event":"a",}`,
	`{"event":"a","a":1,"a":2}`, `{"event":"a","a":{"b":1},"a.b":2}`, `{"event":"a","a":{"b":1,"b":2}}`, `{"event":"a","a":{},"a":1}`,
	`{"event":"a","a":1,"fields":{"a":2}}`, `{"event":"a","fields":{"a":2,"time":3,"user":{"x":1},"fields":{"y":2}}}`, `{"event":"a","fields":[1]}`,
	`{"event":"a","x":[1, 2.50,"\u0041\/é",{"k":[ ] , "l":{}},null,true]}`, `{"event":"a","x":[{"k":1,"k":2}]}`, `{"event":"a","x":[1e999]}`,
	`{"event":"a","x":{},"y":[],"z":{ }}`, `{"event":"a","a.b":{"c":1},"d":{"e.f":2},"g.h":3}`, `{"event":"a","a\\b.c\nd":1}`, `{"event":"a","":1,"b":{"":2}}`,
	`{"event":"a","n":-0,"m":0,"o":-0.0,"p":9223372036854775807,"q":-9223372036854775808,"r":9223372036854775808,"s":1e3,"t":1.0,"u":1e-400}`,
	`{"event":"a","n":01}`, `{"event":"a","n":-}`, `{"event":"a","n":1.}`, `{"event":"a","n":.5}`, `{"event":"a","n":1e}`, `{"event":"a","n":+1}`, `{"event":"a","n":NaN}`, `{"event":"a","n":1e999}`,
	`{"event":"a","n":0.1,"m":123456789012345678.25,"o":5e-324,"p":1.7976931348623157e308,"q":123456.789,"r":12345678901234567890}`,
	`{"event":"a","s":"\ud83d\ude00 \u00e9 \" \\ \/ \b\f\n\r\t"}`, `{"event":"a","s":"\ud83d"}`, `{"event":"a","s":"\ude00"}`, `{"event":"a","s":"\ud83dx"}`, `{"event":"a","s":"\ud83d\u0041"}`, `{"event":"a","s":"\x"}`, `{"event":"a","s":"\u12"}`,
	"{\"event\":\"a\",\"s\":\"\xff\"}", "{\"event\":\"a\",\"s\":\"\xed\xa0\x80\"}", "{\"event\":\"a\",\"s\":\"\xc0\x80\"}", "{\"event\":\"a\",\"s\":\"é漢😀 long enough to be more than a word\"}", "{\"event\":\"a\",\"s\":\"\t\"}", "{\"event\":\"a\",\"\xff\":1}",
	`{"event":"a","\u0061":1,"a":2}`, `{"\u0065vent":"a","us\u0065r":"b"}`, `{"event":"a","\u0000x":1}`, `{"event":"a","x":{"\u0000y":1}}`,
	` { "event" : "a" , "x" : { "y" : [ 1 , 2 ] } , "z" : true } `, "\t{\"event\":\"a\"}\r", `{"event":"a" "x":1}`, `{"event" "a"}`, `{event:"a"}`, `{"event":'a'}`, `{"event":"a"`, `{"event":"a`, `{"event":`, `{"event"`, `{`, `{"event":"a"}}`, `{"event":"a","x":tru}`, `{"event":"a","x":nulll}`,
	`{"event":"a","time":"2025-06-01"}`, `{"event":"a","time":"2025-06-01T08:00:00+08:00"}`, `{"event":"a","time":"2025-02-30T08:00:00Z"}`, `{"event":"a","time":true}`, `{"event":"a","time":{"x":1}}`, `{"event":"a","time":null}`, `{"event":"a","time":1e30}`, `{"event":"a","user":true}`, `{"event":"a","user":["x"]}`, `{"event":"a","user":null,"id":null}`, `{"event":"a","user":"","id":""}`, `{"event":"a","user":1.50,"id":-3}`, `{"event":"a","user":1e999}`,
	`{"event":"a","a":1,"a.b":2}`, `{"event":"a","a.b":2,"a":{"c":{}}}`, `{"event":"a","time.x":1,"fields":{"time":{"y":2},"time.z":3}}`,
	`{"event":"a","a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":{"l":{"m":{"n":{"o":1}}}}}}}}}}}}}}}}`,
	`{"event":"a","a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":{"l":{"m":{"n":{"o":{"p":1}}}}}}}}}}}}}}}}}`,
	`{"event":"a","a":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}`, `{"event":"a","a":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}`, `{"event":"a","a":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]`,
	`{"event":"a","x":"short"}`, `{"event":"a","x":"exactly8"}`, `{"event":"a","x":"exactly sixteen!"}`, `{"event":"a","key":1,"longer key than eight":2,"a key of more than sixteen bytes":3}`,
}

func TestSeedsAgainstOracle(t *testing.T) {
	s := newTestScanner(t, Options{Received: arrival})
	for range 2 { // the second time all keys are known
		for _, seed := range seeds {
			checkLine(t, s, []byte(seed))
			checkLine(t, newTestScanner(t, Options{Received: arrival}), []byte(seed))
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) { checkLine(t, newTestScanner(t, Options{Received: arrival}), line) })
}
