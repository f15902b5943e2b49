package protocol

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cairn/engine/ingest"
	"cairn/server/api"
)

// one decodes a request with one item and writes its events and links down.
func one(t *testing.T, method, target, body string, headers ...string) string {
	t.Helper()
	d := decode(t, method, target, body, headers...)
	if len(d.Items) != 1 {
		t.Fatalf("%d items", len(d.Items))
	}
	return written(&d.Items[0])
}

// written is an item on one line a part.
func written(item *Item) string {
	if item.Reject != nil {
		return "rejected " + item.Reject.Reason + " " + item.Reject.Field
	}
	var lines []string
	for _, e := range item.Events {
		lines = append(lines, text(e))
	}
	for _, l := range item.Links {
		lines = append(lines, fmt.Sprintf("link %s %s <- %s", l.Kind, l.User, l.ID))
	}
	if item.Warning != nil {
		lines = append(lines, "warning "+item.Warning.Reason)
	}
	return strings.Join(lines, "\n")
}

const (
	eight = `{"time":"2025-06-01T08:00:00Z"`
	seven = `{"time":"2025-06-01T07:00:00Z"`
)

func TestSegmentMessages(t *testing.T) {
	for _, c := range []struct{ message, want string }{
		{
			`{"type":"track","event":"pay","userId":"u","anonymousId":"a","messageId":"m","timestamp":"2025-06-01T07:00:00.000Z","properties":{"a":{"b":[1,2.50]},"time":5},"context":{"ip":"1.2.3.4"},"integrations":{}}`,
			seven + `,"event":"pay","user":"u","id":"m","a":{"b":[1,2.50]},"properties":{"time":5},"user_id":"u","anonymous_id":"a","context":{"ip":"1.2.3.4"}}`,
		},
		{`{"type":"track","event":"pay","anonymousId":"a"}`, eight + `,"event":"pay","user":"a","anonymous_id":"a"}`},
		{`{"type":"track","event":"pay","userId":12}`, eight + `,"event":"pay","user":"12","user_id":"12"}`},
		{`{"type":"track","event":"pay","userId":null,"anonymousId":""}`, eight + `,"event":"pay"}`},
		{`{"type":"track","event":"pay","properties":null,"context":null}`, eight + `,"event":"pay"}`},
		{`{"type":"track","event":"pay","userId":"u","properties":{"user_id":"other"}}`, eight + `,"event":"pay","user":"u","user_id":"other","envelope":{"user_id":"u"}}`},
		{`{"type":"page","name":"Home","category":"Docs","userId":"u","properties":{"name":"Home","url":"x"}}`, eight + `,"event":"$page","user":"u","name":"Home","url":"x","user_id":"u","category":"Docs"}`},
		{`{"type":"screen","name":"Cart","userId":"u"}`, eight + `,"event":"$screen","user":"u","user_id":"u","name":"Cart"}`},
		{
			`{"type":"identify","userId":"u","anonymousId":"a","messageId":"m","traits":{"plan":"pro","address":{"city":"x"}}}`,
			eight + `,"event":"$identify","user":"u","id":"m","user_id":"u","anonymous_id":"a","traits":{"plan":"pro","address":{"city":"x"}}}` + "\n" +
				eight + `,"event":"$profile","user":"u","id":"m/profile","$set":{"plan":"pro","address":{"city":"x"}}}` + "\n" + `link identify u <- a`,
		},
		{`{"type":"identify","anonymousId":"a","traits":{"x":1}}`, eight + `,"event":"$identify","user":"a","anonymous_id":"a","traits":{"x":1}}` + "\n" + eight + `,"event":"$profile","user":"a","$set":{"x":1}}`},
		{`{"type":"identify","userId":"u","anonymousId":"null","traits":{}}`, eight + `,"event":"$identify","user":"u","user_id":"u","anonymous_id":"null"}` + "\nwarning illegal_id"},
		{`{"type":"identify","userId":"u","anonymousId":"u"}`, eight + `,"event":"$identify","user":"u","user_id":"u","anonymous_id":"u"}`},
		{`{"type":"group","userId":"u","groupId":"g","traits":{"n":1}}`, eight + `,"event":"$group","user":"u","user_id":"u","group_id":"g","traits":{"n":1}}`},
		{`{"type":"alias","userId":"u","previousId":"p"}`, eight + `,"event":"$alias","user":"u","user_id":"u","previous_id":"p"}` + "\nlink alias u <- p"},
		{`{"type":"track","event":"pay","userId":"u","timestamp":"yesterday"}`, "rejected bad_time timestamp"},
		{`{"type":"track","userId":"u"}`, "rejected bad_event event"},
		{`{"type":"track","event":7,"userId":"u"}`, "rejected bad_event event"},
		{`{"type":"track","event":"","userId":"u"}`, "rejected bad_event event"},
		{`{"type":"jump","event":"x","userId":"u"}`, "rejected bad_event type"},
		{`{"event":"x","userId":"u"}`, "rejected bad_event type"},
		{`{"type":"track","event":"x","properties":[1]}`, "rejected bad_event properties"},
		{`{"type":"identify","userId":"u","traits":"x"}`, eight + `,"event":"$identify","user":"u","user_id":"u","traits":"x"}` + "\nwarning bad_event"},
		{`{"type":"track","event":"x","properties":{"a":1,"a":2}}`, "rejected bad_json "},
		{`{"type":"track","event":"x","properties":{"a":1e999}}`, "rejected bad_json "},
		{"{\"type\":\"track\",\"event\":\"x\",\"properties\":{\"a\":\"\xff\"}}", "rejected bad_json "},
		{`{"type":"track","event":"x","properties":{"a":{"b":1},"a.b":2}}`, "rejected duplicate_field a.b"},
		{`7`, "rejected bad_event "},
		{`null`, "rejected bad_event "},
		{`[]`, "rejected bad_event "},
		{`{"type":"track","event":"` + strings.Repeat("e", 257) + `"}`, "rejected bad_event event"},
		{`{"type":"track","event":"e","userId":"` + strings.Repeat("u", 513) + `"}`, "rejected user_too_long user"},
		{`{"type":"track","event":"e","messageId":"` + strings.Repeat("i", 257) + `"}`, "rejected id_too_long id"},
		{`{"type":"track","event":"e","properties":{"a":"` + strings.Repeat("v", 64<<10+1) + `"}}`, "rejected value_too_long a"},
		{`{"type":"track","event":"e","properties":{"a":"` + strings.Repeat("v", 1<<20) + `"}}`, "rejected event_too_large "},
		{`{"type":"track","event":"e","properties":` + manyFields(1025, false) + `}`, "rejected too_many_fields "},
		{`{"type":"track","event":"e","properties":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20) + `}`, "rejected too_deep "},
	} {
		if got := one(t, "POST", "/v1/batch", `{"batch":[`+c.message+`]}`); got != c.want {
			t.Errorf("%.300s:\ngot  %s\nwant %s", c.message, got, c.want)
		}
	}
}

func TestSegmentRequests(t *testing.T) {
	// Each type has its path, in long and in short, with and without the prefix and the slash.
	for path, name := range map[string]string{"track": "x", "t": "x", "identify": "$identify", "i": "$identify", "page": "$page", "p": "$page", "screen": "$screen", "s": "$screen", "group": "$group", "g": "$group", "alias": "$alias", "a": "$alias"} {
		for _, target := range []string{"/v1/" + path, "/segment/v1/" + path, "/v1/" + path + "/"} {
			body := `{"userId":"u","writeKey":"k","event":"x","sentAt":"2025-06-01T07:59:00Z","timestamp":"2025-06-01T07:58:00Z","context":{"ip":"1"}}`
			d := decode(t, "POST", target, body, "Content-Type: text/plain")
			if e := d.Items[0].Events[0]; e.Name != name || e.User != "u" || d.Keys[0] != "k" || e.Time != arrival.Add(-60e9).UnixNano() || e.Get("context.ip").AsString() != "1" {
				t.Errorf("%s: %s", target, text(e))
			}
		}
	}
	// The batch's context is the default of each message's, and its send time that of all.
	body := `{"batch":[{"type":"track","event":"a","context":{"ip":"own","library":{"name":"l"}}},{"type":"track","event":"b","timestamp":"2025-06-01T08:59:00Z"}],
		"context":{"ip":"batch","library":{"name":"m","version":"1"},"locale":"de"},"sentAt":"2025-06-01T09:00:00Z","writeKey":"k"}`
	d := decode(t, "POST", "/v1/batch", body)
	if got, want := written(&d.Items[0]), eight+`,"event":"a","context":{"ip":"own","library":{"name":"l"},"locale":"de"}}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := written(&d.Items[1]), `{"time":"2025-06-01T07:59:00Z","event":"b","$skew_ms":-3600000,"context":{"ip":"batch","library":{"name":"m","version":"1"},"locale":"de"}}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSegmentKeys(t *testing.T) {
	const basic = "Authorization: Basic azo=" // k:
	for _, c := range []struct {
		body string
		want string
		head []string
	}{
		{`{"batch":[],"writeKey":"k"}`, "[k]", nil},
		{`{"batch":[]}`, "[k]", []string{basic}},
		{`{"batch":[],"writeKey":"k"}`, "[k]", []string{basic}},
		{`{"batch":[{"writeKey":"k"}],"writeKey":"k"}`, "[k]", []string{basic}},
		{`{"batch":[{"writeKey":"l"}],"writeKey":"k"}`, "[k l]", nil},
		{`{"batch":[],"writeKey":"other"}`, "[k other]", []string{basic}},
		{`{"batch":[],"writeKey":"k"}`, "[k]", []string{"Authorization: Bearer of-oauth"}},
		{`{"batch":[]}`, "[b]", []string{"Authorization: Bearer b"}},
		{`{"batch":[]}`, "[]", []string{"Authorization: Basic ???"}},
		{`{"batch":[]}`, "[]", nil},
	} {
		if d := decode(t, "POST", "/v1/batch", c.body, c.head...); fmt.Sprint(d.Keys) != c.want {
			t.Errorf("%s %v: keys %v, want %s", c.body, c.head, d.Keys, c.want)
		}
	}
	d := decode(t, "GET", "/v1/projects/the-key/settings", "")
	if d.Reply == nil || string(d.Reply.Body) != `{"integrations":{"Segment.io":{"apiKey":"the-key"}}}` || fmt.Sprint(d.Keys) != "[the-key]" {
		t.Errorf("settings: %+v", d)
	}
}

// codes checks which errors bodies are.
func checkErrors(t *testing.T, method, target string, bodies map[string]string, headers ...string) {
	t.Helper()
	for body, code := range bodies {
		p, req := route(t, method, target, body, headers...)
		_, err := p.Decode(req)
		e, ok := err.(*api.Error)
		if !ok || e.Code != code {
			t.Errorf("%s %.80q: error %v, want %s", target, body, err, code)
			continue
		}
		if r := p.Fail(req, e); r.Status != api.Status(code) || len(r.Body) == 0 || r.ContentType == "" {
			t.Errorf("%s %.80q: %d %s", target, body, r.Status, r.Body)
		}
	}
}

func TestSegmentErrors(t *testing.T) {
	checkErrors(t, "POST", "/v1/batch", map[string]string{
		`{"batch":[{]}`: api.CodeBadJSON, `{"batch":{}}`: api.CodeBadJSON, `{"batch":[],"batch":[]}`: api.CodeBadJSON, `{"writeKey":"k"}`: api.CodeBadJSON,
		`{"batch":[],"sentAt":1,"sentAt":2}`: api.CodeBadJSON, `[]`: api.CodeBadJSON, `7`: api.CodeBadJSON, `{"batch":[]} x`: api.CodeBadJSON, `{"batch":[`: api.CodeBadJSON, ``: api.CodeEmptyBatch,
		`{"batch":[` + strings.Repeat("1,", 20_000) + `1]}`: api.CodeTooManyEvents,
	})
	p, req := route(t, "POST", "/v1/batch", `{"batch":[{"type":"track","event":"a"},{"type":"x"}]}`)
	d, _ := p.Decode(req)
	for _, c := range []struct {
		outcomes []Outcome
		status   int
		body     string
	}{
		{[]Outcome{{Verdict: OK}, {Rejected, Reject{ingest.BadEvent, "", "x"}}}, http.StatusOK, `{"success":true}`},
		{[]Outcome{{Rejected, Reject{ingest.BadEvent, "", "x"}}, {Verdict: Duplicate}}, http.StatusOK, `{"success":true}`},
		{[]Outcome{{Rejected, Reject{ingest.BadEvent, "", "x"}}, {Rejected, Reject{ingest.BadEvent, "", "x"}}}, http.StatusOK, `{"success":true}`},
		{[]Outcome{{Verdict: OK}, {Verdict: Retry}}, http.StatusTooManyRequests, `{"success":false,"code":"overloaded","message":"some events were not stored; send the request again"}`},
	} {
		if r := p.Answer(req, d, c.outcomes); r.Status != c.status || string(r.Body) != c.body {
			t.Errorf("%v: %d %s", c.outcomes, r.Status, r.Body)
		}
	}
}
