package protocol

import (
	"errors"
	"net/http"
	"testing"

	"cairn/server/api"
)

// fuzz gives any body to a protocol by each of its targets: it never panics, every item has an event or a
// reject, limits hold, errors are of the API, and every outcome has an answer.
func fuzz(f *testing.F, method string, targets []string, headers []string, seeds ...string) {
	f.Helper()
	for i := range targets {
		for _, seed := range seeds {
			f.Add(uint8(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, target uint8, body []byte) {
		p, req := route(t, method, targets[int(target)%len(targets)], string(body), headers...)
		req.Limits = Limits{Events: 50, Fields: 40, NameBytes: 30, StringBytes: 60, UserBytes: 40, IDBytes: 40, EventName: 30}
		d, err := p.Decode(req)
		if err != nil {
			var e *api.Error
			if !errors.As(err, &e) || e.Code == "" || e.Message == "" {
				t.Fatalf("error %v", err)
			}
			if r := p.Fail(req, e); r.Status < 400 {
				t.Fatalf("%v is answered by %d", e, r.Status)
			}
			return
		}
		checkDecoded(t, req, d)
		for _, verdict := range []string{OK, Duplicate, Warning, Rejected, Retry} {
			outcomes := make([]Outcome, len(d.Items))
			for i := range outcomes {
				outcomes[i] = Outcome{Verdict: verdict, Reject: Reject{Reason: "r", Message: "m"}}
			}
			if r := p.Answer(req, d, outcomes); r.Status < 200 || r.Status > 599 || r.Status == http.StatusNoContent && len(r.Body) > 0 {
				t.Fatalf("%s is answered by %+v", verdict, r)
			}
		}
	})
}

func FuzzSegment(f *testing.F) {
	fuzz(f, "POST", []string{"/v1/batch", "/segment/v1/t", "/segment/v1/i", "/segment/v1/a"}, nil,
		`{"batch":[{"type":"identify","userId":"u","anonymousId":"a","traits":{"a":{"b":[1]}},"messageId":"m","timestamp":"2025-06-01T07:00:00Z","context":{"ip":"1"}},{"type":"alias","userId":"u","previousId":"p"},{}],"sentAt":"2025-06-01T07:00:00Z","context":{"x":1},"writeKey":"k"}`,
		`{"userId":"u","event":"e","properties":{"time":1,"a.b":2,"user":{"x":[{"y":null}]}}}`)
}

func FuzzPostHog(f *testing.F) {
	fuzz(f, "POST", []string{"/e/?_=1748768400000", "/batch", "/posthog/track", "/s", "/flags", "/e/?compression=base64&ip=1"}, nil,
		`{"api_key":"k","batch":[{"event":"$identify","uuid":"i","distinct_id":"u","timestamp":"2025-06-01T07:00:00Z","properties":{"$anon_distinct_id":"a","$set":{"a":1},"$unset":["x"]}}],"sent_at":"2025-06-01T07:00:00Z"}`,
		`[{"event":"$create_alias","properties":{"distinct_id":"u","alias":"b","token":"k"},"offset":5}]`, `data=eyJldmVudCI6ImUiLCJkaXN0aW5jdF9pZCI6InUifQ%3D%3D`)
}

func FuzzPostHogV1(f *testing.F) {
	fuzz(f, "POST", []string{"/i/v1/analytics/events"}, []string{"Authorization: Bearer k", "PostHog-Sdk-Info: a/1", "PostHog-Request-Timestamp: 2025-06-01T09:00:00.000Z"},
		`{"batch":[{"event":"pay","uuid":"a","distinct_id":"u","timestamp":"2025-06-01T08:59:00Z","session_id":"s","options":{"process_person_profile":false,"x":{}},"properties":{"x":1,"$set":{"p":1}}},{"uuid":"b","x":1,"x":2}]}`)
}

func FuzzGA4(f *testing.F) {
	fuzz(f, "POST", []string{"/mp/collect?measurement_id=G", "/debug/mp/collect"}, nil,
		`{"client_id":"c.1","user_id":"u","timestamp_micros":"1748761200000000","events":[{"name":"purchase","params":{"items":[{"id":1}]}},{}],"user_properties":{"plan":{"value":"pro"}}}`)
}

func FuzzCloudEvents(f *testing.F) {
	fuzz(f, "POST", []string{"/v1/cloudevents"}, nil,
		`{"specversion":"1.0","id":"1","source":"/shop","type":"pay","subject":"u","time":"2025-06-01T07:00:00Z","data":{"a":1}}`,
		`[{"specversion":"1.0","id":"1","source":"s","type":"pay","data_base64":"eyJhIjoxfQ=="},{}]`)
}

func FuzzCloudEventsBinary(f *testing.F) {
	fuzz(f, "POST", []string{"/v1/cloudevents"}, []string{"ce-id: 1", "ce-specversion: 1.0"}, `{"a":1}`, `x`)
}
