package protocol

import (
	"bytes"
	"net/http"

	"cairn/server/api"
)

// PostHog is PostHog's classic capture protocol, as its browser client, its other clients and plain HTTP use
// it, with the little that they want to hear of flags, configuration and recordings:
//
//	POST /batch, /i/v0/e, /e, /capture, /track, /engage   {"api_key","batch":[…],"sent_at"}, [event,…] or one event
//	POST /i/v0/ai/batch                                   the same, with larger events
//	POST /flags, /decide   GET /array/{key}/config[.js]   no flags, nothing switched on
//	POST /s                                               session recordings: counted, not stored
//
// A body may be gzip whatever the headers say, a form data=<base64>, or the parameter data of a GET. The
// answer is 200 {"status":1} if at least one event is good: PostHog refuses a batch for one bad event, which
// would lose the others.
type PostHog struct{}

// Name returns "posthog".
func (PostHog) Name() string { return "posthog" }

const (
	posthogRecordings = "/s"
	posthogFlags      = "/flags"
	posthogDecide     = "/decide"
	posthogConfig     = "/array/*/config"
	posthogConfigJS   = "/array/*/config.js"
	posthogAI         = "/i/v0/ai/batch"
)

// Paths lists the paths of events, and those that clients ask for beside them.
func (PostHog) Paths() []Path {
	both := []string{http.MethodPost, http.MethodGet}
	own := func(r *Request) bool { return posthogOwns(r.Body) }
	return []Path{
		{Pattern: "/batch", Methods: both, Bodies: BulkBodies, Claims: func(r *Request) bool { return !HasMember(r.Body, "events") }},
		{Pattern: "/i/v0/e", Methods: both, Bodies: BulkBodies},
		{Pattern: "/e", Methods: both, Bodies: BulkBodies},
		{Pattern: "/capture", Methods: both, Bodies: BulkBodies},
		{Pattern: "/track", Methods: both, Claims: own},
		{Pattern: "/engage", Methods: both, Claims: own},
		{Pattern: posthogAI, Methods: both, Bodies: BulkBodies},
		{Pattern: posthogRecordings, Methods: both, Bodies: BulkBodies},
		{Pattern: posthogFlags, Methods: both},
		{Pattern: posthogDecide, Methods: both},
		{Pattern: posthogConfig, Methods: []string{http.MethodGet}},
		{Pattern: posthogConfigJS, Methods: []string{http.MethodGet}},
	}
}

// posthogOwns tells PostHog's bodies from Mixpanel's, which uses some of the same paths: an event, the first one
// of an array or a batch with the key, the id or the uuid at its top level.
func posthogOwns(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) > 0 && body[0] == '[' {
		body = bytes.TrimLeft(body[1:], " \t\r\n")
	}
	return HasMember(body, "api_key", "distinct_id", "uuid", "batch")
}

// Decode reads events, or answers what has none.
func (p PostHog) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	switch r.Path {
	case posthogConfig, posthogConfigJS:
		d.addKey(r.URLToken)
		reply := posthogConfiguration(r)
		d.Reply = &reply
		return d, nil
	}
	text, err := posthogText(r)
	if err != nil {
		return d, err
	}
	switch r.Path {
	case posthogRecordings:
		d.addKey(posthogFindKey(text))
		d.Ignored = 1
		reply := posthogOK()
		d.Reply = &reply
		return d, nil
	case posthogFlags, posthogDecide:
		d.addKey(posthogFindKey(text))
		reply := posthogNoFlags(r.Path == posthogDecide)
		d.Reply = &reply
		return d, nil
	}
	limits := posthogLimits(r)
	body, err := ReadBody(text, "batch", &limits)
	if err != nil {
		return d, err
	}
	if len(body.Items) == 0 {
		return d, &api.Error{Code: api.CodeEmptyBatch, Message: "the batch has no events"}
	}
	b := posthogBatch{limits: &limits, received: r.Received}
	b.setSent(r, body)
	if r.Query("ip") == "1" {
		b.ip = r.RemoteIP
	}
	for _, name := range []string{"api_key", "token"} {
		if key := body.Get(name); body.Listed {
			d.addKey(key.Name())
		}
	}
	if len(d.Keys) == 0 {
		d.addKey(r.Query("api_key"))
		d.addKey(r.Query("token"))
	}
	if len(d.Keys) > 0 {
		b.key = d.Keys[0]
	}
	if migration := body.Get("historical_migration"); migration.True() {
		b.clock.Skew = 0
	}
	for _, raw := range body.Items {
		item, key := b.event(raw)
		d.addKey(key)
		d.Items = append(d.Items, item)
	}
	return d, nil
}

// setSent takes the send time from the body, or from the parameter "_" of browsers.
func (b *posthogBatch) setSent(r *Request, body *Body) {
	sent := body.Get("sent_at")
	if !sent.Exists() {
		if ms := r.Query("_"); ms != "" {
			sent = Value{Kind: '0', Text: ms}
		}
	}
	b.clock = NewClock(r.Received, &sent)
}

// posthogLimits are the limits of events, which may be larger than others.
func posthogLimits(r *Request) Limits {
	limits := r.Limits
	limits.EnsureDefaults()
	limits.EventBytes *= 2
	if r.Path == posthogAI {
		limits.EventBytes *= 4
	}
	return limits
}

// posthogText finds the JSON of a request: the body, or what is base64 in a form or a parameter.
func posthogText(r *Request) ([]byte, error) {
	text := r.Body
	if data := r.Query("data"); data != "" && len(bytes.TrimSpace(text)) == 0 {
		text = DecodeBase64(data)
	} else if form := Form(text); form.Has("data") {
		text = DecodeBase64(form.Get("data"))
	} else if r.Query("compression") == "base64" {
		text = DecodeBase64(string(text))
	}
	if r.Query("compression") == "lz64" {
		return nil, &api.Error{Code: api.CodeUnknownEncoding, Message: "compression lz64 is not served", Hint: "send gzip-js or base64"}
	}
	return r.gunzip(text)
}

// Answer is 200 if one event at least is stored, or was before.
func (p PostHog) Answer(r *Request, _ *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return p.Fail(r, err)
	}
	if first := allRejected(outcomes); first != nil {
		return textResponse(http.StatusBadRequest, first.Reason+": "+first.Message)
	}
	return posthogOK()
}

func posthogOK() Response { return jsonResponse(http.StatusOK, map[string]int{"status": 1}) }

// Fail answers with the error's status and message as text.
func (PostHog) Fail(_ *Request, err *api.Error) Response {
	return textResponse(api.Status(err.Code), err.Code+": "+err.Error())
}

// posthogFindKey returns the key in a body that is not looked at otherwise.
func posthogFindKey(text []byte) string {
	limits := Limits{}
	limits.EnsureDefaults()
	body, err := ReadBody(text, "batch", &limits)
	if err != nil {
		return ""
	}
	for _, name := range []string{"api_key", "token", "$token"} {
		if key := body.Get(name); key.Name() != "" {
			return key.Name()
		}
	}
	if len(body.Items) == 0 {
		return ""
	}
	first, err := ReadBody(body.Items[0], "", &limits)
	if err != nil {
		return ""
	}
	for _, name := range []string{"api_key", "token", "$token"} {
		if key := first.Get(name); key.Name() != "" {
			return key.Name()
		}
	}
	if properties := first.raw("properties"); properties != nil {
		if inner, err := ReadBody(properties, "", &limits); err == nil {
			key := inner.Get("token")
			return key.Name()
		}
	}
	return ""
}
