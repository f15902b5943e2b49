package protocol

import (
	"net/http"
	"slices"

	"cairn/server/api"
)

// Segment is the HTTP tracking API of Segment, as its Go, Node and browser clients and its server libraries use it:
//
//	POST /v1/batch, /v1/b, /v1/import           {"batch":[…],"context":{…},"sentAt":…,"writeKey":…}
//	POST /v1/track, /v1/t and so on             one message
//	GET  /v1/projects/{writeKey}/settings       what the browser client asks its CDN for
//
// The answer is 200 as soon as the body can be read and the key is known: the Go client repeats a request
// ten times whatever the error is, so a 400 for an event that will never be right would come ten times.
type Segment struct{}

// Name returns "segment".
func (Segment) Name() string { return "segment" }

// segmentTypes are the types of messages by the last step of the path.
var segmentTypes = map[string]string{
	"track": "track", "t": "track", "identify": "identify", "i": "identify", "page": "page", "p": "page",
	"screen": "screen", "s": "screen", "group": "group", "g": "group", "alias": "alias", "a": "alias",
}

const segmentSettings = "/v1/projects/*/settings"

// Paths lists the paths of batches, of each type of message, and of the browser's settings.
func (Segment) Paths() []Path {
	paths := []Path{
		{Pattern: "/v1/batch"},
		{Pattern: "/v1/b"},
		{Pattern: "/v1/import"},
		{Pattern: segmentSettings, Methods: []string{http.MethodGet}},
	}
	for step := range segmentTypes {
		p := Path{Pattern: "/v1/" + step}
		if step == "identify" || step == "alias" { // Cairn has these too
			p.Claims = func(r *Request) bool {
				return HasMember(r.Body, "userId", "anonymousId", "previousId", "writeKey")
			}
		}
		paths = append(paths, p)
	}
	slices.SortFunc(paths, func(a, b Path) int { return len(a.Pattern) - len(b.Pattern) })
	return paths
}

// Decode reads a batch, a message, or the request for settings.
func (s Segment) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	if r.Path == segmentSettings {
		d.addKey(r.URLToken)
		reply := jsonResponse(http.StatusOK, map[string]any{"integrations": map[string]any{"Segment.io": map[string]any{"apiKey": r.URLToken}}})
		d.Reply = &reply
		return d, nil
	}
	authorization := r.Header("Authorization")
	basic, _ := BasicUser(authorization)
	d.addKey(basic)
	pathType := segmentTypes[r.Path[len("/v1/"):]]
	list := "batch"
	if pathType != "" {
		list = ""
	}
	limits := r.Limits
	limits.EnsureDefaults()
	body, err := ReadBody(r.Body, list, &limits)
	if err != nil {
		return d, err
	}
	if pathType == "" && !body.Listed {
		return d, &api.Error{Code: api.CodeBadJSON, Message: `expected an object with a list "batch"`}
	}
	writeKey, sent, context := body.Get("writeKey"), body.Get("sentAt"), body.Get("context")
	d.addKey(writeKey.Name())
	if !body.Listed {
		context = Value{} // the message's own
	}
	batch := segmentBatch{limits: &limits, received: r.Received, sent: sent, context: context, pathType: pathType}
	for _, raw := range body.Items {
		item, key := batch.message(raw)
		d.addKey(key)
		d.Items = append(d.Items, item)
	}
	if len(d.Keys) == 0 {
		// With OAuth a Bearer token comes beside the write key; on its own it is the key.
		d.addKey(Bearer(authorization))
	}
	return d, nil
}

// Answer is 200 whatever became of the events, unless some have to come again.
func (s Segment) Answer(r *Request, _ *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return s.Fail(r, err)
	}
	return jsonResponse(http.StatusOK, map[string]bool{"success": true})
}

// Fail answers with the error's status, and its code and message in the words of Segment's API.
func (Segment) Fail(_ *Request, err *api.Error) Response {
	return jsonResponse(api.Status(err.Code), struct {
		Success bool   `json:"success"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{false, err.Code, err.Error()})
}
