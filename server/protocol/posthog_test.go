package protocol

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"cairn/engine/ingest"
	"cairn/server/api"
)

// short leaves out of an event that its user is also a field, which is tested by itself.
func short(event string) string { return strings.ReplaceAll(event, `,"distinct_id":"u"`, "") }

func TestPostHogKeyIsNoField(t *testing.T) {
	for body, want := range map[string]string{
		`{"api_key":"k","batch":[{"event":"e","distinct_id":"u","properties":{"token":"k","a":1}}]}`:     `,"a":1}`,
		`{"api_key":"k","batch":[{"event":"e","distinct_id":"u","properties":{"token":"mine","a":1}}]}`:  `,"token":"mine","a":1}`,
		`{"batch":[{"event":"e","distinct_id":"u","properties":{"token":"k","a":1}}]}`:                   `,"a":1}`,
		`{"api_key":"k","batch":[{"event":"e","distinct_id":"u","properties":{"token":{"x":1},"a":1}}]}`: `,"token":{"x":1},"a":1}`,
	} {
		if got := one(t, "POST", "/e", body); short(got) != eight+`,"event":"e","user":"u"`+want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestPostHogIDs(t *testing.T) {
	long := strings.Repeat("é", 300)
	for id, want := range map[string]string{
		`"u"`: `"user":"u","distinct_id":"u"`, `12.50`: `"user":"12.50","distinct_id":12.5`, `"` + long + `"`: `"user":"` + long[:400] + `","distinct_id":"` + long + `"`,
		`"$posthog_cookieless"`: `"distinct_id":"$posthog_cookieless"`,
	} {
		if got := one(t, "POST", "/e", `{"event":"pay","distinct_id":`+id+`}`); got != eight+`,"event":"pay",`+want+`}` {
			t.Errorf("%s", got)
		}
	}
}

func TestPostHogEvents(t *testing.T) {
	for _, c := range []struct{ event, want string }{
		{
			`{"event":"pay","uuid":"i","distinct_id":"u","timestamp":"2025-06-01T07:00:00Z","properties":{"$lib":"web","a":{"b":[1]},"time":5,"$groups":{"company":"c"}}}`,
			seven + `,"event":"pay","user":"u","id":"i","$lib":"web","a":{"b":[1]},"properties":{"time":5},"$groups":{"company":"c"}}`,
		},
		{`{"event":"pay","properties":{"distinct_id":"u"}}`, eight + `,"event":"pay","user":"u","distinct_id":"u"}`},
		{`{"event":"pay","distinct_id":"u","uuid":"","properties":{"$insert_id":"i"}}`, eight + `,"event":"pay","user":"u","id":"i","$insert_id":"i"}`},
		{`{"event":"pay","distinct_id":"u","offset":1500}`, `{"time":"2025-06-01T07:59:58.5Z","event":"pay","user":"u"}`},
		{`{"event":"pay","distinct_id":"u","timestamp":"whenever"}`, eight + `,"event":"pay","user":"u","$time_error":"whenever"}`},
		{`{"event":"pay","distinct_id":"u","timestamp":{}}`, eight + `,"event":"pay","user":"u","$time_error":"an object"}`},
		{`{"event":"pay","distinct_id":"u","type":"capture","library":"posthog-go"}`, eight + `,"event":"pay","user":"u","type":"capture","library":"posthog-go"}`},
		{
			`{"event":"$identify","distinct_id":"u","uuid":"i","properties":{"$anon_distinct_id":"a","$set":{"plan":"pro"},"$set_once":{"from":"x"}}}`,
			eight + `,"event":"$identify","user":"u","id":"i","$anon_distinct_id":"a","$set":{"plan":"pro"},"$set_once":{"from":"x"}}` + "\n" +
				eight + `,"event":"$profile","user":"u","id":"i/profile","$set":{"plan":"pro"},"$set_once":{"from":"x"}}` + "\nlink identify u <- a",
		},
		{ // as the Go client writes it
			`{"event":"$identify","distinct_id":"u","$set":{"plan":"pro"},"properties":{"$lib":"go"}}`,
			eight + `,"event":"$identify","user":"u","$lib":"go","$set":{"plan":"pro"}}` + "\n" + eight + `,"event":"$profile","user":"u","$set":{"plan":"pro"}}`,
		},
		{`{"event":"$set","distinct_id":"u","properties":{"$unset":["plan","x"]}}`, eight + `,"event":"$set","user":"u","$unset":["plan","x"]}` + "\n" + eight + `,"event":"$profile","user":"u","$unset":["plan","x"]}`},
		{`{"event":"$set","distinct_id":"u","properties":{"$set":7}}`, eight + `,"event":"$set","user":"u","$set":7}` + "\nwarning bad_event"},
		{`{"event":"$identify","distinct_id":"u","properties":{"$anon_distinct_id":"guest"}}`, eight + `,"event":"$identify","user":"u","$anon_distinct_id":"guest"}` + "\nwarning illegal_id"},
		{`{"event":"$create_alias","properties":{"distinct_id":"u","alias":"b"}}`, eight + `,"event":"$create_alias","user":"u","distinct_id":"u","alias":"b"}` + "\nlink alias u <- b"},
		{`{"event":"$merge_dangerously","distinct_id":"u","properties":{"alias":"b"}}`, eight + `,"event":"$merge_dangerously","user":"u","alias":"b"}` + "\nlink merge u <- b"},
		{`{"event":"$groupidentify","distinct_id":"u","properties":{"$group_type":"c","$group_key":"k","$group_set":{"n":1}}}`, eight + `,"event":"$groupidentify","user":"u","$group_type":"c","$group_key":"k","$group_set":{"n":1}}`},
		{
			`{"event":"$identify","distinct_id":"u","properties":{"$anon_distinct_id":"a","$set":{"plan":"pro"},"$process_person_profile":false}}`,
			eight + `,"event":"$identify","user":"u","$anon_distinct_id":"a","$set":{"plan":"pro"},"$process_person_profile":false}`,
		},
		{`{"event":"pay","distinct_id":"u","properties":{"$set":{}}}`, eight + `,"event":"pay","user":"u","$set":{}}`},
		{`{"event":"pay","distinct_id":"u","properties":{"token":"an application's"}}`, eight + `,"event":"pay","user":"u","token":"an application's"}`},
		{`{"distinct_id":"u"}`, "rejected bad_event event"},
		{`{"event":"pay"}`, "rejected bad_event distinct_id"},
		{`{"event":7,"distinct_id":"u"}`, "rejected bad_event event"},
		{`{"event":"pay","distinct_id":["u"]}`, "rejected bad_event distinct_id"},
		{`{"event":"pay","distinct_id":"u","properties":"x"}`, "rejected bad_event properties"},
		{`{"event":"pay","distinct_id":"u","event":"x"}`, "rejected bad_json "},
		{`[]`, "rejected bad_event "},
		{`{"event":"pay","distinct_id":"u","properties":{"a":["` + strings.Repeat("v", 3<<20) + `"]}}`, "rejected event_too_large "},
	} {
		if got := one(t, "POST", "/batch/", `{"api_key":"k","batch":[`+c.event+`]}`); short(got) != short(c.want) {
			t.Errorf("%.300s:\ngot  %s\nwant %s", c.event, got, c.want)
		}
	}
	// 2 MiB an event.
	long := `{"event":"pay","distinct_id":"u","properties":{"a":"1"` + strings.Repeat(`,"f":["0123456789"]`, 1) + `,"l":[` + strings.Repeat(`"0123456789",`, 110_000) + `1]}}`
	if got := one(t, "POST", "/e", long); strings.HasPrefix(got, "rejected") {
		t.Errorf("%.100s", got)
	}
}

func TestPostHogTimes(t *testing.T) {
	const event = `{"event":"e","distinct_id":"u","timestamp":"2025-06-01T08:59:00Z"}`
	for _, c := range []struct{ target, body, want string }{
		{"/batch", `{"api_key":"k","batch":[` + event + `]}`, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u"}`},
		{"/batch", `{"api_key":"k","batch":[` + event + `],"sent_at":"2025-06-01T09:00:00Z"}`, `{"time":"2025-06-01T07:59:00Z","event":"e","user":"u","$skew_ms":-3600000}`},
		{"/batch", `{"api_key":"k","batch":[` + event + `],"sent_at":"2025-06-01T09:00:00Z","historical_migration":true}`, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u"}`},
		{"/e/?_=1748768400000", event, `{"time":"2025-06-01T07:59:00Z","event":"e","user":"u","$skew_ms":-3600000}`},
		{"/e/?_=1748768400000", `[` + event + `]`, `{"time":"2025-06-01T07:59:00Z","event":"e","user":"u","$skew_ms":-3600000}`},
		{"/e/?_=rubbish", event, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u"}`},
		{"/e/?_=1748768400000", `{"event":"e","distinct_id":"u","timestamp":"2025-06-01T08:59:00Z","properties":{"$ignore_sent_at":true}}`, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u","$ignore_sent_at":true}`},
		{"/e/?ip=1", event, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u","$ip":"192.0.2.1"}`},
		{"/e/?ip=0", event, `{"time":"2025-06-01T08:59:00Z","event":"e","user":"u"}`},
	} {
		if got := one(t, "POST", c.target, c.body); short(got) != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.target, c.body, got, c.want)
		}
	}
}

func pack(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPostHogBodies(t *testing.T) {
	const event = `{"event":"e","properties":{"token":"k","distinct_id":"u","emoji":"😀?>"}}`
	coded := base64.StdEncoding.EncodeToString([]byte(event))
	packed := pack(t, event)
	for _, c := range []struct{ method, target, body string }{
		{"POST", "/e/", event},
		{"POST", "/e/", `[` + event + `]`},
		{"POST", "/e/", " \n" + event + "\n"},
		{"POST", "/e/", "\xef\xbb\xbf" + event},
		{"POST", "/e/?compression=gzip-js", packed},
		{"POST", "/e/", packed},
		{"POST", "/e/?compression=base64", form("data", coded)},
		{"POST", "/e/", form("data", coded)},
		{"POST", "/e/?compression=base64", coded},
		{"POST", "/e/", "data=" + coded}, // a + that was not encoded
		{"POST", "/e/", form("data", event)},
		{"POST", "/e/", form("data", base64.StdEncoding.EncodeToString([]byte(packed)))},
		{"GET", "/e/?data=" + url.QueryEscape(coded), ""},
		{"GET", "/e/?data=" + url.QueryEscape(base64.RawURLEncoding.EncodeToString([]byte(event))), ""},
		{"POST", "/capture/", event},
		{"POST", "/i/v0/e/", event},
		{"POST", "/batch", `{"batch":[` + event + `]}`},
		{"POST", "/posthog/e", event},
	} {
		d := decode(t, c.method, c.target, c.body, "Content-Type: text/plain")
		if len(d.Items) != 1 || fmt.Sprint(d.Keys) != "[k]" {
			t.Errorf("%s %.60q: %d items, keys %v", c.target, c.body, len(d.Items), d.Keys)
			continue
		}
		if got, want := written(&d.Items[0]), eight+`,"event":"e","user":"u","distinct_id":"u","emoji":"😀?>"}`; got != want {
			t.Errorf("%s %.60q:\ngot  %s\nwant %s", c.target, c.body, got, want)
		}
	}
	checkErrors(t, "POST", "/e/", map[string]string{
		packed[:len(packed)-5]: api.CodeBadEncoding, pack(t, strings.Repeat(" ", 3<<20)): api.CodeUnpackedLarge,
		``: api.CodeEmptyBatch, `[]`: api.CodeEmptyBatch, `{"batch":[]}`: api.CodeEmptyBatch, `{`: api.CodeBadJSON, `hello`: api.CodeBadJSON, `data=%%%`: api.CodeBadJSON, `7`: api.CodeBadJSON,
		`{"batch":7}`: api.CodeBadJSON, `{"api_key":"a","batch":[],"api_key":"b"}`: api.CodeBadJSON,
	})
	checkErrors(t, "POST", "/e/?compression=lz64", map[string]string{`x`: api.CodeUnknownEncoding})
}

func TestPostHogKeys(t *testing.T) {
	for _, c := range []struct{ target, body, want string }{
		{"/batch", `{"api_key":"k","batch":[{}]}`, "[k]"},
		{"/batch", `{"token":"k","batch":[{}]}`, "[k]"},
		{"/batch", `{"api_key":"k","batch":[{"api_key":"k"},{"token":"k"}]}`, "[k]"},
		{"/batch", `{"api_key":"k","batch":[{"api_key":"l"}]}`, "[k l]"},
		{"/batch", `{"api_key":"k","batch":[{"properties":{"token":"l"}}]}`, "[k]"},
		{"/batch", `{"batch":[{"properties":{"token":"k"}},{"properties":{"token":"l"}}]}`, "[k l]"},
		{"/e", `{"api_key":"k"}`, "[k]"},
		{"/e", `{"token":"k"}`, "[k]"},
		{"/e", `{"$token":"k"}`, "[k]"},
		{"/e", `{"properties":{"token":"k"}}`, "[k]"},
		{"/e", `{}`, "[]"},
		{"/e?api_key=k", `{"event":"e"}`, "[k]"},
		{"/s", `{"event":"$snapshot","properties":{"token":"k"}}`, "[k]"},
		{"/s", `[{"event":"$snapshot","properties":{"token":"k"}}]`, "[k]"},
		{"/s", `{"api_key":"k"}`, "[k]"},
		{"/s", `x`, "[]"},
		{"/s", `[]`, "[]"},
		{"/s", `[7]`, "[]"},
		{"/flags?v=2", `{"token":"k","distinct_id":"u"}`, "[k]"},
		{"/decide?v=3", form("data", base64.StdEncoding.EncodeToString([]byte(`{"token":"k"}`))), "[k]"},
	} {
		p, req := route(t, "POST", c.target, c.body)
		d, err := p.Decode(req)
		if err != nil || fmt.Sprint(d.Keys) != c.want {
			t.Errorf("%s %s: keys %v, want %s (%v)", c.target, c.body, d.Keys, c.want, err)
		}
	}
}

func TestPostHogReplies(t *testing.T) {
	for _, c := range []struct{ method, target, contains string }{
		{"POST", "/s/", `{"status":1}`},
		{"POST", "/flags/?v=2", `{"errorsWhileComputingFlags":false,"flags":{}}`},
		{"POST", "/decide?v=3", `"featureFlags":{}`},
		{"GET", "/array/k%22/config", `"token":"k\""`},
		{"GET", "/array/k%3Cscript%3E/config.js", `_POSTHOG_REMOTE_CONFIG["k\u003cscript\u003e"] = {`},
	} {
		d := decode(t, c.method, c.target, `{"token":"k"}`)
		if d.Reply == nil || d.Reply.Status != http.StatusOK || !strings.Contains(string(d.Reply.Body), c.contains) || len(d.Items) != 0 || d.Ignored > 0 != (c.target == "/s/") {
			t.Errorf("%s: %+v", c.target, d)
		}
	}
}

func TestPostHogAnswers(t *testing.T) {
	bad := Outcome{Rejected, Reject{ingest.BadEvent, "event", "the event has no name"}}
	p, req := route(t, "POST", "/batch", "")
	for _, c := range []struct {
		outcomes []Outcome
		status   int
		body     string
	}{
		{[]Outcome{{Verdict: OK}}, 200, `{"status":1}`},
		{[]Outcome{bad, {Verdict: OK}}, 200, `{"status":1}`},
		{[]Outcome{bad, {Verdict: Duplicate}}, 200, `{"status":1}`},
		{[]Outcome{{Verdict: Warning}}, 200, `{"status":1}`},
		{[]Outcome{bad, bad}, 400, `bad_event: the event has no name`},
		{[]Outcome{{Verdict: OK}, {Verdict: Retry}}, 429, `overloaded: some events were not stored; send the request again`},
	} {
		if r := p.Answer(req, &Decoded{}, c.outcomes); r.Status != c.status || string(r.Body) != c.body {
			t.Errorf("%v: %d %s", c.outcomes, r.Status, r.Body)
		}
	}
	if r := p.Fail(req, &api.Error{Code: api.CodeOverloaded, Message: "later"}); r.Status != 429 || string(r.Body) != "overloaded: later" {
		t.Errorf("%+v", r)
	}
}

func TestPostHogV1(t *testing.T) {
	const path = "/i/v1/analytics/events"
	headers := []string{"Authorization: Bearer k", "PostHog-Sdk-Info: posthog-node/5.70.0", "PostHog-Request-Timestamp: 2025-06-01T09:00:00.000Z"}
	body := `{"created_at":"2025-06-01T08:59:59Z","batch":[
		{"event":"pay","uuid":"a","distinct_id":"u","timestamp":"2025-06-01T08:59:00Z","session_id":"s","window_id":"w","options":{"process_person_profile":false,"product_tour_id":"t","new":1},"properties":{"x":1,"$set":{"p":1},"token":"mine"}},
		{"event":"now","uuid":"b","distinct_id":"u","timestamp":"2025-06-01T08:59:00Z","options":{"disable_skew_correction":true},"properties":{"$lib":"own"}},
		{"event":"","uuid":"c","distinct_id":"u"},
		{"event":"pay","uuid":"d","distinct_id":"u","x":1,"x":2}]}`
	d := decode(t, "POST", path, body, headers...)
	for i, want := range []string{
		`{"time":"2025-06-01T07:59:00Z","event":"pay","user":"u","id":"a","$skew_ms":-3600000,"x":1,"$set":{"p":1},"token":"mine","$process_person_profile":false,"$product_tour_id":"t","options":{"new":1},"$session_id":"s","$window_id":"w","$lib":"posthog-node","$lib_version":"5.70.0"}`,
		`{"time":"2025-06-01T08:59:00Z","event":"now","user":"u","id":"b","$lib":"own","$ignore_sent_at":true,"envelope":{"$lib":"posthog-node"},"$lib_version":"5.70.0"}`,
		"rejected bad_event event", "rejected bad_json ",
	} {
		if got := written(&d.Items[i]); short(got) != want {
			t.Errorf("event %d:\ngot  %s\nwant %s", i, got, want)
		}
	}
	if fmt.Sprint(d.Keys) != "[k]" || d.Items[3].ID != "d" {
		t.Errorf("keys %v, id %q", d.Keys, d.Items[3].ID)
	}
	p, req := route(t, "POST", path, body, headers...)
	r := p.Answer(req, d, []Outcome{{Verdict: OK}, {Warning, Reject{ReasonIllegalID, "", "w"}}, {Rejected, Reject{ingest.BadEvent, "", "x"}}, {Verdict: Retry}})
	if want := `{"results":{"a":{"result":"ok"},"b":{"result":"warning","details":"illegal_id: w"},"c":{"result":"drop","details":"bad_event: x"},"d":{"result":"retry"}}}`; r.Status != 200 || string(r.Body) != want {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	twice := &Decoded{Items: []Item{{ID: "a"}, {ID: "a"}, {}}}
	if r := p.Answer(req, twice, []Outcome{{Verdict: Retry}, {Verdict: Duplicate}, {Verdict: Rejected}}); string(r.Body) != `{"results":{"a":{"result":"retry"}}}` {
		t.Errorf("%s", r.Body)
	}
	if r := p.Answer(req, twice, []Outcome{{Verdict: OK}, {Verdict: Duplicate}, {Verdict: Rejected}}); string(r.Body) != `{"results":{"a":{"result":"ok"}}}` {
		t.Errorf("%s", r.Body)
	}
	for code, status := range map[string]int{api.CodeOverloaded: 503, api.CodeBadJSON: 400, api.CodeStarting: 503, api.CodeBodyTooLarge: 413} {
		if r := p.Fail(req, &api.Error{Code: code, Message: "m"}); r.Status != status || string(r.Body) != `{"error":"`+code+`","error_description":"m"}` {
			t.Errorf("%s: %d %s", code, r.Status, r.Body)
		}
	}
	for body, code := range map[string]string{`{"batch":[]}`: api.CodeEmptyBatch, `[]`: api.CodeBadJSON, `{"event":"e"}`: api.CodeBadJSON, `{"batch":[`: api.CodeBadJSON} {
		p, req := route(t, "POST", path, body, headers...)
		if _, err := p.Decode(req); err == nil || err.(*api.Error).Code != code {
			t.Errorf("%s: %v", body, err)
		}
	}
}
