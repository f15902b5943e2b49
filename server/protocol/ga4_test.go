package protocol

import (
	"fmt"
	"strings"
	"testing"

	"cairn/server/api"
)

func TestGA4(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{
			`{"client_id":"c.1","user_id":"u","timestamp_micros":"1748761200000000","events":[{"name":"purchase","params":{"session_id":"s","engagement_time_msec":100,"items":[{"id":1}]}}],"non_personalized_ads":false}`,
			seven + `,"event":"purchase","user":"u","session_id":"s","engagement_time_msec":100,"items":[{"id":1}],"user_id":"u","measurement_id":"G-1","client_id":"c.1","non_personalized_ads":false}`,
		},
		{`{"app_instance_id":"a","timestamp_micros":1748761200000000,"events":[{"name":"open"}]}`, seven + `,"event":"open","user":"a","measurement_id":"G-1","app_instance_id":"a"}`},
		{`{"client_id":"c","events":[{"name":"open","timestamp_micros":1}]}`, `{"time":"1970-01-01T00:00:00.000001Z","event":"open","user":"c","measurement_id":"G-1","client_id":"c"}`},
		{
			`{"client_id":"c","user_properties":{"plan":{"value":"pro"},"old":{"value":null},"bad":7},"events":[{"name":"open"}]}`,
			eight + `,"event":"open","user":"c","measurement_id":"G-1","client_id":"c","user_properties":{"plan":{"value":"pro"},"old":{"value":null},"bad":7}}` + "\n" + eight + `,"event":"$profile","user":"c","$set":{"plan":"pro"}}`,
		},
		{`{"events":[{"name":"open"}]}`, eight + `,"event":"open","measurement_id":"G-1"}`},
		{`{"client_id":"c","events":[{"name":"open","timestamp_micros":"soon"}]}`, "rejected bad_time timestamp_micros"},
		{`{"client_id":"c","timestamp_micros":9223372036854775807,"events":[{"name":"open"}]}`, "rejected bad_time timestamp_micros"},
		{`{"client_id":"c","events":[{"params":{}}]}`, "rejected bad_event name"},
		{`{"client_id":"c","events":[{"name":"x","params":[]}]}`, "rejected bad_event params"},
		{`{"client_id":"c","events":[7]}`, "rejected bad_event "},
	} {
		for _, path := range []string{"/mp/collect", "/ga4/mp/collect/"} {
			if got := one(t, "POST", path+"?measurement_id=G-1&api_secret=k", c.body); got != c.want {
				t.Errorf("%s:\ngot  %s\nwant %s", c.body, got, c.want)
			}
		}
	}
	checkErrors(t, "POST", "/mp/collect", map[string]string{`{}`: api.CodeBadJSON, `[]`: api.CodeBadJSON, `{"events":{}}`: api.CodeBadJSON, ``: api.CodeEmptyBatch})

	p, req := route(t, "POST", "/mp/collect?api_secret=k", `{"client_id":"c","events":[{"name":"a"},{}]}`)
	d, err := p.Decode(req)
	if err != nil || fmt.Sprint(d.Keys) != "[k]" || d.Reply != nil {
		t.Fatal(d, err)
	}
	if r := p.Answer(req, d, []Outcome{{Verdict: OK}, {Verdict: Rejected}}); r.Status != 204 || len(r.Body) != 0 {
		t.Errorf("%+v", r)
	}
	if r := p.Answer(req, d, []Outcome{{Verdict: OK}, {Verdict: Retry}}); r.Status != 429 {
		t.Errorf("%+v", r)
	}
	d = decode(t, "POST", "/debug/mp/collect?api_secret=k", `{"client_id":"c","events":[{"name":"a"},{}]}`)
	want := `{"validationMessages":[{"fieldPath":"events[1].name","description":"the event has no name","validationCode":"bad_event"}],` +
		`"cairn":{"ok":1,"duplicate":0,"rejected":1,"verdicts":[{"index":0,"verdict":"ok"},{"index":1,"verdict":"rejected","reason":"bad_event","field":"name","message":"the event has no name"}]}}`
	if d.Reply == nil || string(d.Reply.Body) != want {
		t.Errorf("%s", d.Reply.Body)
	}
}

func TestCloudEvents(t *testing.T) {
	const path = "/v1/cloudevents"
	structured := func(more string) string {
		return `{"specversion":"1.0","id":"1","source":"/shop","type":"pay","subject":"u","time":"2025-06-01T07:00:00Z"` + more + `}`
	}
	const attributes = `"specversion":"1.0","source":"/shop","subject":"u"`
	for _, c := range []struct{ body, want string }{
		{structured(`,"data":{"a":{"b":1},"id":2}`), seven + `,"event":"pay","user":"u","id":"/shop 1","a":{"b":1},"properties":{"id":2},` + attributes + `}`},
		{structured(`,"data":[1,2]`), seven + `,"event":"pay","user":"u","id":"/shop 1","data":[1,2],` + attributes + `}`},
		{structured(`,"data":"x","datacontenttype":"text/plain","traceparent":"t"`), seven + `,"event":"pay","user":"u","id":"/shop 1","data":"x",` + attributes + `,"datacontenttype":"text/plain","traceparent":"t"}`},
		{structured(`,"data_base64":"AAE=","datacontenttype":"application/octet-stream"`), seven + `,"event":"pay","user":"u","id":"/shop 1",` + attributes + `,"data_base64":"AAE=","datacontenttype":"application/octet-stream"}`},
		{structured(`,"data_base64":"eyJhIjoxfQ=="`), seven + `,"event":"pay","user":"u","id":"/shop 1","a":1,` + attributes + `}`},
		{structured(``), seven + `,"event":"pay","user":"u","id":"/shop 1",` + attributes + `}`},
		{`{"specversion":"1.0","id":"1","source":"s","type":"pay"}`, eight + `,"event":"pay","id":"s 1","specversion":"1.0","source":"s"}`},
		{`{"specversion":"1.0","source":"s","type":"pay"}`, "rejected bad_event id"},
		{`{"specversion":"1.0","id":"1","source":"","type":"pay"}`, "rejected bad_event source"},
		{`{"specversion":"1.0","id":"1","source":"s"}`, "rejected bad_event type"},
		{`{"specversion":"0.3","id":"1","source":"s","type":"pay"}`, "rejected bad_event specversion"},
		{`{"specversion":"1.0","id":1,"source":"s","type":"pay"}`, "rejected bad_event id"},
		{`{"specversion":"1.0","id":"1","source":"s","type":"pay","time":"soon"}`, "rejected bad_time time"},
		{`{"specversion":"1.0","id":"1","source":"s","type":"pay","time":5}`, "rejected bad_time time"},
	} {
		for _, body := range []string{c.body, "[" + c.body + "]"} {
			if got := one(t, "POST", path, body, "Authorization: Bearer k"); got != c.want {
				t.Errorf("%s:\ngot  %s\nwant %s", c.body, got, c.want)
			}
		}
	}
	// What is too long for an id is hashed, and apart from its like.
	long := strings.Repeat("s", 300)
	a := decode(t, "POST", path, `[{"specversion":"1.0","id":"1","source":"`+long+`","type":"p"},{"specversion":"1.0","id":"2","source":"`+long+`","type":"p"}]`)
	if x, y := a.Items[0].Events[0], a.Items[1].Events[0]; len(x.ID) != 64 || x.ID == y.ID || x.Get("cloudevent_id").AsString() != "1" {
		t.Errorf("%s and %s", x.ID, y.ID)
	}
	checkErrors(t, "POST", path, map[string]string{``: api.CodeEmptyBatch, `[]`: api.CodeEmptyBatch, `7`: api.CodeBadJSON, `[{]`: api.CodeBadJSON})
}

func TestCloudEventsBinary(t *testing.T) {
	headers := map[string]string{"Ce-Specversion": "1.0", "ce-id": "1", "CE-Source": "/shop", "ce-type": "pay", "ce-subject": "Euro%20%E2%82%AC", "ce-comexample": "x", "Content-Type": "application/json"}
	for _, c := range []struct{ kind, body, want string }{
		{"application/json", `{"a":1}`, eight + `,"event":"pay","user":"Euro €","id":"/shop 1","a":1,`},
		{"", `{"a":1}`, eight + `,"event":"pay","user":"Euro €","id":"/shop 1","a":1,`},
		{"application/vnd.x+json; charset=utf-8", `[1]`, eight + `,"event":"pay","user":"Euro €","id":"/shop 1","data":[1],`},
		{"text/plain", `{"a":1}`, eight + `,"event":"pay","user":"Euro €","id":"/shop 1","data":"{\"a\":1}",`},
		{"image/png", "\x89PNG", eight + `,"event":"pay","user":"Euro €","id":"/shop 1",`},
		{"application/json", ``, eight + `,"event":"pay","user":"Euro €","id":"/shop 1",`},
		{"application/json", `{"a":`, "rejected bad_json "},
	} {
		headers["Content-Type"] = c.kind
		var lines []string
		for name, value := range headers {
			lines = append(lines, name+": "+value)
		}
		p, req := route(t, "POST", "/v1/cloudevents", c.body, lines...)
		req.Headers = func(yield func(string, string) bool) {
			for name, value := range headers {
				if !yield(name, value) {
					return
				}
			}
		}
		d, err := p.Decode(req)
		if err != nil {
			t.Fatal(err)
		}
		checkDecoded(t, req, d)
		got := written(&d.Items[0])
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\ngot  %s\nwant %s", c.body, got, c.want)
		}
		if d.Items[0].Reject != nil {
			continue
		}
		if e := d.Items[0].Events[0]; e.Get("comexample").AsString() != "x" || e.Get("source").AsString() != "/shop" || c.kind == "image/png" && e.Get("data_base64").AsString() != "iVBORw==" {
			t.Errorf("%s", got)
		}
	}
}

func TestCloudEventsUserAndAnswer(t *testing.T) {
	p, req := route(t, "POST", "/v1/cloudevents", `[{"specversion":"1.0","id":"1","source":"s","type":"p","subject":"x","data":{"customer":{"id":7},"a.b":"dotted"}}]`)
	for field, want := range map[string]string{"": "x", "customer.id": "7", "a.b": "dotted", "nothing.at.all": "", "customer": ""} {
		req.UserField = field
		d, err := p.Decode(req)
		if err != nil || d.Items[0].Events[0].User != want {
			t.Errorf("user by %q: %v", field, d.Items[0])
		}
	}
	req.UserField = ""
	d, _ := p.Decode(req)
	d.Watermark = "0:7"
	if r := p.Answer(req, d, []Outcome{{Verdict: OK}}); r.Status != 200 || string(r.Body) != `{"ok":1,"duplicate":0,"rejected":0,"watermark":"0:7","verdicts":[]}` {
		t.Errorf("%s", r.Body)
	}
	if r := p.Answer(req, d, []Outcome{{Verdict: Duplicate}}); string(r.Body) != `{"ok":0,"duplicate":1,"rejected":0,"watermark":"0:7","verdicts":[{"index":0,"verdict":"duplicate","id":"1"}]}` {
		t.Errorf("%s", r.Body)
	}
	if r := p.Answer(req, d, []Outcome{{Rejected, Reject{"bad_event", "id", "m"}}}); r.Status != 422 || !strings.Contains(string(r.Body), `"reason":"bad_event","field":"id","message":"m"`) {
		t.Errorf("%s", r.Body)
	}
	if r := p.Answer(req, d, []Outcome{{Verdict: Retry}}); r.Status != 429 || !strings.Contains(string(r.Body), `"code":"overloaded"`) {
		t.Errorf("%s", r.Body)
	}
}
