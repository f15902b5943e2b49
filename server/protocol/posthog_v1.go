package protocol

import (
	"net/http"

	"cairn/server/api"
)

// PostHogV1 is PostHog's Capture V1, which newer clients use when told to:
//
//	POST /i/v1/analytics/events   {"created_at","historical_migration"?,"batch":[{event, uuid, …, options, properties}]}
//
// The key is the Bearer token, the send time a header. Every event has a result by its uuid; the client
// sends those again whose result is "retry". 429 is final for older clients, so overload is 503.
type PostHogV1 struct{}

// Name returns "posthog": tokens and metrics make no difference between the two.
func (PostHogV1) Name() string { return "posthog" }

// Paths lists the one path.
func (PostHogV1) Paths() []Path {
	return []Path{{Pattern: "/i/v1/analytics/events", Bodies: BulkBodies}}
}

// Decode reads a batch.
func (PostHogV1) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	d.addKey(Bearer(r.Header("Authorization")))
	limits := posthogLimits(r)
	body, err := ReadBody(r.Body, "batch", &limits)
	if err != nil {
		return d, err
	}
	if !body.Listed {
		return d, &api.Error{Code: api.CodeBadJSON, Message: `expected an object with a list "batch"`}
	}
	if len(body.Items) == 0 {
		return d, &api.Error{Code: api.CodeEmptyBatch, Message: "the batch has no events"}
	}
	sent := Value{Kind: '"', Text: r.Header("PostHog-Request-Timestamp")}
	b := posthogBatch{
		limits: &limits, received: r.Received, clock: NewClock(r.Received, &sent), v1: true,
		library: posthogLibrary(r.Header("PostHog-Sdk-Info")),
	}
	if migration := body.Get("historical_migration"); migration.True() {
		b.clock.Skew = 0
	}
	for _, raw := range body.Items {
		item, _ := b.event(raw)
		d.Items = append(d.Items, item)
	}
	return d, nil
}

// posthogResult is what became of one event.
type posthogResult struct {
	Result  string `json:"result"`
	Details string `json:"details,omitempty"`
}

// Answer names the result of every uuid; of two events with one uuid the worse.
func (PostHogV1) Answer(_ *Request, d *Decoded, outcomes []Outcome) Response {
	worst := make(map[string]Outcome)
	for i := range d.Items {
		id := d.Items[i].ID
		if id == "" {
			continue // a reject that nobody could read; it is among the rejects
		}
		if known, ok := worst[id]; ok {
			worst[id] = Worse(known, outcomes[i])
		} else {
			worst[id] = outcomes[i]
		}
	}
	results := make(map[string]posthogResult, len(worst))
	for id, o := range worst {
		switch o.Verdict {
		case OK, Duplicate:
			results[id] = posthogResult{Result: "ok"}
		case Warning:
			results[id] = posthogResult{"warning", o.Reason + ": " + o.Message}
		case Rejected:
			results[id] = posthogResult{"drop", o.Reason + ": " + o.Message}
		default:
			results[id] = posthogResult{Result: "retry"}
		}
	}
	return jsonResponse(http.StatusOK, map[string]any{"results": results})
}

// Fail answers with the error's status, but 503 for 429.
func (PostHogV1) Fail(_ *Request, err *api.Error) Response {
	status := api.Status(err.Code)
	if status == http.StatusTooManyRequests {
		status = http.StatusServiceUnavailable
	}
	return jsonResponse(status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{err.Code, err.Error()})
}
