package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"cairn/engine/ingest"
	"cairn/server/api"
)

func encode64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// becomes decodes a request of one item and describes what it becomes: events as JSON, links, or the reason of the reject.
func becomes(t *testing.T, method, target, body string, headers ...string) string {
	t.Helper()
	d := decode(t, method, target, body, headers...)
	if len(d.Items) != 1 {
		t.Fatalf("%d items", len(d.Items))
	}
	return describe(&d.Items[0])
}

func describe(item *Item) string {
	var out []string
	for _, e := range item.Events {
		out = append(out, text(e))
	}
	for _, l := range item.Links {
		out = append(out, fmt.Sprintf("%s %s <- %s", l.Kind, l.User, l.ID))
	}
	if item.Reject != nil {
		out = append(out, item.Reject.Reason+" "+item.Reject.Field)
	}
	if item.Warning != nil {
		out = append(out, "warning "+item.Warning.Reason)
	}
	return strings.Join(out, "\n")
}

func TestMixpanelWays(t *testing.T) {
	const event = `{"event":"e","properties":{"token":"k","distinct_id":"u","time":1748764800,"$insert_id":"i","n":1}}`
	const want = `{"time":"2025-06-01T08:00:00Z","event":"e","user":"u","id":"i","distinct_id":"u","n":1}`
	list := "[" + event + "]"
	for name, test := range map[string]struct{ method, target, body string }{
		"get base64":        {"GET", "/track?ip=0&verbose=0&data=" + strings.ReplaceAll(encode64(event), "=", "%3D"), ""},
		"get json":          {"GET", "/track/?" + form("data", event), ""},
		"form base64":       {"POST", "/track", "data=" + encode64(list)},
		"form base64 plus":  {"POST", "/track", form("data", encode64(list), "verbose", "1")},
		"form json":         {"POST", "/track", form("ip", "0", "data", event)},
		"query and body":    {"POST", "/track?" + form("data", list), "ignored"},
		"json list":         {"POST", "/track?verbose=1", list},
		"json one":          {"POST", "/track", event},
		"import list":       {"POST", "/import?strict=1", list},
		"import form":       {"POST", "/import", "data=" + encode64(list)},
		"prefix":            {"POST", "/mixpanel/track", list},
		"prefix form":       {"POST", "/mixpanel/import/", form("data", list)},
		"byte order mark":   {"POST", "/track?verbose=1", "\xef\xbb\xbf" + list},
		"url-safe base64":   {"POST", "/track", "data=" + base64.RawURLEncoding.EncodeToString([]byte(list))},
		"blanks before":     {"POST", "/track", "  \n" + list},
		"white space after": {"POST", "/mixpanel/track", list + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "byte order mark" {
				test.target = "/mixpanel" + test.target
			}
			if got := becomes(t, test.method, test.target, test.body); got != want {
				t.Fatalf("got %s", got)
			}
		})
	}
}

func TestMixpanelEvents(t *testing.T) {
	wrap := func(properties string) string { return `{"event":"e","properties":{"token":"k",` + properties + `}}` }
	for name, test := range map[string]struct{ event, want string }{
		"milliseconds":      {wrap(`"distinct_id":"u","time":1748764800123`), `{"time":"2025-06-01T08:00:00.123Z","event":"e","user":"u","distinct_id":"u"}`},
		"seconds, decimal":  {wrap(`"distinct_id":"u","time":1748764800.5`), `{"time":"2025-06-01T08:00:00.5Z","event":"e","user":"u","distinct_id":"u"}`},
		"text":              {wrap(`"distinct_id":"u","time":"2025-06-01T07:00:00Z"`), `{"time":"2025-06-01T07:00:00Z","event":"e","user":"u","distinct_id":"u"}`},
		"no time":           {wrap(`"distinct_id":"u"`), `{"time":"2025-06-01T08:00:00Z","event":"e","user":"u","distinct_id":"u"}`},
		"null time":         {wrap(`"distinct_id":"u","time":null`), `{"time":"2025-06-01T08:00:00Z","event":"e","user":"u","distinct_id":"u"}`},
		"bad time":          {wrap(`"distinct_id":"u","time":"soon"`), `bad_time properties.time`},
		"time of odd kind":  {wrap(`"distinct_id":"u","time":[1]`), `bad_time properties.time`},
		"nobody":            {wrap(`"a":1`), `{"time":"2025-06-01T08:00:00Z","event":"e","a":1}`},
		"number as id":      {wrap(`"distinct_id":17`), `{"time":"2025-06-01T08:00:00Z","event":"e","user":"17","distinct_id":17}`},
		"device alone":      {wrap(`"$device_id":"d"`), `{"time":"2025-06-01T08:00:00Z","event":"e","user":"d","$device_id":"d"}`},
		"known and device":  {wrap(`"distinct_id":"x","$user_id":"u","$device_id":"d"`), "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"e\",\"user\":\"u\",\"distinct_id\":\"x\",\"$user_id\":\"u\",\"$device_id\":\"d\"}\nidentify u <- d\nidentify u <- $device:d"},
		"illegal device":    {wrap(`"$user_id":"u","$device_id":"null"`), "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"e\",\"user\":\"u\",\"$user_id\":\"u\",\"$device_id\":\"null\"}\nidentify u <- $device:null\nwarning illegal_id"},
		"nested and lists":  {wrap(`"a":{"b":{"c":1}},"l":[1, {"x": [2]}],"o":{},"e":""`), `{"time":"2025-06-01T08:00:00Z","event":"e","a":{"b":{"c":1}},"l":[1,{"x":[2]}],"o":{},"e":""}`},
		"reserved names":    {wrap(`"user":"x","id":3,"event":"y","received":1`), `{"time":"2025-06-01T08:00:00Z","event":"e","properties":{"user":"x","id":3,"event":"y","received":1}}`},
		"dotted name":       {wrap(`"a.b":1`), `{"time":"2025-06-01T08:00:00Z","event":"e","a.b":1}`},
		"other members":     {`{"event":"e","properties":{"token":"k"},"x":{"y":1}}`, `{"time":"2025-06-01T08:00:00Z","event":"e","x":{"y":1}}`},
		"no name":           {`{"properties":{"token":"k"}}`, `bad_event event`},
		"properties a list": {`{"event":"e","properties":[1],"x":1}`, `bad_event properties`},
		"no properties":     {`{"event":"e"}`, `{"time":"2025-06-01T08:00:00Z","event":"e"}`},
		"repeated name":     {wrap(`"a":1,"a":2`), `bad_json `},
		"lone surrogate":    {wrap(`"a":"\ud800"`), `bad_json `},
		"huge number":       {wrap(`"a":1e999`), `bad_json `},
		"not an object":     {`7`, ``},
		"alias":             {`{"event":"$create_alias","properties":{"distinct_id":"u","alias":"a","token":"k"}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$create_alias\",\"user\":\"u\",\"distinct_id\":\"u\",\"alias\":\"a\"}\nalias u <- a"},
		"illegal alias":     {`{"event":"$create_alias","properties":{"distinct_id":"u","alias":"undefined"}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$create_alias\",\"user\":\"u\",\"distinct_id\":\"u\",\"alias\":\"undefined\"}\nwarning illegal_id"},
		"merge":             {`{"event":"$merge","properties":{"$distinct_ids":["a","b"]}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$merge\",\"$distinct_ids\":[\"a\",\"b\"]}\nmerge a <- b"},
		"merge of many":     {`{"event":"$merge","properties":{"$distinct_ids":["a","b",3]}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$merge\",\"$distinct_ids\":[\"a\",\"b\",3]}\nmerge a <- b\nmerge a <- 3"},
		"merge of nothing":  {`{"event":"$merge","properties":{"$distinct_ids":"a"}}`, `{"time":"2025-06-01T08:00:00Z","event":"$merge","$distinct_ids":"a"}`},
		"identify":          {`{"event":"$identify","properties":{"distinct_id":"u","$anon_distinct_id":"a"}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$identify\",\"user\":\"u\",\"distinct_id\":\"u\",\"$anon_distinct_id\":\"a\"}\nidentify u <- a"},
		"identify, older":   {`{"event":"$identify","properties":{"$identified_id":"u","$anon_id":"a"}}`, "{\"time\":\"2025-06-01T08:00:00Z\",\"event\":\"$identify\",\"$identified_id\":\"u\",\"$anon_id\":\"a\"}\nidentify u <- a"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == "" {
				p, req := route(t, "POST", "/mixpanel/track", test.event)
				if _, err := p.Decode(req); err == nil {
					t.Fatal("no error")
				}
				return
			}
			if got := becomes(t, "POST", "/mixpanel/track", test.event); got != test.want {
				t.Fatalf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestMixpanelUpdates(t *testing.T) {
	const at = `{"time":"2025-06-01T08:00:00Z","event":"$profile","user":"u",`
	for name, test := range map[string]struct{ path, update, want string }{
		"set":           {"/engage", `{"$token":"k","$distinct_id":"u","$set":{"a":1,"b":{"c":null}},"$ip":"0"}`, at + `"$set":{"a":1,"b":{"c":null}},"$distinct_id":"u"}`},
		"set_once":      {"/engage", `{"$distinct_id":"u","$set_once":{"a":"x"}}`, at + `"$set_once":{"a":"x"},"$distinct_id":"u"}`},
		"add":           {"/engage", `{"$distinct_id":"u","$add":{"a":-1.5}}`, at + `"$add":{"a":-1.5},"$distinct_id":"u"}`},
		"append, union": {"/engage", `{"$distinct_id":"u","$append":{"a":"x"},"$union":{"b":["y"]}}`, at + `"$append":{"a":"x"},"$union":{"b":["y"]},"$distinct_id":"u"}`},
		"remove":        {"/engage", `{"$distinct_id":"u","$remove":{"a":"x"},"$ip":"1.2.3.4"}`, at + `"$remove":{"a":"x"},"$distinct_id":"u","$ip":"1.2.3.4"}`},
		"unset":         {"/engage", `{"$distinct_id":"u","$unset":["a","b"]}`, at + `"$unset":["a","b"],"$distinct_id":"u"}`},
		"unset one":     {"/engage", `{"$distinct_id":"u","$unset":"a"}`, at + `"$unset":["a"],"$distinct_id":"u"}`},
		"delete":        {"/engage", `{"$distinct_id":"u","$delete":"","$ignore_alias":"true"}`, at + `"$distinct_id":"u","$delete":true}`},
		"delete null":   {"/engage", `{"$distinct_id":"u","$delete":null}`, at + `"$distinct_id":"u","$delete":true}`},
		"its time":      {"/engage", `{"$distinct_id":"u","$set":{"a":1},"$time":1748761200000}`, `{"time":"2025-06-01T07:00:00Z","event":"$profile","user":"u","$set":{"a":1},"$distinct_id":"u"}`},
		"nothing set":   {"/engage", `{"$distinct_id":"u","$set":{}}`, strings.TrimSuffix(at, ",") + `,"$distinct_id":"u"}`},
		"known, device": {"/engage", `{"$distinct_id":"u","$user_id":"u","$device_id":"d","$set":{"a":1}}`, at + "\"$set\":{\"a\":1},\"$distinct_id\":\"u\",\"$user_id\":\"u\",\"$device_id\":\"d\"}\nidentify u <- d\nidentify u <- $device:d"},
		"no user":       {"/engage", `{"$token":"k","$set":{"a":1}}`, `bad_event $distinct_id`},
		"no operation":  {"/engage", `{"$token":"k","$distinct_id":"u"}`, `bad_event `},
		"set a list":    {"/engage", `{"$distinct_id":"u","$set":[1]}`, `bad_event $set`},
		"unset numbers": {"/engage", `{"$distinct_id":"u","$unset":[1]}`, `bad_event $unset`},
		"group":         {"/groups", `{"$token":"k","$group_key":"company","$group_id":"Acme","$set":{"a":1}}`, `{"time":"2025-06-01T08:00:00Z","event":"$groupidentify","$set":{"a":1},"$group_key":"company","$group_id":"Acme"}`},
		"group, number": {"/groups", `{"$group_key":"company","$group_id":7,"$unset":["a"]}`, `{"time":"2025-06-01T08:00:00Z","event":"$groupidentify","$unset":["a"],"$group_key":"company","$group_id":7}`},
		"group deleted": {"/groups", `{"$group_key":"company","$group_id":"Acme","$delete":"null"}`, `{"time":"2025-06-01T08:00:00Z","event":"$groupidentify","$delete":true,"$group_key":"company","$group_id":"Acme"}`},
		"no group":      {"/groups", `{"$group_key":"company","$set":{"a":1}}`, `bad_event $group_id`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := becomes(t, "POST", "/mixpanel"+test.path, "["+test.update+"]"); got != test.want {
				t.Fatalf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestMixpanelSkewAndAddress(t *testing.T) {
	const event = `{"event":"e","properties":{"token":"k","time":1748764700}}` // 100 s before it arrives
	for name, test := range map[string]struct{ query, want string }{
		"a clock a minute late":  {"?ip=1&_=1748764740000", `{"time":"2025-06-01T07:59:20Z","event":"e","$skew_ms":60000,"ip":"192.0.2.1"}`},
		"a clock an hour early":  {"?_=1748768400000", `{"time":"2025-06-01T06:58:20Z","event":"e","$skew_ms":-3600000}`},
		"on the way for 4.999 s": {"?_=1748764795001", `{"time":"2025-06-01T07:58:20Z","event":"e"}`},
		"no send time":           {"?ip=0", `{"time":"2025-06-01T07:58:20Z","event":"e"}`},
		"no time at all":         {"?_=1", `{"time":"2025-06-01T07:58:20Z","event":"e"}`},
		"text":                   {"?_=now", `{"time":"2025-06-01T07:58:20Z","event":"e"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := becomes(t, "POST", "/track/"+test.query, form("data", event)); got != test.want {
				t.Fatalf("got %s", got)
			}
		})
	}
	own := `{"event":"e","properties":{"token":"k","ip":"10.0.0.1"}}`
	if got := becomes(t, "POST", "/track?ip=1", form("data", own)); !strings.Contains(got, `"ip":"10.0.0.1"`) || strings.Contains(got, "192.0.2.1") {
		t.Fatalf("got %s", got)
	}
	if got := becomes(t, "POST", "/track", form("ip", "1", "data", event)); !strings.Contains(got, `"ip":"192.0.2.1"`) {
		t.Fatalf("got %s", got)
	}
}

func TestMixpanelKeys(t *testing.T) {
	basic := func(user, password string) string { return "Authorization: Basic " + encode64(user+":"+password) }
	const keyed, bare = `[{"event":"e","properties":{"token":"k"}}]`, `[{"event":"e","properties":{}}]`
	for name, test := range map[string]struct {
		target, body, header string
		want                 []string
	}{
		"in the events":             {"/import", keyed, "", []string{"k"}},
		"events before the secret":  {"/import", keyed, basic("secret", ""), []string{"k"}},
		"secret":                    {"/import", bare, basic("secret", ""), []string{"secret"}},
		"service account":           {"/import?project_id=7", bare, basic("name", "secret"), []string{"secret"}},
		"parameter":                 {"/import?api_key=p", form("data", bare), basic("secret", ""), []string{"p"}},
		"parameter beside events":   {"/import?api_key=p", form("data", keyed), "", []string{"k"}},
		"form":                      {"/import", form("data", bare, "api_key", "f"), "", []string{"f"}},
		"none":                      {"/import?project_id=7", bare, "", nil},
		"several":                   {"/import", `[{"event":"e","properties":{"token":"k"}},{"event":"e","properties":{"token":"l"}}]`, "", []string{"k", "l"}},
		"some without":              {"/import", `[{"event":"e","properties":{}},{"event":"e","properties":{"token":"l"}}]`, "", []string{"l"}},
		"of a bad event":            {"/import", `[{"properties":{"token":"l"}}]`, "", []string{"l"}},
		"update":                    {"/engage", `[{"$token":"k","$distinct_id":"u","$set":{"a":1}}]`, "", []string{"k"}},
		"recording":                 {"/record?distinct_id=u", "\x1f\x8b", basic("k", ""), []string{"k"}},
		"group":                     {"/groups", `{"$token":"k","$group_key":"a","$group_id":"b","$delete":true}`, "", []string{"k"}},
		"empty token, then account": {"/import", `[{"event":"e","properties":{"token":""}}]`, basic("name", "secret"), []string{"secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			if d := decode(t, "POST", "/mixpanel"+test.target, test.body, headers...); !reflect.DeepEqual(d.Keys, test.want) {
				t.Fatalf("got %q", d.Keys)
			}
		})
	}
}

func TestMixpanelRecording(t *testing.T) {
	d := decode(t, "POST", "/record/", "\x1f\x8bnonsense")
	if d.Ignored != 1 || d.Reply == nil || string(d.Reply.Body) != `{"code":200,"status":"OK"}` {
		t.Fatalf("%+v", d)
	}
}

func TestMixpanelClaims(t *testing.T) {
	for body, want := range map[string]bool{
		`[{"event":"e","properties":{"token":"k"}}]`:                 true,
		`[{"$token":"k","$set":{}}]`:                                 true,
		`{"event":"e","properties":{"token":"k"}}`:                   true,
		`{"api_key":"k","event":"e","properties":{"token":"k"}}`:     false,
		`{"distinct_id":"k","event":"e","properties":{"token":"k"}}`: false,
		`{"uuid":"k","event":"e","properties":{"token":"k"}}`:        false,
		`{"api_key":"k","event":"e"}`:                                false,
		`[{"event":"e","distinct_id":"u"}]`:                          false,
		`data=` + encode64(`{"event":"e"}`):                          true,
		`compression=gzip&data=x`:                                    true,
		`api_key=x`:                                                  false,
		``:                                                           false,
		`[`:                                                          false,
		`[1]`:                                                        false,
		`[{"properties":{"token":null}}]`:                            false,
		`[{"$token":"k","api_key":"a"},{"event":"e","distinct_id":"u"}]`: false,
	} {
		req, _ := newRequest("POST", "/track", body)
		if got := mixpanelClaims(req); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	if req, _ := newRequest("GET", "/engage?data=x", ""); !mixpanelClaims(req) {
		t.Error("a GET with data is not claimed")
	}
}

func TestMixpanelAnswers(t *testing.T) {
	const two = `[{"event":"a","properties":{"token":"k","$insert_id":"i0"}},{"event":"b","properties":{"token":"k","$insert_id":"i1"}}]`
	bad := Outcome{Rejected, Reject{ingest.TimeTooNew, "time", "it is 3 days ahead"}}
	good, dup, warn := Outcome{Verdict: OK}, Outcome{Verdict: Duplicate}, Outcome{Warning, Reject{ReasonIllegalID, "", "x"}}
	again := Outcome{Verdict: Retry}
	f := form("data", two)
	const failed = `{"code":400,"error":"some data points in the request failed validation","status":"Bad Request","num_records_imported":`
	const records = `{"index":1,"insert_id":"i1","field":"time","message":"time_too_new: it is 3 days ahead"}]}`
	for name, test := range map[string]struct {
		target, body string
		outcomes     [2]Outcome
		status       int
		want         string
	}{
		"track":                   {"/track", two, [2]Outcome{good, good}, 200, "1"},
		"track, half":             {"/track", two, [2]Outcome{good, bad}, 200, "1"},
		"track, none":             {"/track", two, [2]Outcome{bad, bad}, 200, "0"},
		"track verbose":           {"/track?verbose=1", two, [2]Outcome{dup, warn}, 200, `{"status":1,"error":null}`},
		"track verbose, half":     {"/track?verbose=1", two, [2]Outcome{bad, dup}, 200, `{"status":1,"error":null}`},
		"track verbose, none":     {"/track?verbose=1", two, [2]Outcome{bad, bad}, 200, `{"status":0,"error":"time_too_new: it is 3 days ahead"}`},
		"form":                    {"/track", f, [2]Outcome{good, good}, 200, "1"},
		"form says verbose":       {"/track", f + "&verbose=1", [2]Outcome{good, good}, 200, `{"status":1,"error":null}`},
		"form says verbose first": {"/track", "verbose=1&" + f, [2]Outcome{good, good}, 200, `{"status":1,"error":null}`},
		"import":                  {"/import?strict=1&verbose=1", two, [2]Outcome{good, dup}, 200, `{"code":200,"status":"OK","num_records_imported":2}`},
		"import, half":            {"/import?strict=1", two, [2]Outcome{warn, bad}, 400, failed + `1,"failed_records":[` + records},
		"import, none":            {"/import", two, [2]Outcome{bad, bad}, 400, failed + `0,"failed_records":[{"index":0,"insert_id":"i0","field":"time","message":"time_too_new: it is 3 days ahead"},` + records},
		"loose import, half":      {"/import?strict=0", two, [2]Outcome{good, bad}, 200, `{"code":200,"status":"OK","num_records_imported":1}`},
		"loose import, none":      {"/import?strict=0", two, [2]Outcome{bad, bad}, 400, failed + `0,"failed_records":[{"index":0,"insert_id":"i0","field":"time","message":"time_too_new: it is 3 days ahead"},` + records},
		"import by form":          {"/import", f, [2]Outcome{good, bad}, 200, "1"},
		"import by form, verbose": {"/import?verbose=1", f, [2]Outcome{good, good}, 200, `{"status":1,"error":null}`},
		"not committed":           {"/track", two, [2]Outcome{good, again}, 429, "overloaded: some events were not stored; send the request again"},
		"import not committed":    {"/import", two, [2]Outcome{good, again}, 429, `{"code":429,"error":"overloaded: some events were not stored; send the request again","status":"Too Many Requests"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/mixpanel"+test.target, test.body)
			d, err := p.Decode(req)
			if err != nil {
				t.Fatal(err)
			}
			a := p.Answer(req, d, test.outcomes[:])
			if a.Status != test.status || string(a.Body) != test.want {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if isJSON := a.ContentType == typeJSON; isJSON != (test.want[0] == '{') {
				t.Fatal(a.ContentType)
			}
		})
	}
	for _, path := range []string{"/engage", "/groups"} {
		p, req := route(t, "POST", "/mixpanel"+path, `[{"$token":"k","$distinct_id":"u","$set":{}}]`)
		d, err := p.Decode(req)
		if err != nil {
			t.Fatal(err)
		}
		if a := p.Answer(req, d, []Outcome{good}); string(a.Body) != "1" || a.Status != 200 {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}

func TestMixpanelFails(t *testing.T) {
	large := &api.Error{Code: api.CodeBodyTooLarge, Message: "m"}
	busy := &api.Error{Code: api.CodeOverloaded, Message: "m"}
	for name, test := range map[string]struct {
		method, target, body string
		err                  *api.Error
		status               int
		want                 string
	}{
		"track":          {"POST", "/track", "[]", large, 413, "body_too_large: m"},
		"get":            {"GET", "/track?data=x", "", busy, 429, "overloaded: m"},
		"verbose":        {"GET", "/track?data=x&verbose=1", "", busy, 429, `{"status":0,"error":"overloaded: m"}`},
		"verbose form":   {"POST", "/engage", "data=x&verbose=1", busy, 429, `{"status":0,"error":"overloaded: m"}`},
		"import":         {"POST", "/import?strict=1", "[]", large, 413, `{"code":413,"error":"body_too_large: m","status":"Request Entity Too Large"}`},
		"import, form":   {"POST", "/import", "data=x", large, 413, "body_too_large: m"},
		"import, unread": {"POST", "/import?strict=1", "", large, 413, `{"code":413,"error":"body_too_large: m","status":"Request Entity Too Large"}`},
		"recording":      {"POST", "/record", "", large, 413, `{"code":413,"error":"body_too_large: m","status":"Request Entity Too Large"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, test.method, "/mixpanel"+test.target, test.body)
			if a := p.Fail(req, test.err); a.Status != test.status || string(a.Body) != test.want {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func TestMixpanelBadRequests(t *testing.T) {
	many := "[" + strings.Repeat(`{"event":"e"},`, mixpanelEventsMax) + `{"event":"e"}]`
	for name, test := range map[string]struct{ target, body, code string }{
		"not JSON":      {"/track", "[{", api.CodeBadJSON},
		"two documents": {"/track", "[] []", api.CodeBadJSON},
		"empty":         {"/import", "", api.CodeEmptyBatch},
		"form, no data": {"/track", "a=b", api.CodeBadJSON},
		"bad base64":    {"/track", "data=%25%25", api.CodeBadJSON},
		"data empty":    {"/track?data=", "", api.CodeEmptyBatch},
		"a text":        {"/track", `"x"`, api.CodeBadJSON},
		"too many":      {"/import", many, api.CodeTooManyEvents},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/mixpanel"+test.target, test.body)
			d, err := p.Decode(req)
			var coded *api.Error
			if e, ok := err.(*api.Error); ok {
				coded = e
			}
			if coded == nil || coded.Code != test.code || d == nil {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestMixpanelOneBadAmongGood(t *testing.T) {
	d := decode(t, "POST", "/import", `[{"event":"a","properties":{"token":"k"}},{"event":1e999},{"event":"c","properties":{"x":"\ud800"}},7,{"event":"d"}]`)
	var got []string
	for i := range d.Items {
		if d.Items[i].Reject != nil {
			got = append(got, d.Items[i].Reject.Reason)
		} else {
			got = append(got, d.Items[i].Events[0].Name)
		}
	}
	if want := "[a bad_json bad_json bad_event d]"; fmt.Sprint(got) != want {
		t.Fatalf("got %v", got)
	}
}

func FuzzMixpanel(f *testing.F) {
	for _, file := range []string{"mixpanel-node", "mixpanel-go", "mixpanel-browser"} {
		for _, r := range readRecorded(f, "testdata/recorded/"+file+".ndjson") {
			_, query, _ := strings.Cut(r.URL, "?")
			path := strings.TrimPrefix(r.URL[:len(r.URL)-len(query)], "/mixpanel")
			f.Add(strings.Trim(path, "/?"), query, []byte(r.Body))
		}
	}
	f.Add("track", "verbose=1", []byte(`[{"event":"$merge","properties":{"$distinct_ids":["a",null,{}]}}]`))
	f.Add("engage", "data=e30%3D&_=9999999999999", []byte(""))
	f.Fuzz(func(t *testing.T, path, query string, body []byte) {
		switch path {
		case "track", "import", "engage", "groups", "record":
		default:
			path = "track"
		}
		fuzzRequest(t, Mixpanel{}, "/"+path, query, "", body)
	})
}

// fuzzRequest holds a decoder to its promises, and answers to being JSON where they say so.
func fuzzRequest(t *testing.T, p Protocol, path, query, token string, body []byte) {
	t.Helper()
	req, h := newRequest(http.MethodPost, "/", string(body))
	h.URL.RawQuery = query
	values := h.URL.Query()
	req.Query, req.HasQuery, req.Path, req.URLToken = values.Get, values.Has, path, token
	req.Limits = Limits{Events: 50, EventBytes: 4096, Fields: 20, NameBytes: 64, StringBytes: 200, Depth: 5, UserBytes: 100}
	d, err := p.Decode(req)
	if err != nil {
		coded, ok := err.(*api.Error)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		checkResponse(t, p.Fail(req, coded))
		return
	}
	checkDecoded(t, req, d)
	outcomes := make([]Outcome, len(d.Items))
	for i := range d.Items {
		outcomes[i] = d.Items[i].Outcome()
		for _, l := range d.Items[i].Links {
			if len(l.User) > req.Limits.UserBytes || len(l.ID) > req.Limits.UserBytes {
				t.Fatalf("link %+v", l)
			}
		}
	}
	checkResponse(t, p.Answer(req, d, outcomes))
	checkResponse(t, p.Fail(req, &api.Error{Code: api.CodeOverloaded, Message: "m"}))
}

func checkResponse(t *testing.T, r Response) {
	t.Helper()
	if r.Status < 200 || r.Status > 599 || r.ContentType == typeJSON && !json.Valid(r.Body) {
		t.Fatalf("%+v", r)
	}
}
