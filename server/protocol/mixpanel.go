package protocol

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"cairn/server/api"
)

// Mixpanel is Mixpanel's ingestion API, as its Node, Go, Python and browser clients use it:
//
//	GET  /track?data=<base64>[&verbose=1&ip=1]     one event; /import, /engage and /groups the same
//	POST /track   form data=<base64 or JSON>       one or many, also aliases and merges
//	POST /track, /engage, /groups   JSON array
//	POST /import?strict=1   JSON array             the answer names what is refused, the rest is stored
//	POST /record                                   recordings of sessions: taken, not stored
//
// What the data says does not depend on how it comes. The answer does: the digit 1, or JSON if verbose=1,
// or the JSON of an import for a JSON body to /import.
//
// An update of a profile becomes a $profile event; one of a group's, which has no user, an event
// $groupidentify with $group_key, $group_id and the operation as fields.
type Mixpanel struct{}

// mixpanelEventsMax is how many events or updates a request of Mixpanel's may have.
const mixpanelEventsMax = 2000

// Name returns "mixpanel".
func (Mixpanel) Name() string { return "mixpanel" }

// Paths lists /track, /import, /engage, /groups and /record.
func (Mixpanel) Paths() []Path {
	both := []string{http.MethodGet, http.MethodPost}
	return []Path{
		{Pattern: "/track", Methods: both, Claims: mixpanelClaims},
		{Pattern: "/import", Methods: both, Bodies: ImportBodies},
		{Pattern: "/engage", Methods: both, Claims: mixpanelClaims},
		{Pattern: "/groups", Methods: both},
		{Pattern: "/record"},
	}
}

// mixpanelClaims tells Mixpanel's requests to /track and /engage from those of PostHog: they have the form
// field or parameter data, or their key where Mixpanel has it.
func mixpanelClaims(r *Request) bool {
	if r.HasQuery("data") {
		return true
	}
	if form := Form(r.Body); form != nil {
		return form.Has("data")
	}
	var limits Limits
	limits.EnsureDefaults()
	body, err := ReadBody(r.Body, "", &limits)
	if err != nil || len(body.Items) == 0 {
		return false
	}
	first, reject := ParseEvent(body.Items[0], &limits)
	if reject != nil || first.Get("api_key", "distinct_id", "uuid").Exists() {
		return false
	}
	return first.Get("$token").Exists() || first.Get("properties").Get("token").Exists()
}

// mixpanelRequest is what the items of a request share.
type mixpanelRequest struct {
	limits Limits
	clock  Clock
	ip     string // of the connection, if the client asks for it
}

// Decode reads events, or updates of profiles or groups.
func (Mixpanel) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	if r.Path == "/record" {
		mixpanelFallbackKey(d, r, nil)
		d.Ignored = 1
		reply := jsonResponse(http.StatusOK, mixpanelError{Code: http.StatusOK, Status: "OK"})
		d.Reply = &reply
		return d, nil
	}
	payload, form := mixpanelPayload(r)
	m := mixpanelRequest{limits: r.Limits, clock: mixpanelClock(r)}
	m.limits.EnsureDefaults()
	m.limits.Events = min(m.limits.Events, mixpanelEventsMax)
	if r.Query("ip") == "1" || form.Get("ip") == "1" {
		m.ip = r.RemoteIP
	}
	body, err := ReadBody(payload, "", &m.limits)
	if err != nil {
		mixpanelFallbackKey(d, r, form)
		return d, err
	}
	read := m.event
	switch r.Path {
	case "/engage":
		read = m.profile
	case "/groups":
		read = m.group
	}
	for _, raw := range body.Items {
		item, key := read(raw)
		d.addKey(key)
		d.Items = append(d.Items, item)
	}
	// Mixpanel's secrets, which imports also show, are others than the token in the events. The token is
	// what an application cannot do without, so it counts if it is there.
	if len(d.Keys) == 0 {
		mixpanelFallbackKey(d, r, form)
	}
	return d, nil
}

// mixpanelPayload returns the JSON of a request, and the form that it came in, if it did.
func mixpanelPayload(r *Request) (payload []byte, form url.Values) {
	if r.HasQuery("data") {
		return joinSurrogates(DecodeBase64(r.Query("data"))), nil
	}
	if form = Form(r.Body); form.Has("data") {
		return joinSurrogates(DecodeBase64(form.Get("data"))), form
	}
	return r.Body, form
}

// mixpanelFallbackKey notes the key of a request whose events have none: a parameter, a service account's
// secret, or the user name of Basic credentials.
func mixpanelFallbackKey(d *Decoded, r *Request, form url.Values) {
	user, password := BasicUser(r.Header("Authorization"))
	for _, key := range []string{r.Query("api_key"), form.Get("api_key"), r.Query("token"), form.Get("token"), password, user} {
		if key != "" {
			d.addKey(key)
			return
		}
	}
}

// mixpanelClock is the clock of a browser, which says when it sends in the parameter "_". Others do not say.
func mixpanelClock(r *Request) Clock {
	var sent Value
	if ms := r.Query("_"); len(ms) == len("1748764800000") && strings.Trim(ms, "0123456789") == "" {
		sent = Value{Kind: '0', Text: ms}
	}
	return NewClock(r.Received, &sent)
}

// mixpanelError is the body of an answer to an import, and of a refusal.
type mixpanelError struct {
	Code     int                    `json:"code"`
	Error    string                 `json:"error,omitempty"`
	Status   string                 `json:"status"`
	Imported *int                   `json:"num_records_imported,omitempty"`
	Failed   []mixpanelFailedRecord `json:"failed_records,omitempty"`
}

type mixpanelFailedRecord struct {
	Index    int    `json:"index"`
	InsertID string `json:"insert_id"`
	Field    string `json:"field"`
	Message  string `json:"message"`
}

type mixpanelVerbose struct {
	Status int     `json:"status"`
	Error  *string `json:"error"`
}

// mixpanelStyle is how a request wants to be answered.
type mixpanelStyle uint8

const (
	mixpanelDigit   mixpanelStyle = iota // 1 or 0
	mixpanelJSON                         // {"status":1,"error":null}
	mixpanelImports                      // {"code":200,…}
)

// style looks at the request alone, since a refused one has not been decoded.
func (Mixpanel) style(r *Request) mixpanelStyle {
	trimmed := bytes.TrimLeft(r.Body, " \t\r\n")
	formed := r.HasQuery("data") || len(trimmed) > 0 && trimmed[0] != '[' && trimmed[0] != '{'
	switch {
	case r.Path == "/record", r.Path == "/import" && !formed:
		return mixpanelImports
	// In a form, values have no "&" of their own.
	case r.Query("verbose") == "1", formed && (bytes.HasPrefix(trimmed, []byte("verbose=1")) || bytes.Contains(trimmed, []byte("&verbose=1"))):
		return mixpanelJSON
	}
	return mixpanelDigit
}

// Answer is a success unless nothing is stored; an import names what is refused. With strict=0 an import is
// told of it only if nothing is good.
func (m Mixpanel) Answer(r *Request, d *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return m.Fail(r, err)
	}
	style := m.style(r)
	imported, first := 0, ""
	var failed []mixpanelFailedRecord
	for i := range outcomes {
		o := &outcomes[i]
		if o.Verdict != Rejected {
			imported++
			continue
		}
		if first == "" {
			first = o.Reason + ": " + o.Message
		}
		if style == mixpanelImports {
			failed = append(failed, mixpanelFailedRecord{Index: i, InsertID: d.Items[i].ID, Field: o.Field, Message: o.Reason + ": " + o.Message})
		}
	}
	none := imported == 0 && len(outcomes) > 0
	if style == mixpanelImports {
		if len(failed) > 0 && (none || r.Query("strict") != "0") {
			return jsonResponse(http.StatusBadRequest, mixpanelError{
				Code: http.StatusBadRequest, Error: "some data points in the request failed validation",
				Status: http.StatusText(http.StatusBadRequest), Imported: &imported, Failed: failed,
			})
		}
		return jsonResponse(http.StatusOK, mixpanelError{Code: http.StatusOK, Status: "OK", Imported: &imported})
	}
	switch {
	case style == mixpanelJSON && none:
		return jsonResponse(http.StatusOK, mixpanelVerbose{Status: 0, Error: &first})
	case style == mixpanelJSON:
		return jsonResponse(http.StatusOK, mixpanelVerbose{Status: 1})
	case none:
		return textResponse(http.StatusOK, "0")
	}
	return textResponse(http.StatusOK, "1")
}

// Fail answers with the error's status, in the form that the request wants.
func (m Mixpanel) Fail(r *Request, err *api.Error) Response {
	status, message := api.Status(err.Code), err.Code+": "+err.Message
	switch m.style(r) {
	case mixpanelImports:
		return jsonResponse(status, mixpanelError{Code: status, Error: message, Status: http.StatusText(status)})
	case mixpanelJSON:
		return jsonResponse(status, mixpanelVerbose{Status: 0, Error: &message})
	}
	return textResponse(status, message)
}
