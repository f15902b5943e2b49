package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/engine/event"
	"cairn/engine/ingest"
)

// defaults are the default limits.
func defaults() *Limits {
	var l Limits
	l.EnsureDefaults()
	return &l
}

// viaScanner stores the fields of an object as a client of Cairn's own would.
func viaScanner(t testing.TB, object []byte) ([]event.Field, bool) {
	t.Helper()
	s, err := ingest.NewScanner(ingest.Options{Received: 1, Format: ingest.FormatJSON})
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.Scan(slices.Concat([]byte(`{"event":"e","fields":`), object, []byte("\n}")))
	if err != nil || len(result.Rejects) > 0 {
		return nil, false
	}
	return result.Batch.Events()[0].Fields, true
}

// viaDraft stores them as a vendor's protocol does.
func viaDraft(object []byte) ([]event.Field, bool) {
	v, reject := ParseEvent(object, defaults())
	if reject != nil {
		return nil, false
	}
	d := NewDraft(defaults(), Clock{})
	d.SetName("event", "e")
	d.Properties("properties", &v)
	e, reject := d.Done()
	return e.Fields, reject == nil
}

func sorted(fields []event.Field) []event.Field {
	fields = slices.Clone(fields)
	slices.SortFunc(fields, func(a, b event.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// checkSame holds that the same JSON gives the same fields either way, or is refused both ways.
func checkSame(t testing.TB, object []byte) {
	t.Helper()
	if trimmed := strings.TrimLeft(string(object), " \t\r\n"); trimmed == "" || trimmed[0] != '{' {
		if _, accepted := viaDraft(object); accepted {
			t.Fatalf("%q: not an object, and taken", object)
		}
		return
	}
	want, ok := viaScanner(t, object)
	got, accepted := viaDraft(object)
	for _, f := range want { // names that vendors' properties may have and Cairn's fields too, moved aside
		first, _, _ := strings.Cut(f.Name, ".")
		if reservedName(first) || first == "properties" || f.Name == FieldSkew || f.Name == FieldTimeError {
			return
		}
	}
	if ok != accepted {
		t.Fatalf("%q: the scanner takes it %v, a draft %v", object, ok, accepted)
	}
	if ok && !slices.Equal(sorted(got), sorted(want)) {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", object, sorted(got), sorted(want))
	}
}

var objects = []string{
	`{}`, `{"a":1}`, `{"a":{"b":[1, 2.50,"\u0041\/é",{"k":[ ] , "l":{}},null,true]},"c":{},"d":[]}`, `{"a.b":{"c":1},"d":{"e.f":2},"g.h":3}`,
	`{"a":1,"a":2}`, `{"a":{"b":1},"a.b":2}`, `{"a":[{"k":1,"k":2}]}`, `{"a":1e999}`, `{"a":[1e999]}`, `{"a":1e-400,"b":-0,"c":-0.0,"d":9223372036854775807,"e":9223372036854775808,"f":1e3}`,
	`{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"\u0000x":1}`, `{"":1,"b":{"":2}}`, `{"a\\b.c\nd":1}`, `{"a":01}`, `{"a":NaN}`, `{"a":tru}`,
	`[1]`, `5`, `null`, `{"a":{}}x`, `{"a":1} x`, `{"a":1`, ``, ` { "a" : 1 } `, `{"a":"<b>&\u2028\u007f"}`, `{"a":["<b>&\u2028\u007f\u0001"]}`,
	`{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`,
	strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16), strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
	strings.Repeat(`{"a":`, 15) + "{}" + strings.Repeat("}", 15), strings.Repeat(`{"a":`, 16) + "{}" + strings.Repeat("}", 16),
	strings.Repeat(`{"a":`, 15) + "[]" + strings.Repeat("}", 15), strings.Repeat(`{"a":`, 16) + "[]" + strings.Repeat("}", 16),
	`{"` + strings.Repeat("n", 256) + `":1}`, `{"` + strings.Repeat("n", 257) + `":1}`, `{"a":{"` + strings.Repeat("n", 255) + `":1}}`,
	`{"a":"` + strings.Repeat("x", 64<<10) + `"}`, `{"a":"` + strings.Repeat("x", 64<<10+1) + `"}`, `{"a":["` + strings.Repeat("x", 64<<10+1) + `"]}`,
	manyFields(1024, false), manyFields(1025, false), manyFields(1024, true), manyFields(1025, true),
}

// manyFields is an object of n fields, each in an object of its own if deep.
func manyFields(n int, deep bool) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(map[bool]string{true: ",", false: "{"}[i > 0])
		if deep {
			fmt.Fprintf(&b, `"f%d":{"x":{"y":1}}`, i)
		} else {
			fmt.Fprintf(&b, `"f%d":1`, i)
		}
	}
	return b.String() + "}"
}

func TestSameFieldsAsTheScanner(t *testing.T) {
	for _, object := range objects {
		checkSame(t, []byte(object))
	}
	accepted := 0
	for _, object := range objects {
		if _, ok := viaDraft([]byte(object)); ok {
			accepted++
		}
	}
	if accepted < 10 || accepted > len(objects)-10 {
		t.Errorf("%d of %d accepted", accepted, len(objects))
	}
}

func TestSameFieldsAsTheScannerAtRandom(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text, err := json.Marshal(randomObject(r, 3))
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, text)
	})
}

func randomObject(r *rapid.T, depth int) map[string]any {
	name := rapid.StringOfN(rapid.SampledFrom([]rune("abc.\\é\x00")), 0, 4, -1)
	object := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(r, "members") {
		object[name.Draw(r, "name")] = randomValue(r, depth)
	}
	return object
}

func randomValue(r *rapid.T, depth int) any {
	kinds := 5
	if depth > 0 {
		kinds = 7
	}
	switch rapid.IntRange(0, kinds-1).Draw(r, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(r, "bool")
	case 2:
		return rapid.Int64().Draw(r, "int")
	case 3:
		return rapid.Float64Range(-1e300, 1e300).Draw(r, "float")
	case 4:
		return rapid.StringN(0, 10, -1).Draw(r, "string")
	case 5:
		return randomObject(r, depth-1)
	}
	list := []any{}
	for range rapid.IntRange(0, 3).Draw(r, "elements") {
		list = append(list, randomValue(r, depth-1))
	}
	return list
}

func FuzzFields(f *testing.F) {
	for _, object := range objects {
		f.Add([]byte(object))
	}
	f.Fuzz(func(t *testing.T, object []byte) { checkSame(t, object) })
}

func TestNamesGoAside(t *testing.T) {
	properties, _ := Parse([]byte(`{"time":1,"user":{"name":"x"},"user.plan":2,"id":"i","event":null,"received":[],"fields":3,"$skew_ms":4,"context":{"ip":"p"},"same":5}`), defaults())
	context, _ := Parse([]byte(`{"ip":"e","app":"a"}`), defaults())
	d := NewDraft(defaults(), Clock{Received: arrival.UnixNano(), Skew: 6e9})
	d.SetName("event", "e")
	d.SetTime("timestamp", &Value{Kind: '0', Text: "1748764790"}, Clock{Received: arrival.UnixNano(), Skew: 6e9}, false)
	d.Properties("properties", &properties)
	d.Envelope("context", &context)
	d.Envelope("same", &Value{Kind: '0', Text: "5"})
	d.Envelope("empty", &Value{Kind: '{'})
	d.Envelope("null", &Value{Kind: 'n'})
	e, reject := d.Done()
	if reject != nil {
		t.Fatal(reject)
	}
	got := map[string]string{}
	for _, f := range e.Fields {
		got[f.Name] = string(event.AppendValue(nil, f.Value))
	}
	want := map[string]string{
		"$skew_ms": "6000", "properties.time": "1", "properties.user.name": `"x"`, "properties.user.plan": "2", "properties.id": `"i"`, "properties.event": "null",
		"properties.received": "[]", "fields": "3", "properties.$skew_ms": "4", "context.ip": `"p"`, "envelope.context.ip": `"e"`, "context.app": `"a"`, "same": "5",
		event.FieldDots: `"properties.user\\.plan"`,
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%q is %s, want %s", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("fields %v", got)
	}
	if e.Time != 1748764796_000000000 {
		t.Errorf("time %d", e.Time)
	}
	// Exported and read again it is the same event.
	s, err := ingest.NewScanner(ingest.Options{Received: 1})
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Scan([]byte(text(e)))
	if err != nil || len(back.Rejects) > 0 {
		t.Fatal(err, back.Rejects)
	}
	if fields := back.Batch.Events()[0].Fields; !slices.Equal(sorted(fields), sorted(e.Fields)) {
		t.Errorf("%s came back as %+v", text(e), fields)
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		sent, client string
		want         string // time, and the skew if it is applied
	}{
		{"", "2025-06-01T07:00:00Z", "2025-06-01T07:00:00Z"},
		{"2025-06-01T07:59:55.001Z", "2025-06-01T07:00:00Z", "2025-06-01T07:00:00Z"},           // below 5 s: on its way
		{"2025-06-01T07:59:55Z", "2025-06-01T07:00:00Z", "2025-06-01T07:00:05Z 5000"},          // a slow clock
		{"2025-06-01T08:00:04.999Z", "2025-06-01T07:00:00Z", "2025-06-01T07:00:00Z"},           // a little fast
		{"2025-06-01T09:00:00.0004Z", "2025-06-01T08:59:59Z", "2025-06-01T07:59:59Z -3600000"}, // an hour fast, rounded to a millisecond
		{"1748760000000", "1748759999000", "2025-06-01T07:59:59Z 4800000"},                     // numbers in text
		{"rubbish", "2025-06-01T07:00:00Z", "2025-06-01T07:00:00Z"},                            // no send time
		{"2025-06-01T09:00:00Z", "", "2025-06-01T08:00:00Z"},                                   // no client time: the arrival
		{"", "1748764800", "2025-06-01T08:00:00Z"},
		{"", "1748764800.5", "2025-06-01T08:00:00.5Z"}, // seconds
		{"", "1748764800123456", "2025-06-01T08:00:00.123456Z"},
		{"", "9000000000", "2255-03-14T16:00:00Z"},
		{"", "99999999999", "bad_time"},              // by size
		{"", "100000000000", "1973-03-03T09:46:40Z"}, // 1e11 is milliseconds
		{"", "yesterday", "bad_time"},
		{"", "1e300", "bad_time"},
		{"2200-01-01T00:00:00Z", "1677-09-22T00:00:00Z", "bad_time"}, // out of range once moved
	} {
		clock := NewClock(arrival, &Value{Kind: '"', Text: c.sent})
		client := &Value{Kind: '"', Text: c.client}
		if c.client == "" {
			client = &Value{}
		}
		d := NewDraft(defaults(), clock)
		d.SetName("event", "e")
		d.SetTime("timestamp", client, clock, false)
		e, reject := d.Done()
		got := ""
		if reject != nil {
			got = reject.Reason
		} else {
			got = string(event.AppendTime(nil, e.Time))
			if skew := e.Get(FieldSkew); skew.Exists() {
				got += fmt.Sprintf(" %d", skew.AsInt())
			}
		}
		if got != c.want {
			t.Errorf("sent %q, client %q: got %s, want %s", c.sent, c.client, got, c.want)
		}
		// Lenient, a time that cannot be read is kept beside that of the arrival.
		d = NewDraft(defaults(), clock)
		d.SetName("event", "e")
		d.SetTime("timestamp", client, clock, true)
		if e, reject := d.Done(); reject != nil || (c.want == "bad_time") != e.Get(FieldTimeError).Exists() || c.want == "bad_time" && e.Time != arrival.UnixNano() {
			t.Errorf("lenient: %+v %v", e, reject)
		}
	}
}

func TestIllegalIDs(t *testing.T) {
	for _, id := range []string{"anonymous", "anon", "guest", "null", "nil", "undefined", "none", "0", "NaN", "n/a", "[object Object]", "", " Null ", "ANONYMOUS"} {
		item := Item{Events: []event.Event{{Name: "e"}}}
		item.Link(defaults(), Link{Kind: LinkIdentify, User: "u", ID: id, Source: "x"})
		if !event.IllegalID(id) || len(item.Links) != 0 || item.Warning == nil || item.Warning.Reason != ReasonIllegalID || item.Outcome().Verdict != Warning {
			t.Errorf("%q was linked: %+v", id, item)
		}
	}
	for _, id := range []string{"o6_bm", "00", "1", "anonymous-7", "nobody"} {
		item := Item{}
		item.Link(defaults(), Link{Kind: LinkIdentify, User: "u", ID: id, Source: "x"})
		if event.IllegalID(id) || len(item.Links) != 1 {
			t.Errorf("%q was not linked", id)
		}
	}
	item := Item{}
	item.Link(defaults(), Link{Kind: LinkAlias, User: "u", ID: "u"})
	if len(item.Links) != 0 || item.Warning != nil {
		t.Error("an id was linked with itself")
	}
	item.Link(defaults(), Link{Kind: LinkAlias, User: "u", ID: strings.Repeat("x", 513)})
	if item.Reject == nil || item.Reject.Reason != ingest.UserTooLong {
		t.Errorf("%+v", item)
	}
}
