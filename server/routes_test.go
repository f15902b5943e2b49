package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/server/access"
	"cairn/server/api"
)

func TestSavedQueries(t *testing.T) {
	f := newFixture(t, Options{})
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e"}`}, 200, "")
	f.want(t, call{method: put, path: "/v1/queries/daily", body: "e | stats cont()"}, 400, api.CodeBadQuery)
	f.want(t, call{method: get, path: "/v1/queries/daily"}, 404, api.CodeNotFound)
	f.want(t, call{method: put, path: "/v1/queries/daily", body: "e | stats count()"}, 204, "")
	f.want(t, call{method: put, path: "/v1/queries/daily", body: " "}, 400, api.CodeBadParameter)
	if got := f.want(t, call{method: get, path: "/v1/queries/daily"}, 200, ""); got.text != "e | stats count()" {
		t.Errorf("the text is %q", got.text)
	}
	if got := f.want(t, call{method: get, path: "/v1/query?name=daily&format=csv"}, 200, ""); got.text != "count\n1\n" {
		t.Errorf("the answer is %q", got.text)
	}
	f.want(t, call{method: get, path: "/v1/query?name=daily&q=e"}, 400, api.CodeBadParameter)
	f.want(t, call{method: get, path: "/v1/query?name=nightly"}, 404, api.CodeNotFound)
	var list api.SavedQueriesAnswer
	decodeInto(t, f.want(t, call{method: get, path: "/v1/queries"}, 200, "").text, &list)
	if len(list.Queries) != 1 || list.Queries[0].Name != "daily" || list.Queries[0].Query != "e | stats count()" || list.Queries[0].Saved.IsZero() {
		t.Errorf("%+v", list)
	}
	f.want(t, call{method: remove, path: "/v1/queries/daily"}, 204, "")
	f.want(t, call{method: remove, path: "/v1/queries/daily"}, 404, api.CodeNotFound)
}

func TestLookups(t *testing.T) {
	f := newFixture(t, Options{Limits: api.Limits{LookupBytes: 1024, LookupRows: 3}})
	path := "/v1/lookups/campaigns?key=campaign,day"
	f.want(t, call{method: put, path: path, body: "campaign,day,cost\nx,1,2.5\ny,1,\n"}, 204, "")
	for _, c := range []struct {
		body   string
		status int
		code   string
		line   int
	}{
		{"campaign,day\nx,1\nx,1\n", 400, api.CodeBadParameter, 3},
		{"campaign,day\nx,\n", 400, api.CodeBadParameter, 2},
		{"campaign\nx\n", 400, api.CodeBadParameter, 0},
		{"", 400, api.CodeBadParameter, 0},
		{"campaign,day\na,1\nb,1\nc,1\nd,1\n", 413, api.CodeBodyTooLarge, 0},
		{"campaign,day\n" + strings.Repeat("a", 1100) + ",1\n", 413, api.CodeBodyTooLarge, 0},
	} {
		got := f.want(t, call{method: put, path: path, body: c.body}, c.status, c.code)
		var failed api.ErrorAnswer
		decodeInto(t, got.text, &failed)
		if failed.Error.Line != c.line {
			t.Errorf("%.40q: line %d, want %d", c.body, failed.Error.Line, c.line)
		}
	}
	f.want(t, call{method: put, path: "/v1/lookups/campaigns", body: "a\n1\n"}, 400, api.CodeBadParameter)
	// What was refused has changed nothing, and what is read can be put again.
	want := "campaign,day,cost\nx,1,2.5\ny,1,\n"
	for _, format := range []string{"csv", "ndjson"} {
		text := f.want(t, call{method: get, path: "/v1/lookups/campaigns?format=" + format}, 200, "").text
		f.want(t, call{method: put, path: path, body: text}, 204, "")
		if got := f.want(t, call{method: get, path: "/v1/lookups/campaigns", header: map[string]string{"Accept": "text/csv"}}, 200, "").text; got != want {
			t.Errorf("by %s: %q, want %q", format, got, want)
		}
	}
	var rows api.LookupAnswer
	decodeInto(t, f.want(t, call{method: get, path: "/v1/lookups/campaigns"}, 200, "").text, &rows)
	if got := fmt.Sprintf("%v %v %s", rows.Keys, rows.Columns, rows.Rows); got != "[campaign day] [{campaign string} {day int} {cost float}] [[\"x\" 1 2.5] [\"y\" 1 null]]" {
		t.Errorf("rows: %s", got)
	}
	var list api.LookupsAnswer
	decodeInto(t, f.want(t, call{method: get, path: "/v1/lookups"}, 200, "").text, &list)
	if len(list.Lookups) != 1 || list.Lookups[0].Rows != 2 || list.Lookups[0].Bytes == 0 {
		t.Errorf("%+v", list)
	}
	f.want(t, call{method: remove, path: "/v1/lookups/campaigns"}, 204, "")
	f.want(t, call{method: get, path: "/v1/lookups/campaigns"}, 404, api.CodeNotFound)
	f.want(t, call{method: remove, path: "/v1/lookups/campaigns"}, 404, api.CodeNotFound)
}

func TestTenantsAreChangedLive(t *testing.T) {
	w := newTown(t)
	admin := func(method, path, body string, status int, code string) answer {
		t.Helper()
		return w.want(t, call{method: method, path: path, body: body, token: w.operator, admin: true}, status, code)
	}
	admin(post, "/v1/tenants", `{"name":"a"}`, 409, api.CodeExists)
	admin(post, "/v1/tenants", `{}`, 400, api.CodeBadParameter)
	admin(get, "/v1/tenants/nobody", "", 404, api.CodeNotFound)
	for _, bad := range []string{
		`{"tz":"Mars/Base"}`, `{"week":"someday"}`, `{"retention_days":-1}`, `{"limits":{"rows":-5}}`, `{"limits":{"rows":1e18}}`, `{"limits":{"colour":1}}`,
	} {
		got := w.do(t, call{method: patch, path: "/v1/tenants/a", body: bad, token: w.operator, admin: true})
		if got.status != 400 {
			t.Errorf("%s: %d %s", bad, got.status, got.text)
		}
	}
	admin(patch, "/v1/tenants/a", `{"zone":"UTC"}`, 400, api.CodeBadJSON)
	admin(patch, "/v1/tenants/a", `{"tz":"Asia/Shanghai","week":"sun","retention_days":400,"limits":{"events":1,"rows":7}}`, 200, "")
	send := call{method: post, path: "/v1/events", token: w.tokens["a"][access.Ingest], body: `{"event":"e"}` + "\n" + `{"event":"e"}`}
	w.want(t, send, 413, api.CodeTooManyEvents)
	admin(patch, "/v1/tenants/a", `{"limits":{"events":null}}`, 200, "")
	w.want(t, send, 200, "")
	var got api.TenantAnswer
	decodeInto(t, admin(get, "/v1/tenants/a", "", 200, "").text, &got)
	if got.TZ != "Asia/Shanghai" || got.Week != "sun" || got.RetentionDays != 400 || got.Limits != (api.Limits{Rows: 7}) || got.Effective.Rows != 7 || got.Effective.Events != 20_000 {
		t.Errorf("%+v", got)
	}
	if got.Size.Rows < 3 || got.Size.First == nil || got.Size.HotBytes == 0 {
		t.Errorf("size %+v", got.Size)
	}
	admin(remove, "/v1/tenants/a?confirm=b", "", 400, api.CodeBadParameter)
	w.want(t, send, 200, "")
	admin(remove, "/v1/tenants/a?confirm=a", "", 202, "")
	w.want(t, send, 401, api.CodeUnknownToken)
	admin(get, "/v1/tenants/a", "", 404, api.CodeNotFound)
	admin(post, "/v1/tenants", `{"name":"a"}`, 201, "")
	var fresh api.TenantAnswer
	decodeInto(t, admin(get, "/v1/tenants/a", "", 200, "").text, &fresh)
	if fresh.Size.Rows != 0 || fresh.Limits.Rows != 0 || fresh.TZ != "" {
		t.Errorf("a new tenant has what the old one had: %+v", fresh)
	}
}

func TestTokensByTheAPI(t *testing.T) {
	w := newTown(t)
	own := call{method: post, path: "/v1/tokens", token: w.tokens["a"][access.Admin]}
	for _, c := range []struct {
		body, code string
		status     int
	}{
		{`{"scopes":["query"]}`, "", 201},
		{`{"scopes":["query"],"tenant":"b"}`, api.CodeScope, 403},
		{`{"scopes":["root"]}`, api.CodeBadParameter, 400},
		{`{"scopes":[]}`, api.CodeBadParameter, 400},
		{`{"scopes":["query"],"expires":"2001-01-01T00:00:00Z"}`, api.CodeBadParameter, 400},
		{`{"scopes":["query"],"origins":["shop.example/path"]}`, api.CodeBadParameter, 400},
		{`{"scopes":["query"],"protocols":["morse"]}`, api.CodeBadParameter, 400},
		{`{"scopes":["ingest"],"import":"vendors-key","protocols":["segment"],"hash_ids":true}`, "", 201},
		{`{"scopes":["ingest"],"import":"vendors-key"}`, api.CodeExists, 409},
	} {
		own.body = c.body
		w.want(t, own, c.status, c.code)
	}
	operator := call{method: post, path: "/v1/tokens", token: w.operator, admin: true, body: `{"scopes":["query"],"tenant":"nobody"}`}
	w.want(t, operator, 404, api.CodeNotFound)
	operator.body = `{"scopes":["query"],"tenant":"default"}`
	w.want(t, operator, 201, "")
	var list api.TokensAnswer
	text := w.want(t, call{method: get, path: "/v1/tokens", token: w.tokens["a"][access.Admin]}, 200, "").text
	decodeInto(t, text, &list)
	for _, one := range list.Tokens {
		if one.Tenant != "a" {
			t.Errorf("a sees a token of %q", one.Tenant)
		}
	}
	for _, secret := range w.tokens["a"] {
		if strings.Contains(text, secret) {
			t.Error("a list has the text of a token")
		}
	}
	last := w.Server.tokens.List("")[0].ID
	w.want(t, call{method: remove, path: "/v1/tokens/" + last, token: w.operator, admin: true}, 409, api.CodeInUse)
	w.want(t, call{method: remove, path: "/v1/tokens/" + w.ids["b"], token: w.tokens["a"][access.Admin]}, 404, api.CodeNotFound)
}

func TestIdentify(t *testing.T) {
	f := newFixture(t, Options{})
	verdict := func(path, body string, status int) api.Verdict {
		t.Helper()
		got := f.do(t, call{method: post, path: path, body: body})
		var v api.Verdict
		if err := json.Unmarshal([]byte(got.text), &v); err != nil || got.status != status {
			t.Errorf("%s %s: status %d, %s", path, body, got.status, got.text)
		}
		return v
	}
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"look","user":"anon-1"}`}, 200, "")
	one := `{"user":"u1","anonymous":"anon-1","id":"i1","set":{"plan":"pro","address":{"city":"Pune"}},"set_once":{"first":1},"unset":["old"]}`
	if v := verdict("/v1/identify", one, 200); v.Verdict != api.VerdictOK {
		t.Errorf("%+v", v)
	}
	if v := verdict("/v1/identify", one, 200); v.Verdict != api.VerdictDuplicate {
		t.Errorf("the same again: %+v", v)
	}
	if v := verdict("/v1/alias", `{"user":"u1","alias":"mail-1"}`, 200); v.Verdict != api.VerdictOK {
		t.Errorf("%+v", v)
	}
	for _, c := range []struct{ path, body, reason string }{
		{"/v1/identify", `{"user":"null","anonymous":"x"}`, "illegal_id"},
		{"/v1/identify", `{"user":"u","anonymous":"undefined"}`, "illegal_id"},
		{"/v1/alias", `{"user":"u","alias":"[object Object]"}`, "illegal_id"},
		{"/v1/identify", `{"user":"u"}`, "bad_event"},
		{"/v1/alias", `{"user":"u"}`, "bad_event"},
		{"/v1/identify", `{"user":"u","set":[1]}`, "bad_event"},
		{"/v1/identify", `{"user":"u","set":{"a":1},"time":"soon"}`, "bad_time"},
		{"/v1/identify", `{"user":"u","set":{"a":1},"time":"2200-01-01T00:00:00Z"}`, "time_too_new"},
	} {
		if v := verdict(c.path, c.body, 422); v.Verdict != api.VerdictRejected || v.Reason != c.reason {
			t.Errorf("%s: %+v, want %s", c.body, v, c.reason)
		}
	}
	f.want(t, call{method: post, path: "/v1/identify", body: `{"user":"u","colour":1}`}, 400, api.CodeBadJSON)
	f.want(t, call{method: post, path: "/v1/identify", body: `{"user"`}, 400, api.CodeBadJSON)

	var user api.UserAnswer
	decodeInto(t, f.want(t, call{method: get, path: "/v1/users/anon-1"}, 200, "").text, &user)
	if got := fmt.Sprintf("%s %d %s", user.User, user.Events, user.Profile); got != `u1 2 map[address.city:"Pune" first:1 plan:"pro"]` || len(user.Links) != 2 {
		t.Errorf("%s %+v", got, user.Links)
	}
	f.want(t, call{method: remove, path: "/v1/links/u1/nobody"}, 404, api.CodeNotFound)
	f.want(t, call{method: remove, path: "/v1/links/u1/anon-1"}, 204, "")
	decodeInto(t, f.want(t, call{method: get, path: "/v1/users/anon-1"}, 200, "").text, &user)
	if user.User != "anon-1" || user.Events != 1 {
		t.Errorf("after the unlink: %+v", user)
	}
	f.want(t, call{method: get, path: "/v1/users/nobody"}, 404, api.CodeNotFound)
}

func TestErasedUserIsGone(t *testing.T) {
	f := newFixture(t, Options{})
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e","user":"a/b"}` + "\n" + `{"event":"e","user":"other"}`}, 200, "")
	before := f.want(t, call{method: get, path: "/v1/query?q=*+%7C+events"}, 200, "")
	var old struct{ Meta struct{ Snapshot string } }
	decodeInto(t, before.text, &old)
	f.want(t, call{method: get, path: "/v1/query?q=*&snapshot=" + old.Meta.Snapshot}, 200, "")
	got := f.want(t, call{method: remove, path: "/v1/users/a%2Fb?block=1"}, 202, "")
	if got.header.Get("Location") != "/v1/erasures/1" {
		t.Errorf("Location %q", got.header.Get("Location"))
	}
	f.want(t, call{method: get, path: "/v1/query?q=*&snapshot=" + old.Meta.Snapshot}, 410, api.CodeSnapshotGone)
	gone := f.want(t, call{method: get, path: "/v1/users/a%2Fb"}, 410, api.CodeUserErased)
	if !strings.Contains(gone.text, `"erasure":1`) || strings.Contains(gone.text, "a/b") {
		t.Errorf("no receipt, or a name in it: %s", gone.text)
	}
	f.want(t, call{method: get, path: "/v1/users/a%2Fb/events"}, 410, api.CodeUserErased)
	f.want(t, call{method: get, path: "/v1/erasures/1"}, 200, "")
	f.want(t, call{method: get, path: "/v1/erasures/2"}, 404, api.CodeNotFound)
	f.want(t, call{method: get, path: "/v1/erasures/one"}, 404, api.CodeNotFound)
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e","user":"a/b"}`}, 422, "")
	if n := f.count(t, "* | stats count()"); n != 1 {
		t.Errorf("%d events are left", n)
	}
}

func TestAnswersOfQueries(t *testing.T) {
	f := newFixture(t, Options{Limits: api.Limits{Rows: 10, EventRows: 20}})
	var body strings.Builder
	for i := range 30 {
		fmt.Fprintf(&body, `{"event":"e","n":%d}`+"\n", i)
	}
	f.want(t, call{method: post, path: "/v1/events", body: body.String()}, 200, "")
	// Raw events are streamed and have a limit of their own.
	text := f.want(t, call{method: get, path: "/v1/query?q=*+%7C+events&format=ndjson"}, 200, "").text
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 21 || !strings.Contains(lines[20], `"truncated":true`) {
		t.Errorf("%d lines: %s", len(lines), text)
	}
	text = f.want(t, call{method: get, path: "/v1/query?q=*+%7C+stats+count()+by+n&format=ndjson"}, 200, "").text
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 11 || !strings.Contains(lines[10], `"truncated":true`) {
		t.Errorf("%d lines: %s", len(lines), text)
	}
	f.want(t, call{method: get, path: "/v1/query?q=*+%7C+nonsense&format=ndjson"}, 400, api.CodeBadQuery)
	if got := f.want(t, call{method: get, path: "/v1/query?q=*&format=parquet"}, 200, ""); !strings.HasPrefix(got.text, "PAR1") {
		t.Errorf("%.20q is no Parquet file", got.text)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if running, waiting := f.turns.state(); running+waiting == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d queries run still, %d wait", running, waiting)
		}
	}
	for _, format := range []string{"json", "csv", "ndjson"} {
		path := "/v1/query?q=*+on+2025-06-01+%7C+stats+count()&format=" + format
		tag := f.want(t, call{method: get, path: path}, 200, "").header.Get("ETag")
		again := call{method: get, path: path, header: map[string]string{"If-None-Match": `"other", ` + tag}}
		if got := f.do(t, again); got.status != 304 || got.text != "" || tag == "" {
			t.Errorf("%s: the same again: status %d, ETag %q", format, got.status, tag)
		}
		f.want(t, call{method: post, path: "/v1/events", body: `{"event":"e"}`}, 200, "")
		f.want(t, again, 200, "")
	}
	f.want(t, call{method: get, path: "/v1/query?q=*&snapshot=s_ffff"}, 410, api.CodeSnapshotGone)
}

func TestSchema(t *testing.T) {
	f := newFixture(t, Options{})
	f.want(t, call{method: post, path: "/v1/events", body: `{"event":"a","x":1}` + "\n" + `{"event":"b","x":"s","y":null}` + "\n" + `{"event":"b","x":"s"}`}, 200, "")
	var events api.SchemaEvents
	decodeInto(t, f.want(t, call{method: get, path: "/v1/schema/events?limit=1"}, 200, "").text, &events)
	if len(events.Events) != 1 || events.Events[0].Name != "a" || events.Events[0].Count != 1 || events.Cursor == "" {
		t.Errorf("%+v", events)
	}
	var next api.SchemaEvents
	decodeInto(t, f.want(t, call{method: get, path: "/v1/schema/events?limit=1&cursor=" + events.Cursor}, 200, "").text, &next)
	if len(next.Events) != 1 || next.Events[0].Name != "b" || next.Events[0].Count != 2 || next.Cursor != "" {
		t.Errorf("%+v", next)
	}
	var fields api.SchemaFields
	decodeInto(t, f.want(t, call{method: get, path: "/v1/schema/fields?event=b"}, 200, "").text, &fields)
	if got := fmt.Sprintln(len(fields.Fields), fields.Fields[0].Name, fields.Fields[0].Types, fields.Fields[1].Nulls); got != "2 x [string] 1\n" {
		t.Errorf("%s: %+v", got, fields)
	}
	var values api.SchemaValues
	decodeInto(t, f.want(t, call{method: get, path: "/v1/schema/values?field=x"}, 200, "").text, &values)
	if got := fmt.Sprintf("%s %d %v", values.Values[0].Value, values.Values[0].Count, values.Complete); got != `"s" 2 true` || len(values.Values) != 2 {
		t.Errorf("%s: %+v", got, values)
	}
	f.want(t, call{method: get, path: "/v1/schema/values"}, 400, api.CodeBadParameter)
	f.want(t, call{method: get, path: "/v1/schema/events?cursor=x"}, 400, api.CodeBadParameter)
	f.want(t, call{method: get, path: "/v1/schema/events?from=soon"}, 400, api.CodeBadParameter)
}
