package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/server/access"
	"cairn/server/api"
)

// excess is a request that is just over a limit, and what comes of it.
type excess struct {
	limit  int64 // set for the tenant
	within string
	beyond string
	path   string
	status int
	code   string // of the answer, or the reason of the verdict
}

func events(n int) string { return strings.Repeat(`{"event":"e"}`+"\n", n) }

// Every limit of a tenant is tried: a request within it passes, one beyond it does not.
func TestEveryLimit(t *testing.T) {
	large := strings.Repeat("x", 1200)
	nested := func(n int) string {
		return `{"event":"e","f":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
	}
	tries := map[string]excess{
		"body_bytes":        {1024, events(1), events(100), "/v1/events", 413, api.CodeBodyTooLarge},
		"bulk_body_bytes":   {limit: 1024},
		"import_body_bytes": {limit: 1024},
		"unpacked_bytes":    {2048, "gzip:" + events(1), "gzip:" + events(1000), "/v1/events", 413, api.CodeUnpackedLarge},
		"events":            {3, events(3), events(4), "/v1/events", 413, api.CodeTooManyEvents},
		"event_bytes":       {100, events(1), `{"event":"e","f":"` + large + `"}`, "/v1/events", 422, "event_too_large"},
		"fields":            {2, `{"event":"e","a":1,"b":2}`, `{"event":"e","a":1,"b":2,"c":3}`, "/v1/events", 422, "too_many_fields"},
		"field_name_bytes":  {4, `{"event":"e","abcd":1}`, `{"event":"e","abcde":1}`, "/v1/events", 422, "name_too_long"},
		"string_bytes":      {4, `{"event":"e","a":"abcd"}`, `{"event":"e","a":"abcde"}`, "/v1/events", 422, "value_too_long"},
		"depth":             {4, nested(2), nested(8), "/v1/events", 422, "too_deep"},
		"user_bytes":        {4, `{"event":"e","user":"abcd"}`, `{"event":"e","user":"abcde"}`, "/v1/events", 422, "user_too_long"},
		"event_name_bytes":  {4, `{"event":"abcd"}`, `{"event":"abcde"}`, "/v1/events", 422, "bad_event"},
		"id_bytes":          {4, `{"event":"e","id":"abcd"}`, `{"event":"e","id":"abcde"}`, "/v1/events", 422, "id_too_long"},
		"in_flight_bytes":   {2048, events(1), events(300), "/v1/events", 429, api.CodeOverloaded},
		"events_per_second": {1, events(1), events(5), "/v1/events", 429, api.CodeRate},
		// The memory of 4000 groups is beyond it, that of a count is not.
		"query_memory_bytes": {64 << 10, "* | stats count()", "* | stats count() by key, user", "/v1/query", 422, api.CodeQueryMemory},
		"query_milliseconds": {1, "", "", "", 0, ""}, // see below
		"rows":               {5, "* | stats count()", "* | stats count() by key", "/v1/query", 200, `"truncated":true`},
		"event_rows":         {5, "* | events | limit 5", "* | events", "/v1/query?format=ndjson", 200, `"truncated":true`},
		"queries":            {1, "", "", "", 0, ""},
		"lookup_bytes":       {1024, "k\n1\n", "k\n" + large + "\n", "/v1/lookups/l?key=k", 413, api.CodeBodyTooLarge},
		"lookup_rows":        {2, "k\n1\n2\n", "k\n1\n2\n3\n", "/v1/lookups/l?key=k", 413, api.CodeBodyTooLarge},
	}
	w := newTown(t)
	for i := range 40 {
		var body strings.Builder
		for j := range 100 {
			fmt.Fprintf(&body, `{"event":"e","user":"u%d","key":"k%d"}`+"\n", i, i*100+j)
		}
		w.want(t, call{method: post, path: "/v1/events", token: w.tokens["a"][access.All], body: body.String()}, 200, "")
	}
	for _, l := range limitsTable(&api.Limits{}) {
		try, ok := tries[l.name]
		if !ok {
			t.Errorf("the limit %s is not tried", l.name)
			continue
		}
		set := func(value string) {
			w.want(t, call{method: patch, path: "/v1/tenants/a", token: w.operator, admin: true, body: fmt.Sprintf(`{"limits":{%q:%s}}`, l.name, value)}, 200, "")
		}
		set(fmt.Sprint(try.limit))
		switch l.name {
		case "queries":
			done, err := w.turns.take(t.Context(), "a", 1)
			if err != nil {
				t.Fatal(err)
			}
			wait := w.turns.wait
			w.turns.wait = 20 * time.Millisecond
			ask := func(tenant string) call {
				return call{method: post, path: "/v1/query", token: w.tokens[tenant][access.All], body: "* | stats count()"}
			}
			w.want(t, ask("a"), 429, api.CodeQueriesRunning)
			w.want(t, ask("b"), 200, "")
			done()
			w.want(t, ask("a"), 200, "")
			w.turns.wait = wait
		case "bulk_body_bytes", "import_body_bytes": // of paths that protocols have with a limit of their own
			key := w.tokens["a"][access.All]
			one := fmt.Sprintf(`{"event":"e","distinct_id":"u","properties":{"token":%q,"distinct_id":"u","time":%d}}`, key, time.Now().Unix())
			path, before, after := "/import?strict=1", "[", "]"
			if l.name == "bulk_body_bytes" {
				path, before, after = "/batch", `{"api_key":"`+key+`","batch":[`, "]}"
			}
			vendors := call{method: post, path: path, body: before + one + after}
			w.want(t, vendors, 200, "")
			vendors.body = before + strings.Repeat(one+",", 10) + one + after
			w.want(t, vendors, 413, "")
			set("null")
			w.want(t, vendors, 200, "")
		case "query_milliseconds":
			owner, err := w.Server.tenants.get("a")
			if err != nil || queryTimeout(owner.limits()).Milliseconds() != 1 {
				t.Fatal(err, queryTimeout(owner.limits()))
			}
			var body strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&body, `{"event":"e","user":"v%d","key":"k%d"}`+"\n", i%5000, i)
			}
			w.want(t, call{method: post, path: "/v1/events", token: w.tokens["b"][access.All], body: body.String()}, 200, "")
			w.want(t, call{method: patch, path: "/v1/tenants/b", token: w.operator, admin: true, body: `{"limits":{"query_milliseconds":1}}`}, 200, "")
			slow := call{method: post, path: "/v1/query", token: w.tokens["b"][access.All], body: "* | funnel e -> e -> e by key"}
			w.want(t, slow, 504, api.CodeQueryTimeout)
			w.want(t, call{method: patch, path: "/v1/tenants/b", token: w.operator, admin: true, body: `{"limits":{"query_milliseconds":null}}`}, 200, "")
			w.want(t, slow, 200, "")
		default:
			w.tryLimit(t, l.name, try)
			if l.name == "query_memory_bytes" {
				set("1024")
				w.want(t, call{method: get, path: "/v1/schema/values?field=key", token: w.tokens["a"][access.All]}, 422, api.CodeQueryMemory)
				w.want(t, call{method: get, path: "/v1/schema/values?field=absent", token: w.tokens["a"][access.All]}, 200, "")
			}
		}
		set("null")
	}
}

func (w *town) tryLimit(t *testing.T, name string, try excess) {
	t.Helper()
	send := func(body string) answer {
		c := call{method: post, path: try.path, token: w.tokens["a"][access.All], body: body}
		if strings.HasPrefix(try.path, "/v1/lookups") {
			c.method = put
		}
		if text, ok := strings.CutPrefix(body, "gzip:"); ok {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = z.Write([]byte(text))
			_ = z.Close()
			c.body, c.header = packed.String(), map[string]string{"Content-Encoding": "gzip"}
		}
		return w.do(t, c)
	}
	if got := send(try.within); got.status/100 != 2 || strings.Contains(got.text, `"truncated":true`) {
		t.Errorf("%s: a request within it: status %d\n%.300s", name, got.status, got.text)
	}
	// The rate lets some seconds' worth pass at once.
	for range 3 {
		got := send(try.beyond)
		if name == "events_per_second" && got.status == 200 {
			continue
		}
		if got.status != try.status || try.code != "" && !strings.Contains(got.text, try.code) {
			t.Errorf("%s: a request beyond it: status %d, want %d, %s\n%.300s", name, got.status, try.status, try.code, got.text)
		}
		return
	}
	t.Errorf("%s: requests beyond it pass", name)
}
