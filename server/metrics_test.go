package server

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/server/access"
)

// metricLine is a line of the text format of Prometheus: a name, labels, a number.
var metricLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:, ?[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})? ([-+]?[0-9.]+(?:e[-+]?[0-9]+)?|NaN|[-+]Inf)$`)

// metrics reads every line of /metrics: the values by name and labels.
func (w *town) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	text := w.want(t, call{method: get, path: "/metrics", token: w.operator, admin: true}, 200, "").text
	seen := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := metricLine.FindStringSubmatch(line)
		if parts == nil {
			t.Errorf("not a line of Prometheus: %q", line)
			continue
		}
		name := parts[1] + parts[2]
		if _, twice := seen[name]; twice {
			t.Errorf("there are two of %s", name)
		}
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		seen[name] = value
	}
	return seen
}

// TestMetricsAreWellFormed compares /metrics before and after requests of several fates.
func TestMetricsAreWellFormed(t *testing.T) {
	w := newTown(t)
	ingest, query := w.tokens["a"][access.Ingest], w.tokens["a"][access.Query]
	before := w.metrics(t)
	w.want(t, call{method: post, path: "/v1/events", token: ingest, body: "{\"event\":\"e\"}\n{\"event\":7}\n{\"event\":\"e\",\"id\":\"1\"}\n{\"event\":\"e\",\"id\":\"1\"}"}, 200, "")
	w.want(t, call{method: post, path: "/v1/query", token: query, body: `{"query":"nonsense |"}`}, 400, "bad_query")
	w.want(t, call{method: get, path: "/no%22where%0a", token: query}, 404, "not_found")
	after := w.metrics(t)
	for name, more := range map[string]float64{
		`cairn_events_total{tenant="a",protocol="cairn",verdict="rejected",reason="bad_event"}`: 1,
		`cairn_events_total{tenant="a",protocol="cairn",verdict="duplicate"}`:                   1,
		`cairn_errors_total{code="not_found"}`:                                                  1,
		`cairn_panics_total`:                                                                    0,
		`cairn_in_flight_bytes`:                                                                 0,
	} {
		if after[name] != before[name]+more {
			t.Errorf("%s was %v and is %v, want %v more", name, before[name], after[name], more)
		}
	}
	for _, name := range []string{"cairn_tenants", "cairn_hot_bytes", "cairn_store_pressure", "cairn_seals_total", "process_resident_memory_bytes"} {
		if _, ok := after[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestTokenOfOneProtocol tries tokens that are for one protocol on the routes of the others.
func TestTokenOfOneProtocol(t *testing.T) {
	w := newTown(t)
	requests := map[string]call{
		"cairn":       {path: "/v1/events", body: `{"event":"e"}`},
		"segment":     {path: "/v1/track", body: `{"type":"track","event":"e","userId":"u","messageId":"m"}`},
		"mixpanel":    {path: "/track", body: `[{"event":"e","properties":{"token":"TOKEN","distinct_id":"u","time":1748764800}}]`},
		"amplitude":   {path: "/2/httpapi", body: `{"api_key":"TOKEN","events":[{"event_type":"e","user_id":"user1","time":1748764800000}]}`},
		"posthog":     {path: "/batch/", body: `{"api_key":"TOKEN","batch":[{"event":"e","distinct_id":"u"}]}`},
		"cloudevents": {path: "/v1/cloudevents", body: `{"specversion":"1.0","id":"1","source":"/s","type":"e"}`},
	}
	for _, own := range []string{"cairn", "segment", "mixpanel", "amplitude", "posthog", "cloudevents"} {
		_, text, err := w.Server.tokens.Create(access.Token{Tenant: "a", Scopes: access.Ingest, Protocols: []string{own}}, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range requests {
			c.method, c.token = post, text
			c.body = strings.ReplaceAll(c.body, "TOKEN", text)
			c.header = map[string]string{"Content-Type": "application/json"}
			if name == "cloudevents" {
				c.header["Content-Type"] = "application/cloudevents+json"
			}
			got := w.do(t, c)
			if accepted := got.status < 300; accepted != (name == own) {
				t.Errorf("a token for %s on %s %s: %d %s", own, name, c.path, got.status, got.text)
			}
		}
	}
}

// TestClientHangsUpWhileAnAnswerIsStreamed lets go of an answer after its first bytes: the query must end, and
// its turn and snapshot be given back.
func TestClientHangsUpWhileAnAnswerIsStreamed(t *testing.T) {
	f := newFixture(t, Options{Queries: 1})
	line := fmt.Sprintf("{\"event\":\"e\",\"text\":%q}\n", strings.Repeat("x", 1000))
	for range 10 {
		if status, text, _, err := f.post("/v1/events", strings.Repeat(line, 1000)); err != nil || status != 200 {
			t.Fatal(status, text, err)
		}
	}
	resp, err := f.client.Post("http://localhost/v1/query?format=ndjson", "text/plain", strings.NewReader("* | events"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	if running, _ := f.turns.state(); running != 1 {
		t.Fatalf("%d queries are running", running)
	}
	_ = resp.Body.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if running, _ := f.turns.state(); running == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the query goes on")
		}
	}
	if status, text, _, err := f.post("/v1/query?format=csv", "* | stats count() as n"); err != nil || status != 200 || text != "n\n10000\n" {
		t.Errorf("the next query: %d %q %v", status, text, err)
	}
}
