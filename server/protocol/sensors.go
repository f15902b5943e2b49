package protocol

import (
	"net/http"

	"cairn/server/api"
)

// Sensors is the protocol of the Sensors Data SDK for mini programs:
//
//	POST /sensors/{token}/sa?project=p   or /sa?token={token}
//	data_list=<urlencode(base64(JSON array))>[&gzip=1], or data=<…one message>
//	GET  …&data=<…one message>           with the plugin that sends at once
//
// The messages may be packed with gzip below the base64, whatever the parameter gzip says. The key is in
// the URL, the only place that the SDK's settings can change; the parameter project is not looked at. The
// SDK reads no answer: it is 200 without a body.
type Sensors struct{}

// Name returns "sensors".
func (Sensors) Name() string { return "sensors" }

// Paths lists /sa with the key in the path or a parameter. sa.gif is what older settings say.
func (Sensors) Paths() []Path {
	both := []string{http.MethodPost, http.MethodGet}
	return []Path{
		{Pattern: "/sa", Methods: both},
		{Pattern: "/sa.gif", Methods: both},
		{Pattern: "/*/sa", Methods: both, Prefixed: true},
		{Pattern: "/*/sa.gif", Methods: both, Prefixed: true},
	}
}

// Decode reads messages.
func (Sensors) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	d.addKey(r.URLToken)
	d.addKey(r.Query("token"))
	limits := r.Limits
	limits.EnsureDefaults()
	payload, err := sensorsPayload(r)
	if err != nil {
		return d, err
	}
	body, err := ReadBody(payload, "", &limits)
	if err != nil {
		return d, err
	}
	for _, raw := range body.Items {
		d.Items = append(d.Items, sensorsMessage(raw, r.Received, &limits))
	}
	return d, nil
}

// sensorsPayload returns the JSON of a request.
func sensorsPayload(r *Request) ([]byte, error) {
	form := Form(r.Body)
	for _, name := range [...]string{"data_list", "data"} {
		text := form.Get(name)
		if text == "" {
			text = r.Query(name)
		}
		if text != "" {
			unpacked, err := r.gunzip(DecodeBase64(text))
			return joinSurrogates(unpacked), err
		}
	}
	if form == nil {
		return r.Body, nil // plain JSON, for tests by hand
	}
	return nil, &api.Error{Code: api.CodeEmptyBatch, Message: `expected a form with "data_list" or "data"`}
}

// Answer is 200 and empty whatever became of the messages, unless some have to come again.
func (s Sensors) Answer(r *Request, _ *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return s.Fail(r, err)
	}
	return Response{Status: http.StatusOK}
}

// Fail answers as Cairn's own API does. The SDK forgets its messages after any answer, and keeps them if there is
// none; so where they should come again, it gets none.
func (Sensors) Fail(_ *Request, err *api.Error) Response {
	r := failOwn(err)
	r.Hangup = r.Status == http.StatusTooManyRequests || r.Status >= 500 && err.Code != api.CodeCorruption
	return r
}
