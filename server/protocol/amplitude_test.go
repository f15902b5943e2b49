package protocol

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cairn/engine/ingest"
	"cairn/server/api"
)

func TestAmplitudeEvents(t *testing.T) {
	const at = `{"time":"2025-06-01T07:00:00Z","event":"e","user":"user1",`
	wrap := func(members string) string {
		return `{"event_type":"e","user_id":"user1","time":1748761200000` + members + `}`
	}
	for name, test := range map[string]struct{ event, want string }{
		"everything": {
			wrap(`,"device_id":"device1","insert_id":"i","session_id":-1,"event_properties":{"a":{"b":[1]},"n":null},"groups":{"company":"Acme"},"plan":{"branch":"main"},"revenue":2.5,"library":"l"`),
			`{"time":"2025-06-01T07:00:00Z","event":"e","user":"user1","id":"i","a":{"b":[1]},"n":null,"user_id":"user1","device_id":"device1","session_id":-1,"groups":{"company":"Acme"},"plan":{"branch":"main"},"revenue":2.5,"library":"l"}` + "\nidentify user1 <- device1",
		},
		"device alone":     {`{"event_type":"e","device_id":"device1"}`, `{"time":"2025-06-01T08:00:00Z","event":"e","user":"device1","device_id":"device1"}`},
		"nobody":           {`{"event_type":"e"}`, `{"time":"2025-06-01T08:00:00Z","event":"e"}`},
		"null user":        {`{"event_type":"e","user_id":null,"device_id":"device1","time":null}`, `{"time":"2025-06-01T08:00:00Z","event":"e","user":"device1","device_id":"device1"}`},
		"number as user":   {`{"event_type":"e","user_id":12345}`, `{"time":"2025-06-01T08:00:00Z","event":"e","user":"12345","user_id":12345}`},
		"illegal device":   {wrap(`,"device_id":"undefined"`), at + "\"user_id\":\"user1\",\"device_id\":\"undefined\"}\nwarning illegal_id"},
		"remote address":   {wrap(`,"ip":"$remote"`), at + `"user_id":"user1","ip":"192.0.2.1"}`},
		"own address":      {wrap(`,"ip":"10.0.0.1"`), at + `"user_id":"user1","ip":"10.0.0.1"}`},
		"name twice":       {wrap(`,"event_properties":{"platform":"x","time":1},"platform":"iOS"`), at + `"platform":"x","properties":{"time":1},"user_id":"user1","envelope":{"platform":"iOS"}}`},
		"empty members":    {wrap(`,"groups":{},"event_properties":{},"user_properties":{}`), at + `"user_id":"user1"}`},
		"plain properties": {wrap(`,"insert_id":"i","user_properties":{"plan":"pro","n":{"m":1}}`), `{"time":"2025-06-01T07:00:00Z","event":"e","user":"user1","id":"i","user_id":"user1"}` + "\n" + `{"time":"2025-06-01T07:00:00Z","event":"$profile","user":"user1","id":"i/profile","$set":{"plan":"pro","n":{"m":1}}}`},
		"operations": {
			wrap(`,"user_properties":{"$set":{"a":1},"$setOnce":{"b":2},"$add":{"c":3},"$append":{"d":["x"]},"$prepend":{"e":"y"},"$preInsert":{"f":"z"},"$postInsert":{"g":["z"]},"$remove":{"h":"q"},"$unset":{"i":"-"}}`),
			at + `"user_id":"user1"}` + "\n" + strings.Replace(at, `"e"`, `"$profile"`, 1) + `"$set":{"a":1},"$set_once":{"b":2},"$add":{"c":3},"$append":{"d":["x"],"e":"y"},"$union":{"f":"z","g":["z"]},"$remove":{"h":"q"},"$unset":["i"]}`,
		},
		"clear all":            {wrap(`,"user_properties":{"$clearAll":"-"}`), at + `"user_id":"user1"}` + "\n" + strings.Replace(at, `"e"`, `"$profile"`, 1) + `"$delete":true}`},
		"mixed operations":     {wrap(`,"user_properties":{"$set":{"a":1},"b":2}`), at + `"user_id":"user1"}` + "\n" + strings.Replace(at, `"e"`, `"$profile"`, 1) + `"$set":{"a":1,"b":2}}`},
		"one property twice":   {wrap(`,"user_properties":{"$append":{"a":1},"$prepend":{"a":2}}`), `duplicate_field $append.a`},
		"properties of nobody": {`{"event_type":"e","user_properties":{"$set":{"a":1}}}`, `{"time":"2025-06-01T08:00:00Z","event":"e","user_properties":{"$set":{"a":1}}}`},
		"group":                {`{"event_type":"$groupidentify","user_id":"user1","groups":{"company":"Acme"},"group_properties":{"$set":{"a":1}}}`, `{"time":"2025-06-01T08:00:00Z","event":"$groupidentify","user":"user1","user_id":"user1","groups":{"company":"Acme"},"group_properties":{"$set":{"a":1}}}`},
		"no name":              {`{"user_id":"user1"}`, `bad_event event_type`},
		"bad time":             {`{"event_type":"e","time":"soon"}`, `bad_time time`},
		"properties a list":    {wrap(`,"event_properties":[1]`), `bad_event event_properties`},
		"user properties text": {wrap(`,"user_properties":"x"`), `bad_event user_properties`},
		"bad operation":        {wrap(`,"user_properties":{"$add":3}`), `bad_event $add`},
		"long user":            {`{"event_type":"e","user_id":"` + strings.Repeat("u", 600) + `"}`, `user_too_long user`},
		"long id":              {wrap(`,"insert_id":"` + strings.Repeat("i", 300) + `"`), `id_too_long id`},
		"longest id, profile":  {wrap(`,"insert_id":"` + strings.Repeat("i", 256) + `","user_properties":{"a":1}`), ""},
		"repeated name":        {wrap(`,"x":1,"x":2`), `bad_json `},
		"not an object":        {`7`, `bad_event `},
	} {
		t.Run(name, func(t *testing.T) {
			got := becomes(t, "POST", "/2/httpapi", `{"api_key":"k","events":[`+test.event+`]}`)
			if name == "longest id, profile" {
				test.want, got = "2 events", fmt.Sprint(strings.Count(got, "\n")+1, " events")
			}
			if got != test.want {
				t.Fatalf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestAmplitudeRequests(t *testing.T) {
	const event = `{"event_type":"e","user_id":"user1","time":1748764700000}`
	for name, test := range map[string]struct{ path, body, want string }{
		"httpapi":      {"/2/httpapi", `{"api_key":"k","events":[` + event + `]}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"batch":        {"/batch/", `{"events":[` + event + `],"api_key":"k"}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"prefix":       {"/amplitude/batch", `{"events":[` + event + `],"api_key":"k"}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"skew":         {"/2/httpapi", `{"api_key":"k","events":[` + event + `],"client_upload_time":"2025-06-01T07:59:00.000Z"}`, `{"time":"2025-06-01T07:59:20Z","event":"e","user":"user1","$skew_ms":60000,"user_id":"user1"}`},
		"no skew":      {"/2/httpapi", `{"api_key":"k","events":[` + event + `],"client_upload_time":"2025-06-01T07:59:56.000Z"}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"odd options":  {"/2/httpapi", `{"api_key":"k","events":[` + event + `],"options":7,"client_upload_time":{}}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"short user":   {"/2/httpapi", `{"api_key":"k","events":[` + event + `],"options":{"min_id_length":6}}`, `bad_event user_id`},
		"long enough":  {"/2/httpapi", `{"api_key":"k","events":[` + event + `],"options":{"min_id_length":5}}`, `{"time":"2025-06-01T07:58:20Z","event":"e","user":"user1","user_id":"user1"}`},
		"short device": {"/2/httpapi", `{"api_key":"k","events":[{"event_type":"e","user_id":"user123","device_id":"d"}],"options":{"min_id_length":6}}`, `bad_event device_id`},
		"identify": {
			"/identify", form("api_key", "k", "identification", `[{"user_id":"user1","device_id":"device1","user_properties":{"$set":{"plan":"pro"}},"time":1748764700000}]`),
			`{"time":"2025-06-01T07:58:20Z","event":"$identify","user":"user1","user_id":"user1","device_id":"device1"}` + "\n" + `{"time":"2025-06-01T07:58:20Z","event":"$profile","user":"user1","$set":{"plan":"pro"}}` + "\nidentify user1 <- device1",
		},
		"identify, one": {"/identify", form("api_key", "k", "identification", `{"user_id":"user1"}`), `{"time":"2025-06-01T08:00:00Z","event":"$identify","user":"user1","user_id":"user1"}`},
		"groupidentify": {
			"/groupidentify", form("api_key", "k", "identification", `{"group_type":"company","group_value":"Acme","group_properties":{"a":1}}`),
			`{"time":"2025-06-01T08:00:00Z","event":"$groupidentify","group_type":"company","group_value":"Acme","group_properties":{"a":1}}`,
		},
		"attribution": {
			"/amplitude/attribution", form("api_key", "k", "event", `{"event_type":"[Acme] Install","idfa":"AEBE","user_properties":{"[Acme] campaign":"x"},"platform":"ios"}`),
			`{"time":"2025-06-01T08:00:00Z","event":"[Acme] Install","idfa":"AEBE","platform":"ios","user_properties":{"[Acme] campaign":"x"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := becomes(t, "POST", test.path, test.body); got != test.want {
				t.Fatalf("got\n%s\nwant\n%s", got, test.want)
			}
			if d := decode(t, "POST", test.path, test.body); !reflect.DeepEqual(d.Keys, []string{"k"}) {
				t.Fatalf("keys %q", d.Keys)
			}
		})
	}
}

func TestAmplitudePaths(t *testing.T) {
	for _, test := range []struct {
		path, body, want string
	}{
		{"/batch", `{"api_key":"k","events":[]}`, "amplitude"},
		{"/batch", `{"api_key":"k","batch":[]}`, "posthog"},
		{"/batch", `[{"event":"e"}]`, "posthog"},
		{"/amplitude/batch", `{}`, "amplitude"},
		{"/identify", form("api_key", "k"), "amplitude"},
		{"/identify", `{"api_key":"k"}`, ""},
		{"/groupidentify", "", ""},
		{"/amplitude/identify", "", "amplitude"},
	} {
		req, h := newRequest("POST", test.path, test.body)
		r, ok := Find("POST", h.URL.Path)
		if !ok {
			t.Fatal(test.path)
		}
		got := ""
		if p := r.Pick(req); p != nil {
			got = p.Name()
		}
		if got != test.want {
			t.Errorf("%s %s: %q", test.path, test.body, got)
		}
	}
}

func TestAmplitudeAnswers(t *testing.T) {
	const first, second = `{"event_type":"a","user_id":"user1","insert_id":"i0"}`, `{"event_type":"b","user_id":"user1","insert_id":"i1"}`
	const anonymous, nameless = `{"event_type":"a","user_id":"user1"}`, `{"insert_id":"i2"}`
	good, dup, again := Outcome{Verdict: OK}, Outcome{Verdict: Duplicate}, Outcome{Verdict: Retry}
	warn := Outcome{Warning, Reject{ReasonIllegalID, "", "x"}}
	reject := func(reason, field string) Outcome { return Outcome{Rejected, Reject{reason, field, "m"}} }
	refused := func(reason, fields, missing, ids string) string {
		return `{"code":400,"error":"events were refused, the first for ` + reason + `: m","events_with_invalid_fields":{` + fields + `},"events_with_missing_fields":{` + missing + `},"events_with_invalid_id_lengths":{` + ids + `},"silenced_events":[]}`
	}
	success := func(n int, body string) string {
		return fmt.Sprintf(`{"code":200,"events_ingested":%d,"payload_size_bytes":%d,"server_upload_time":1748764800000}`, n, len(body))
	}
	events := func(list ...string) string { return `{"api_key":"k","events":[` + strings.Join(list, ",") + `]}` }
	for name, test := range map[string]struct {
		path, body string
		outcomes   []Outcome
		status     int
		want       string
	}{
		"all good":         {"/2/httpapi", events(first, second), []Outcome{good, good}, 200, success(2, events(first, second))},
		"known and warned": {"/batch", events(first, second), []Outcome{dup, warn}, 200, success(2, events(first, second))},
		"nothing":          {"/batch", events(), nil, 200, success(0, events())},
		"one bad, ids":     {"/2/httpapi", events(first, second), []Outcome{good, reject(ingest.TimeTooNew, "time")}, 400, refused("time_too_new", `"time":[1]`, "", "")},
		"one bad, the good anonymous": {
			"/2/httpapi", events(anonymous, second),
			[]Outcome{good, reject(ingest.TimeTooNew, "time")},
			200,
			success(1, events(anonymous, second)),
		},
		"the bad anonymous":     {"/2/httpapi", events(anonymous, second), []Outcome{reject(ingest.TimeTooNew, "time"), good}, 400, refused("time_too_new", `"time":[0]`, "", "")},
		"all bad, anonymous":    {"/2/httpapi", events(anonymous, anonymous), []Outcome{reject(ingest.TimeTooNew, "time"), reject("time_too_old", "time")}, 400, refused("time_too_new", `"time":[0,1]`, "", "")},
		"bad as a whole":        {"/batch", events(first, second), []Outcome{reject(ingest.EventTooLarge, ""), good}, 400, refused("event_too_large", `"event":[0]`, "", "")},
		"no name":               {"/batch", events(nameless, first), []Outcome{reject(ingest.BadEvent, "event_type"), good}, 400, refused("bad_event", "", `"event_type":[0]`, "")},
		"bad name":              {"/batch", events(first, second), []Outcome{reject(ingest.BadEvent, "event_type"), good}, 400, refused("bad_event", `"event_type":[0]`, "", "")},
		"long user":             {"/batch", events(first, second), []Outcome{good, reject(ingest.UserTooLong, "user")}, 400, refused("user_too_long", "", "", `"user_id":[1]`)},
		"short device":          {"/batch", events(first, second), []Outcome{good, reject(ingest.BadEvent, "device_id")}, 400, refused("bad_event", "", "", `"device_id":[1]`)},
		"not committed":         {"/batch", events(first, second), []Outcome{good, again}, 429, `{"code":429,"error":"some events were not stored; send the request again","eps_threshold":0,"throttled_devices":{},"throttled_users":{},"throttled_events":[0,1]}`},
		"form":                  {"/identify", form("api_key", "k", "identification", `{"user_id":"user1"}`), []Outcome{good}, 200, "success"},
		"form, bad":             {"/identify", form("api_key", "k", "identification", `{"user_id":"user1"}`), []Outcome{reject(ingest.TimeTooNew, "time")}, 400, "events were refused, the first for time_too_new: m"},
		"form, half":            {"/identify", form("api_key", "k", "identification", `[{"user_id":"user1"},{"user_id":"user2"}]`), []Outcome{reject(ingest.TimeTooNew, "time"), good}, 200, "success"},
		"two kinds of mistakes": {"/batch", events(first, second, nameless), []Outcome{reject(ingest.ValueTooLong, "a.b"), good, reject(ingest.BadEvent, "event_type")}, 400, refused("value_too_long", `"a.b":[0]`, `"event_type":[2]`, "")},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/amplitude"+test.path, test.body)
			d, err := p.Decode(req)
			if err != nil {
				t.Fatal(err)
			}
			a := p.Answer(req, d, test.outcomes)
			if a.Status != test.status || string(a.Body) != test.want {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func TestAmplitudeFails(t *testing.T) {
	const two = `{"api_key":"k","events":[{},{}]}`
	const nothing = `"events_with_invalid_fields":{},"events_with_missing_fields":{},"events_with_invalid_id_lengths":{},"silenced_events":[]}`
	for name, test := range map[string]struct {
		path, body, code string
		status           int
		want             string
	}{
		"no key":       {"/2/httpapi", `{"events":[]}`, api.CodeNoToken, 400, `{"code":400,"error":"Request missing required field: api_key","missing_field":"api_key",` + nothing},
		"unknown key":  {"/2/httpapi", two, api.CodeUnknownToken, 400, `{"code":400,"error":"Invalid API key: m",` + nothing},
		"wrong scope":  {"/batch", two, api.CodeScope, 400, `{"code":400,"error":"Invalid API key: m",` + nothing},
		"too large":    {"/batch", "", api.CodeBodyTooLarge, 413, `{"code":413,"error":"m"}`},
		"too many":     {"/batch", two, api.CodeTooManyEvents, 413, `{"code":413,"error":"m"}`},
		"overloaded":   {"/batch", two, api.CodeOverloaded, 429, `{"code":429,"error":"m","eps_threshold":0,"throttled_devices":{},"throttled_users":{},"throttled_events":[0,1]}`},
		"rate, unread": {"/batch", "", api.CodeRate, 429, `{"code":429,"error":"m","eps_threshold":0,"throttled_devices":{},"throttled_users":{},"throttled_events":[]}`},
		"stopping":     {"/batch", two, api.CodeStopping, 503, `{"code":503,"error":"m"}`},
		"bad JSON":     {"/batch", "{", api.CodeBadJSON, 400, `{"code":400,"error":"m",` + nothing},
		"form, key":    {"/identify", "api_key=x", api.CodeUnknownToken, 400, "Invalid API key: m"},
		"form, no key": {"/identify", "", api.CodeNoToken, 400, "Invalid API key: m"},
		"form, busy":   {"/identify", "api_key=x", api.CodeOverloaded, 429, "m"},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/amplitude"+test.path, test.body)
			if a := p.Fail(req, &api.Error{Code: test.code, Message: "m"}); a.Status != test.status || string(a.Body) != test.want {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func TestAmplitudeBadRequests(t *testing.T) {
	many := `{"api_key":"k","events":[` + strings.Repeat(`{"event_type":"e"},`, amplitudeEventsMax) + `{}]}`
	for name, test := range map[string]struct{ path, body, code, answer string }{
		"no events":        {"/2/httpapi", `{"api_key":"k"}`, api.CodeBadParameter, `{"code":400,"error":"Request missing required field: events","missing_field":"events",`},
		"a list":           {"/2/httpapi", `[]`, api.CodeBadParameter, `{"code":400,"error":"Request missing required field: events","missing_field":"events",`},
		"events an object": {"/2/httpapi", `{"api_key":"k","events":{}}`, api.CodeBadJSON, `{"code":400,`},
		"two keys":         {"/2/httpapi", `{"api_key":"k","api_key":"l","events":[]}`, api.CodeBadJSON, `{"code":400,`},
		"not JSON":         {"/2/httpapi", `{`, api.CodeBadJSON, `{"code":400,`},
		"empty":            {"/2/httpapi", ``, api.CodeEmptyBatch, `{"code":400,`},
		"too many":         {"/batch", many, api.CodeTooManyEvents, `{"code":413,`},
		"form without":     {"/identify", "api_key=k", api.CodeBadParameter, "Request missing required field: identification"},
		"form, not JSON":   {"/attribution", "api_key=k&event=x", api.CodeBadJSON, "the body is not JSON"},
		"no form":          {"/attribution", "{}", api.CodeBadParameter, "Request missing required field: event"},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/amplitude"+test.path, test.body)
			d, err := p.Decode(req)
			coded, ok := err.(*api.Error)
			if !ok || coded.Code != test.code || d == nil {
				t.Fatalf("%v", err)
			}
			if a := p.Fail(req, coded); !strings.HasPrefix(string(a.Body), test.answer) {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func FuzzAmplitude(f *testing.F) {
	for _, file := range []string{"amplitude-node", "amplitude-go", "amplitude-browser"} {
		for _, r := range readRecorded(f, "testdata/recorded/"+file+".ndjson") {
			f.Add("2/httpapi", []byte(r.Body))
		}
	}
	f.Add("batch", []byte(`{"api_key":"k","events":[{"event_type":"e","user_id":"u","device_id":"d","user_properties":{"$unset":{"a":1},"$clearAll":{}}},{}],"options":{"min_id_length":2},"client_upload_time":"2025-01-01T00:00:00Z"}`))
	f.Add("identify", []byte("api_key=k&identification="+`[{"user_id":"u","user_properties":{"a":1}}]`))
	f.Add("groupidentify", []byte("api_key=k&identification={}"))
	f.Add("attribution", []byte("api_key=k&event={}"))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		switch path {
		case "batch", "identify", "groupidentify", "attribution":
		default:
			path = "2/httpapi"
		}
		fuzzRequest(t, Amplitude{}, "/"+path, "", "", body)
	})
}
