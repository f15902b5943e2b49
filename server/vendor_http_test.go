package server

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cairn/server/access"
)

// call sends a request with any headers.
func (f *fixture) call(t *testing.T, method, target, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp, string(text)
}

// ask returns the rows of a query.
func (f *fixture) ask(t *testing.T, query string) [][]any {
	t.Helper()
	resp, text := f.call(t, "GET", "/v1/query?"+url.Values{"q": {query}}.Encode(), "")
	var answer struct{ Rows [][]any }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", query, resp.StatusCode, text)
	}
	return answer.Rows
}

func gzipped(t *testing.T, text string) string {
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

// TestVendorsOverHTTP sends what clients send that run in no test: browsers, Google's and CloudEvents'.
func TestVendorsOverHTTP(t *testing.T) {
	f := newFixture(t, Options{})
	const browser = `{"event":"web","uuid":"w1","properties":{"token":"k","distinct_id":"u"}}`
	const cloud = `{"specversion":"1.0","id":"1","source":"/shop","type":"cloud","subject":"u","data":{"a":1}}`
	for _, c := range []struct {
		method, target, body string
		headers              []string
		status               int
		answer               string // its beginning
	}{
		{"POST", "/v1/t", `{"event":"seg","anonymousId":"a","writeKey":"k","messageId":"s1"}`, []string{"Content-Type: text/plain"}, 200, `{"success":true}`},
		{"POST", "/segment/v1/b", `{"batch":[{"type":"track","event":"seg","userId":"u","messageId":"s2"},{"type":"track"}],"writeKey":"k"}`, nil, 200, `{"success":true}`},
		{"POST", "/v1/batch", `{"batch":[{]}`, nil, 400, `{"success":false,"code":"bad_json",`},
		{"GET", "/v1/projects/k/settings", "", nil, 200, `{"integrations":{"Segment.io":{"apiKey":"k"}}}`},
		{"POST", "/v1/identify", `{"userId":"u","anonymousId":"a","messageId":"s3","traits":{"plan":"pro"}}`, nil, 200, `{"success":true}`},
		{"DELETE", "/v1/batch", "", nil, 405, ``},
		{"POST", "/e/?compression=gzip-js&ip=0&_=1", gzipped(t, browser), []string{"Content-Type: text/plain"}, 200, `{"status":1}`},
		{"POST", "/e/", url.Values{"data": {base64.StdEncoding.EncodeToString([]byte(browser))}}.Encode(), []string{"Content-Type: application/x-www-form-urlencoded"}, 200, `{"status":1}`},
		{"POST", "/e/", gzipped(t, browser)[:50], nil, 400, `bad_encoding: `},
		{"POST", "/e/", `{"token":"k","distinct_id":"u"}`, nil, 400, `bad_event: `},
		{"POST", "/s/", `{"event":"$snapshot","properties":{"token":"k"}}`, nil, 200, `{"status":1}`},
		{"POST", "/flags/?v=2", `{"token":"k"}`, nil, 200, `{"errorsWhileComputingFlags":false,"flags":{}}`},
		{"GET", "/array/k/config.js", "", nil, 200, `(function() {`},
		{"POST", "/i/v1/analytics/events", gzipped(t, `{"batch":[{"event":"v1","uuid":"x","distinct_id":"u"},{"event":"","uuid":"y","distinct_id":"u"}]}`), []string{"Content-Encoding: gzip", "Authorization: Bearer k"}, 200, `{"results":{"x":{"result":"ok"},"y":{"result":"drop","details":"bad_event: the event has no name"}}}`},
		{"POST", "/i/v1/analytics/events", `{"batch":[`, []string{"Authorization: Bearer k"}, 400, `{"error":"bad_json","error_description":`},
		{"POST", "/mp/collect?api_secret=k&measurement_id=G", `{"client_id":"u","events":[{"name":"ga"},{}]}`, nil, 204, ``},
		{"POST", "/debug/mp/collect?api_secret=k", `{"client_id":"u","events":[{"name":"ga"}]}`, nil, 200, `{"validationMessages":[],`},
		{"POST", "/v1/cloudevents", cloud, []string{"Content-Type: application/cloudevents+json"}, 200, `{"ok":1,"duplicate":0,"rejected":0,"watermark":"0:`},
		{"POST", "/v1/cloudevents", "[" + cloud + "]", []string{"Content-Type: application/cloudevents-batch+json"}, 200, `{"ok":0,"duplicate":1,`},
		{"POST", "/v1/cloudevents", `{"a":2}`, []string{"ce-specversion: 1.0", "ce-id: 2", "ce-source: /shop", "ce-type: cloud", "ce-subject: u", "ce-color: red", "Content-Type: application/json"}, 200, `{"ok":1,`},
		{"POST", "/v1/cloudevents", `{"specversion":"1.0"}`, nil, 422, `{"ok":0,"duplicate":0,"rejected":1,`},
	} {
		resp, text := f.call(t, c.method, c.target, c.body, c.headers...)
		if resp.StatusCode != c.status || !strings.HasPrefix(text, c.answer) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.target, resp.StatusCode, text, c.status, c.answer)
		}
	}
	want := map[string]float64{"seg": 2, "$identify": 1, "$profile": 1, "web": 1, "v1": 1, "ga": 1, "cloud": 2}
	rows := f.ask(t, "* | stats count() by event")
	for _, row := range rows {
		if want[row[0].(string)] != row[1] {
			t.Errorf("%v events %v, want %v", row[1], row[0], want[row[0].(string)])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%v", rows)
	}
	if rows := f.ask(t, "cloud{color = \"red\" and a = 2 and user = \"u\"} | stats count()"); len(rows) != 1 || rows[0][0] != 1.0 {
		t.Errorf("the event in headers: %v", rows)
	}
	// What is packed inside a form counts as what is packed outside.
	small := newFixture(t, Options{InFlightBytes: 64 << 10})
	bomb := url.Values{"data": {base64.StdEncoding.EncodeToString([]byte(gzipped(t, strings.Repeat(" ", 900<<10)+browser)))}}.Encode()
	if resp, text := small.call(t, "POST", "/e/", bomb); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a bomb in a form: %d %s", resp.StatusCode, text)
	}
	// A browser asks first; what is not stored can be read.
	resp, _ := f.call(t, "OPTIONS", "/e/", "", "Origin: https://shop.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-a")
	if h := resp.Header; resp.StatusCode >= 300 || h.Get("Access-Control-Allow-Origin") != "https://shop.example" || h.Get("Access-Control-Allow-Headers") != "x-a" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight: %d %v", resp.StatusCode, h)
	}
	_, text := f.call(t, "GET", "/v1/rejects", "")
	for _, protocol := range []string{"segment", "posthog", "ga4", "cloudevents"} {
		if !strings.Contains(text, `"protocol":"`+protocol+`"`) {
			t.Errorf("no reject of %s in %s", protocol, text)
		}
	}
}

// TestVendorKeys sends keys by the ways of each protocol: the key is the tenant.
func TestVendorKeys(t *testing.T) {
	f := newFixture(t, Options{})
	create := func(token access.Token, imported string) string {
		t.Helper()
		token.Scopes = access.Ingest
		_, text, err := f.tokens.Create(token, imported)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	create(access.Token{Tenant: "shop"}, "imported-key-of-another-vendor")
	const shop = "imported-key-of-another-vendor"
	other := create(access.Token{Tenant: "other"}, "")
	onlySegment := create(access.Token{Tenant: "shop", Protocols: []string{"segment"}}, "")
	byCustomer := create(access.Token{Tenant: "cloud", UserMember: "customer.id"}, "")
	basic := func(key string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
	}
	const cloud = `{"specversion":"1.0","id":"1","source":"/shop","type":"cloud","subject":"s","data":{"customer":{"id":"c7"}}}`
	for _, c := range []struct {
		target, body string
		headers      []string
		status       int
	}{
		{"/batch", `{"api_key":"` + shop + `","batch":[{"event":"e","distinct_id":"u"}]}`, nil, 200},
		{"/batch", `{"api_key":"` + shop + `","batch":[{"event":"e","distinct_id":"u","api_key":"` + other + `"}]}`, nil, 401},
		{"/batch", `{"batch":[{"event":"e","distinct_id":"u"}]}`, nil, 401},
		{"/batch", `{"api_key":"nobody's","batch":[{"event":"e","distinct_id":"u"}]}`, nil, 401},
		{"/batch", `{"api_key":"` + onlySegment + `","batch":[{"event":"e","distinct_id":"u"}]}`, nil, 403},
		{"/e", `{"event":"e","properties":{"token":"` + shop + `","distinct_id":"u"}}`, nil, 200},
		{"/flags", `{"token":"nobody's"}`, nil, 401},
		{"/s", `{"event":"$snapshot","properties":{"token":"` + shop + `"}}`, nil, 200},
		{"/i/v1/analytics/events", `{"batch":[{"event":"e","uuid":"x","distinct_id":"u"}]}`, []string{"Authorization: Bearer " + shop}, 200},
		{"/i/v1/analytics/events", `{"batch":[{"event":"e","uuid":"x","distinct_id":"u"}]}`, nil, 401},
		{"/v1/batch", `{"batch":[{"type":"track","event":"e","userId":"u"}]}`, []string{basic(onlySegment)}, 200},
		{"/v1/batch", `{"batch":[{"type":"track","event":"e","userId":"u"}],"writeKey":"` + shop + `"}`, []string{basic(other)}, 401},
		{"/v1/batch", `{"batch":[{"type":"track","event":"e","userId":"u"}],"writeKey":"` + shop + `"}`, []string{"Authorization: Bearer of-somebody-else"}, 200},
		{"/v1/batch", `{"batch":[{"type":"track","event":"e","userId":"u"}]}`, nil, 401},
		{"/mp/collect?api_secret=" + shop, `{"client_id":"u","events":[{"name":"e"}]}`, nil, 204},
		{"/mp/collect", `{"client_id":"u","events":[{"name":"e"}]}`, nil, 401},
		{"/v1/cloudevents", cloud, []string{"Authorization: Bearer " + byCustomer}, 200},
		{"/v1/cloudevents", cloud, nil, 401},
	} {
		if resp, text := f.call(t, "POST", c.target, c.body, c.headers...); resp.StatusCode != c.status {
			t.Errorf("%s %s %v: %d %s, want %d", c.target, c.body, c.headers, resp.StatusCode, text, c.status)
		}
	}
	_, reader, err := f.tokens.Create(access.Token{Tenant: "shop", Scopes: access.Query}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, cloudReader, err := f.tokens.Create(access.Token{Tenant: "cloud", Scopes: access.Query}, "")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{"e | stats count()": reader, `cloud{user = "c7"} | stats count()`: cloudReader} {
		_, text := f.call(t, "GET", "/v1/query?"+url.Values{"q": {query}, "format": {"csv"}}.Encode(), "", "Authorization: Bearer "+want)
		count := map[string]string{reader: "6", cloudReader: "1"}[want]
		if lines := strings.Fields(text); len(lines) != 2 || lines[1] != count {
			t.Errorf("%s: %q, want %s", query, text, count)
		}
	}
}
