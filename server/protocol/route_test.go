package protocol

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "/v1/batch", `{"batch":[]}`, "segment"},
		{"POST", "/v1/batch/", ``, "segment"},
		{"POST", "/segment/v1/identify", `{"user":"u"}`, "segment"},
		{"POST", "/v1/identify", `{"userId":"u"}`, "segment"},
		{"POST", "/v1/identify", `{"traits":{"userId":1},"anonymousId":"u"}`, "segment"},
		{"POST", "/v1/identify", `{"user":"u","anonymous":"a"}`, "own"},
		{"POST", "/v1/alias", `{"previousId":"u","writeKey":"k"}`, "segment"},
		{"POST", "/v1/alias", `{"user":"u","alias":"a"}`, "own"},
		{"POST", "/v1/alias", `not json`, "own"},
		{"GET", "/v1/projects/k/settings", ``, "segment"},
		{"GET", "/segment/v1/projects/k/settings/", ``, "segment"},
		{"GET", "/v1/projects//settings", ``, "none"},
		{"GET", "/v1/projects/k/other", ``, "none"},
		{"POST", "/batch", `{"api_key":"k","batch":[]}`, "posthog"},
		{"POST", "/batch/", `[{"event":"e","distinct_id":"u"}]`, "posthog"},
		{"POST", "/batch", `{"event":"e","distinct_id":"u","properties":{"events":1}}`, "posthog"},
		{"POST", "/track", `{"event":"e","api_key":"k"}`, "posthog"},
		{"POST", "/track/", `[{"event":"e","distinct_id":"u"}]`, "posthog"},
		{"POST", "/engage", `{"distinct_id":"u","token":"k"}`, "posthog"},
		{"POST", "/posthog/track", `{"event":"e"}`, "posthog"},
		{"GET", "/e", ``, "posthog"},
		{"POST", "/e/", ``, "posthog"},
		{"POST", "/i/v0/e/", ``, "posthog"},
		{"POST", "/capture", ``, "posthog"},
		{"POST", "/s/", ``, "posthog"},
		{"POST", "/flags/", ``, "posthog"},
		{"POST", "/i/v1/analytics/events", ``, "posthog"},
		{"POST", "/posthog/i/v1/analytics/events/", ``, "posthog"},
		{"POST", "/i/v0/ai/batch/", ``, "posthog"},
		{"GET", "/array/k/config", ``, "posthog"},
		{"GET", "/array/k/config.js", ``, "posthog"},
		{"POST", "/mp/collect", ``, "ga4"},
		{"POST", "/ga4/debug/mp/collect", ``, "ga4"},
		{"POST", "/v1/cloudevents", ``, "cloudevents"},
		{"POST", "/", ``, "none"},
		{"POST", "", ``, "none"},
		{"POST", "/segment", ``, "none"},
		{"POST", "/segmentv1/batch", ``, "none"},
		{"POST", "/v1/batch//", ``, "none"},
		{"POST", "/segment/batch", ``, "none"},
	} {
		got := "none"
		req, h := newRequest(c.method, "/", c.body)
		h.URL.Path = c.target
		if r, ok := Find(c.method, c.target); ok {
			req.Path = r.Path
			if p := r.Pick(req); p != nil {
				got = p.Name()
			} else {
				got = "own"
			}
		}
		if got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.method, c.target, c.body, got, c.want)
		}
	}
	r, ok := Find("DELETE", "/v1/batch")
	if !ok || r.Allow != "POST, OPTIONS" || r.Pick(&Request{}) != nil {
		t.Errorf("DELETE: %+v", r)
	}
	if r, _ := Find("OPTIONS", "/e"); r.Allow != "POST, GET, OPTIONS" {
		t.Errorf("OPTIONS: %+v", r)
	}
	for path, want := range map[string]Bodies{
		"/batch": BulkBodies, "/i/v1/analytics/events": BulkBodies, "/import": ImportBodies, "/mixpanel/import": ImportBodies, "/v1/batch": UsualBodies, "/track": UsualBodies,
	} {
		if r, _ := Find("POST", path); r.Bodies != want {
			t.Errorf("bodies of %s: %d, want %d", path, r.Bodies, want)
		}
	}
}

// TestPathsAreTold holds that a bare path of two protocols names who claims what, and that names serve in tables.
func TestPathsAreTold(t *testing.T) {
	for pattern, candidates := range table() {
		for i, c := range candidates {
			if c.path.Claims == nil && i < len(candidates)-1 && candidates[i+1].protocol.Name() != c.protocol.Name() {
				t.Errorf("%s: %s takes what is meant for others", pattern, c.protocol.Name())
			}
		}
		if strings.HasSuffix(pattern, "/") || !strings.HasPrefix(pattern, "/") {
			t.Errorf("pattern %q", pattern)
		}
	}
}
