package protocol

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"cairn/server/api"
)

// sensorsBody writes messages as the mini program's client does: each UTF-16 unit as UTF-8, base64, URL encoding.
func sensorsBody(field, json string) string {
	return field + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(units(json)))
}

// sensorsPacked does so with the client's plugin for gzip.
func sensorsPacked(json string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(json))
	_ = w.Close()
	return "data_list=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed.Bytes())) + "&gzip=1"
}

// sensorsLaunch is a message as the client makes it.
const sensorsLaunch = `{"distinct_id":"A-1","identities":{"$identity_mp_id":"A-1","$identity_anonymous_id":"A-1"},` +
	`"lib":{"$lib":"MiniProgram","$lib_method":"code","$lib_version":"1.21.1"},` +
	`"properties":{"$scene":"wx-1011","$title":"首页 🍎","$is_first_day":true,"$screen_width":390,"list":["a"]},` +
	`"anonymous_id":"A-1","type":"track","event":"$MPLaunch","_track_id":123451234,"time":1748764740000,"_flush_time":1748764800000}`

const sensorsLaunched = `{"time":"2025-06-01T07:59:00Z","event":"$MPLaunch","user":"A-1","id":"123451234/1748764740000/A-1",` +
	`"$scene":"wx-1011","$title":"首页 🍎","$is_first_day":true,"$screen_width":390,"list":["a"],"distinct_id":"A-1",` +
	`"identities":{"$identity_mp_id":"A-1","$identity_anonymous_id":"A-1"},` +
	`"lib":{"$lib":"MiniProgram","$lib_method":"code","$lib_version":"1.21.1"},"anonymous_id":"A-1"}`

func TestSensorsWays(t *testing.T) {
	list := "[" + sensorsLaunch + "]"
	for name, test := range map[string]struct{ method, target, body string }{
		"batch":           {"POST", "/sensors/k/sa?project=p", sensorsBody("data_list", list)},
		"one":             {"POST", "/sensors/k/sa", sensorsBody("data", sensorsLaunch)},
		"gzip":            {"POST", "/sensors/k/sa", sensorsPacked(list)},
		"gzip, no flag":   {"POST", "/sensors/k/sa", strings.TrimSuffix(sensorsPacked(list), "&gzip=1")},
		"key a parameter": {"POST", "/sensors/sa?project=p&token=k", sensorsBody("data_list", list)},
		"bare":            {"POST", "/sa?project=p&token=k", sensorsBody("data_list", list)},
		"slash, gif":      {"POST", "/sensors/k/sa.gif/", sensorsBody("data_list", list)},
		"sent at once":    {"GET", "/sensors/k/sa?project=p&" + sensorsBody("data", sensorsLaunch), ""},
		"get, gif":        {"GET", "/sa.gif?token=k&" + sensorsBody("data", sensorsLaunch), ""},
		"plain JSON":      {"POST", "/sensors/k/sa", list},
		"form of JSON":    {"POST", "/sensors/k/sa", form("data_list", list)},
	} {
		t.Run(name, func(t *testing.T) {
			d := decode(t, test.method, test.target, test.body)
			if len(d.Items) != 1 || describe(&d.Items[0]) != sensorsLaunched || !reflect.DeepEqual(d.Keys, []string{"k"}) {
				t.Fatalf("keys %q\n%s\n%s", d.Keys, describe(&d.Items[0]), sensorsLaunched)
			}
		})
	}
	if d := decode(t, "POST", "/sensors/k/sa?token=l", sensorsBody("data", sensorsLaunch)); len(d.Keys) != 2 {
		t.Fatalf("keys %q", d.Keys)
	}
	if _, ok := Find("POST", "/sensors/k/mp_login"); ok {
		t.Fatal("mp_login is served")
	}
	if _, ok := Find("POST", "/k/sa"); ok {
		t.Fatal("a key in a bare path is served")
	}
}

func TestSensorsMessages(t *testing.T) {
	const at = `{"time":"2025-06-01T08:00:00Z","event":`
	long := strings.Repeat("d", 255)
	for name, test := range map[string]struct{ message, want string }{
		"signup": {
			`{"type":"track_signup","event":"$SignUp","distinct_id":"L-1","login_id":"L-1","original_id":"A-1","anonymous_id":"A-1","identities":{"$identity_login_id":"L-1"},"properties":{"a":1}}`,
			at + `"$SignUp","user":"L-1","a":1,"distinct_id":"L-1","login_id":"L-1","original_id":"A-1","anonymous_id":"A-1","identities":{"$identity_login_id":"L-1"}}` + "\nidentify L-1 <- A-1",
		},
		"signup, two ids":    {`{"type":"track_signup","login_id":"L","original_id":"O","anonymous_id":"A"}`, at + `"$SignUp","user":"L","login_id":"L","original_id":"O","anonymous_id":"A"}` + "\nidentify L <- O\nidentify L <- A"},
		"signup, older":      {`{"type":"track_signup","distinct_id":"L","original_id":"O"}`, at + `"$SignUp","user":"L","distinct_id":"L","original_id":"O"}` + "\nidentify L <- O"},
		"signup of illegal":  {`{"type":"track_signup","login_id":"L","original_id":"null"}`, at + `"$SignUp","user":"L","login_id":"L","original_id":"null"}` + "\nwarning illegal_id"},
		"bind, logged in":    {`{"type":"track_id_bind","event":"$BindID","login_id":"L","distinct_id":"L","identities":{"$identity_login_id":"L","$identity_mp_id":"A","$identity_anonymous_id":"A","$identity_mp_openid":"O"}}`, at + `"$BindID","user":"L","login_id":"L","distinct_id":"L","identities":{"$identity_login_id":"L","$identity_mp_id":"A","$identity_anonymous_id":"A","$identity_mp_openid":"O"}}` + "\nbind L <- A\nbind L <- O"},
		"bind, nobody yet":   {`{"type":"track_id_bind","distinct_id":"A","identities":{"$identity_mp_id":"A","$identity_mp_unionid":"U"}}`, at + `"$BindID","user":"A","distinct_id":"A","identities":{"$identity_mp_id":"A","$identity_mp_unionid":"U"}}` + "\nmerge A <- U"},
		"unbind":             {`{"type":"track_id_unbind","event":"$UnbindID","distinct_id":"L","identities":{"$identity_mp_openid":"O"}}`, at + `"$UnbindID","user":"L","distinct_id":"L","identities":{"$identity_mp_openid":"O"}}` + "\nunlink L <- O"},
		"unbind of itself":   {`{"type":"track_id_unbind","distinct_id":"L","identities":{"email":"L"}}`, at + `"$UnbindID","user":"L","distinct_id":"L","identities":{"email":"L"}}`},
		"set":                {`{"type":"profile_set","distinct_id":"u","properties":{"a":1,"b":"x"}}`, at + `"$profile","user":"u","$set":{"a":1,"b":"x"},"distinct_id":"u"}`},
		"set_once":           {`{"type":"profile_set_once","login_id":"u","distinct_id":"v","properties":{"a":1}}`, at + `"$profile","user":"u","$set_once":{"a":1},"login_id":"u","distinct_id":"v"}`},
		"append":             {`{"type":"profile_append","distinct_id":"u","properties":{"a":["x","y"]}}`, at + `"$profile","user":"u","$append":{"a":["x","y"]},"distinct_id":"u"}`},
		"increment":          {`{"type":"profile_increment","distinct_id":"u","properties":{"a":-2}}`, at + `"$profile","user":"u","$add":{"a":-2},"distinct_id":"u"}`},
		"unset":              {`{"type":"profile_unset","distinct_id":"u","properties":{"a":true,"b":""}}`, at + `"$profile","user":"u","$unset":["a","b"],"distinct_id":"u"}`},
		"delete":             {`{"type":"profile_delete","distinct_id":"u","properties":{}}`, at + `"$profile","user":"u","$delete":true,"distinct_id":"u"}`},
		"profile of nobody":  {`{"type":"profile_set","properties":{"a":1}}`, `bad_event distinct_id`},
		"profile, a list":    {`{"type":"profile_set","distinct_id":"u","properties":[1]}`, `bad_event $set`},
		"event of nobody":    {`{"type":"track","event":"e"}`, at + `"e"}`},
		"no name":            {`{"type":"track","distinct_id":"u"}`, `bad_event event`},
		"no type":            {`{"event":"e","distinct_id":"u"}`, `bad_event type`},
		"encrypted":          {`{"pkv":1,"ekey":"x","payloads":["y"]}`, `bad_event payload`},
		"payload of its own": {`{"type":"track","event":"e","payload":"x"}`, at + `"e","payload":"x"}`},
		"items":              {`{"type":"item_set","distinct_id":"u","properties":{}}`, `bad_event type`},
		"bad time":           {`{"type":"track","event":"e","time":"soon"}`, `bad_time time`},
		"skew":               {`{"type":"track","event":"e","time":1748764700000,"_flush_time":1748764740000}`, `{"time":"2025-06-01T07:59:20Z","event":"e","$skew_ms":60000}`},
		"reserved property":  {`{"type":"track","event":"e","properties":{"time":1,"id":2}}`, at + `"e","properties":{"time":1,"id":2}}`},
		"property like ours": {`{"type":"track","event":"e","distinct_id":"u","properties":{"distinct_id":"v","lib":1},"lib":{"$lib":"x"}}`, at + `"e","user":"u","distinct_id":"v","lib":1,"envelope":{"distinct_id":"u"},"fields":{"lib":{"$lib":"x"}}}`},
		"same number, other": {`{"type":"track","event":"e","distinct_id":"u","_track_id":7,"time":1748764800001}`, `{"time":"2025-06-01T08:00:00.001Z","event":"e","user":"u","id":"7/1748764800001/u","distinct_id":"u"}`},
		"long id":            {`{"type":"track","event":"e","distinct_id":"` + long + `","_track_id":7}`, "hashed"},
		"repeated name":      {`{"type":"track","event":"e","a":1,"a":2}`, `bad_json `},
	} {
		t.Run(name, func(t *testing.T) {
			got := becomes(t, "POST", "/sensors/k/sa", sensorsBody("data", test.message))
			if test.want == "hashed" {
				if !strings.Contains(got, `"id":"`) || strings.Contains(got, `"id":"7/`) {
					t.Fatal(got)
				}
				return
			}
			if got != test.want {
				t.Fatalf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestSensorsBadRequests(t *testing.T) {
	packed := sensorsPacked("[" + sensorsLaunch + "]")
	short := packed[:len(packed)/2-len(packed)/2%4]
	bomb := sensorsPacked("[" + strings.Repeat(" ", 3<<20) + "]")
	for name, test := range map[string]struct{ body, code string }{
		"no field":   {"a=b", api.CodeEmptyBatch},
		"empty":      {"", api.CodeEmptyBatch},
		"not JSON":   {"data_list=" + base64.StdEncoding.EncodeToString([]byte("[{")), api.CodeBadJSON},
		"bad base64": {"data_list=%25%25%25", api.CodeBadJSON},
		"cut gzip":   {short, api.CodeBadEncoding},
		"bomb":       {bomb, api.CodeUnpackedLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p, req := route(t, "POST", "/sensors/k/sa", test.body)
			d, err := p.Decode(req)
			coded, ok := err.(*api.Error)
			if !ok || coded.Code != test.code || d == nil || !reflect.DeepEqual(d.Keys, []string{"k"}) {
				t.Fatalf("%v", err)
			}
			if a := p.Fail(req, coded); a.Status != api.Status(test.code) || !strings.HasPrefix(string(a.Body), `{"error":{"code":"`+test.code+`"`) {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func TestSensorsAnswers(t *testing.T) {
	p, req := route(t, "POST", "/sensors/k/sa", sensorsBody("data", sensorsLaunch))
	d, err := p.Decode(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, verdict := range []string{OK, Duplicate, Warning, Rejected} {
		if a := p.Answer(req, d, []Outcome{{Verdict: verdict}}); !reflect.DeepEqual(a, Response{Status: 200}) {
			t.Errorf("%s: %+v", verdict, a)
		}
	}
	if a := p.Answer(req, d, []Outcome{{Verdict: Retry}}); a.Status != 429 || !a.Hangup {
		t.Errorf("%+v", a)
	}
	for code, want := range map[string]bool{
		api.CodeOverloaded: true, api.CodeRate: true, api.CodeStopping: true, api.CodeInternal: true, api.CodeCorruption: false,
		api.CodeUnknownToken: false, api.CodeBodyTooLarge: false, api.CodeBadJSON: false,
	} {
		if a := p.Fail(req, &api.Error{Code: code}); a.Hangup != want || a.Status != api.Status(code) {
			t.Errorf("%s: %+v", code, a)
		}
	}
}

func FuzzSensors(f *testing.F) {
	f.Add("project=p", []byte(sensorsBody("data_list", "["+sensorsLaunch+"]")))
	f.Add("token=k", []byte(sensorsPacked("["+sensorsLaunch+"]")))
	f.Add("", []byte(form("data", `{"type":"track_id_unbind","distinct_id":"L","identities":{"a":"O","b":{}}}`)))
	f.Add("", []byte(form("data", `{"type":"profile_unset","distinct_id":"L","properties":{"a":"O"},"_flush_time":1}`)))
	f.Add("data=eyJ0eXBlIjoidHJhY2sifQ", []byte(nil))
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		fuzzRequest(t, Sensors{}, "/sa", query, "k", body)
	})
}
