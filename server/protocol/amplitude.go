package protocol

import (
	"net/http"

	"cairn/engine/event"
	"cairn/engine/ingest"
	"cairn/server/api"
)

// Amplitude is Amplitude's HTTP API, as its Node, browser and Go clients use it:
//
//	POST /2/httpapi, /batch          {"api_key","events":[…],"options":{"min_id_length"}?,"client_upload_time"?}
//	POST /identify, /groupidentify   form api_key=…&identification=<JSON object or array>
//	POST /attribution                form api_key=…&event=<JSON object>
//
// Clients read the answer's JSON: its code counts, not the status of HTTP. A 400 that names events drops
// those and brings the rest again, which is harmless only where that rest has insert ids; where it has
// not, the answer is 200.
type Amplitude struct{}

// amplitudeEventsMax is how many events a request of Amplitude's may have.
const amplitudeEventsMax = 2000

// Name returns "amplitude".
func (Amplitude) Name() string { return "amplitude" }

// Paths lists the two paths of JSON and the three of forms.
func (Amplitude) Paths() []Path {
	formed := func(r *Request) bool { return Form(r.Body).Has("api_key") }
	return []Path{
		{Pattern: "/2/httpapi"},
		{Pattern: "/batch", Bodies: BulkBodies, Claims: func(r *Request) bool { return HasMember(r.Body, "events") }},
		{Pattern: "/identify", Claims: formed},
		{Pattern: "/groupidentify", Claims: formed},
		{Pattern: "/attribution", Claims: formed},
	}
}

// amplitudeForms has the field of each form that holds its events.
var amplitudeForms = map[string]string{"/identify": "identification", "/groupidentify": "identification", "/attribution": "event"}

// missing is the error of a request without one of its parts.
func (Amplitude) missing(name string) *api.Error {
	return &api.Error{Code: api.CodeBadParameter, Message: amplitudeMissing + name}
}

const amplitudeMissing = "Request missing required field: "

// Decode reads events, or what a form says of users or groups.
func (a Amplitude) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	m := amplitudeRequest{limits: r.Limits, received: r.Received, ip: r.RemoteIP}
	m.limits.EnsureDefaults()
	m.limits.Events = min(m.limits.Events, amplitudeEventsMax)
	if field := amplitudeForms[r.Path]; field != "" {
		form := Form(r.Body)
		d.addKey(form.Get("api_key"))
		if !form.Has(field) {
			return d, a.missing(field)
		}
		m.clock = NewClock(r.Received, &Value{})
		body, err := ReadBody([]byte(form.Get(field)), "", &m.limits)
		if err != nil {
			return d, err
		}
		m.form = r.Path
		d.Items = m.items(body)
		return d, nil
	}
	body, err := ReadBody(r.Body, "events", &m.limits)
	if err != nil {
		return d, err
	}
	key := body.Get("api_key")
	d.addKey(key.Name())
	if !body.Listed {
		return d, a.missing("events")
	}
	sent, options := body.Get("client_upload_time"), body.Get("options")
	m.clock = NewClock(r.Received, &sent)
	if n := options.Get("min_id_length").Scalar(); n.Kind() == event.KindInt {
		m.idRunesMin = n.AsInt()
	}
	d.Items = m.items(body)
	return d, nil
}

// amplitudeError is the body of every answer but a success. Clients expect the members of a 400 and a 429 to be there.
type amplitudeError struct {
	Code    int    `json:"code"`
	Error   string `json:"error"`
	Missing string `json:"missing_field,omitempty"`

	*amplitudeInvalid
	*amplitudeThrottled
}

// amplitudeInvalid names the events at fault: indexes by field.
type amplitudeInvalid struct {
	Fields        map[string][]int `json:"events_with_invalid_fields"`
	MissingFields map[string][]int `json:"events_with_missing_fields"`
	IDLengths     map[string][]int `json:"events_with_invalid_id_lengths"`
	Silenced      []int            `json:"silenced_events"`
}

// amplitudeThrottled names the events to be sent again a little later. Users over a quota would be dropped, so there
// never are any.
type amplitudeThrottled struct {
	Threshold int            `json:"eps_threshold"`
	Devices   map[string]int `json:"throttled_devices"`
	Users     map[string]int `json:"throttled_users"`
	Events    []int          `json:"throttled_events"`
}

type amplitudeSuccess struct {
	Code     int   `json:"code"`
	Ingested int   `json:"events_ingested"`
	Bytes    int   `json:"payload_size_bytes"`
	Time     int64 `json:"server_upload_time"` // Unix milliseconds
}

// Answer says how many events are stored, or which are not.
func (a Amplitude) Answer(r *Request, d *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return a.Fail(r, err)
	}
	stored, exact := 0, true
	invalid := amplitudeInvalid{Fields: map[string][]int{}, MissingFields: map[string][]int{}, IDLengths: map[string][]int{}, Silenced: []int{}}
	message := ""
	for i := range outcomes {
		o := &outcomes[i]
		if o.Verdict != Rejected {
			stored++
			exact = exact && d.Items[i].ID != ""
			continue
		}
		if message == "" {
			message = "events were refused, the first for " + o.Reason + ": " + o.Message
		}
		invalid.add(i, o, d.Items[i].Raw)
	}
	_, formed := amplitudeForms[r.Path]
	switch {
	case message != "" && formed && stored == 0:
		return textResponse(http.StatusBadRequest, message)
	case formed:
		return textResponse(http.StatusOK, "success")
	case message != "" && exact:
		return jsonResponse(http.StatusBadRequest, amplitudeError{Code: http.StatusBadRequest, Error: message, amplitudeInvalid: &invalid})
	}
	return jsonResponse(http.StatusOK, amplitudeSuccess{http.StatusOK, stored, len(r.Body), r.Received.UnixMilli()})
}

// add notes a rejected event where clients look for it.
func (v *amplitudeInvalid) add(index int, o *Outcome, raw []byte) {
	field, lists := o.Field, v.Fields
	switch {
	case field == "":
		field = "event"
	case field == "event_type" && !HasMember(raw, "event_type"):
		lists = v.MissingFields
	case o.Reason == ingest.UserTooLong:
		field, lists = "user_id", v.IDLengths
	case field == "user_id", field == "device_id":
		lists = v.IDLengths
	}
	lists[field] = append(lists[field], index)
}

// Fail answers in the words that make clients do the right thing: an unknown key drops the events, overload brings
// all of them again.
func (a Amplitude) Fail(r *Request, err *api.Error) Response {
	status := api.Status(err.Code)
	body := amplitudeError{Code: status, Error: err.Message}
	switch {
	case err.Code == api.CodeNoToken && amplitudeForms[r.Path] == "":
		body = amplitudeError{Code: http.StatusBadRequest, Error: amplitudeMissing + "api_key", Missing: "api_key"}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		body.Code, body.Error = http.StatusBadRequest, "Invalid API key: "+err.Message
	case err.Code == api.CodeTooManyEvents:
		body.Code = http.StatusRequestEntityTooLarge
	case err.Code == api.CodeBadParameter && len(err.Message) > len(amplitudeMissing) && err.Message[:len(amplitudeMissing)] == amplitudeMissing:
		body.Missing = err.Message[len(amplitudeMissing):]
	case status == http.StatusTooManyRequests:
		body.amplitudeThrottled = &amplitudeThrottled{Devices: map[string]int{}, Users: map[string]int{}, Events: amplitudeIndexes(r)}
	}
	if body.Code == http.StatusBadRequest {
		body.amplitudeInvalid = &amplitudeInvalid{Fields: map[string][]int{}, MissingFields: map[string][]int{}, IDLengths: map[string][]int{}, Silenced: []int{}}
	}
	if _, formed := amplitudeForms[r.Path]; formed {
		return textResponse(body.Code, body.Error)
	}
	return jsonResponse(body.Code, body)
}

// amplitudeIndexes lists the indexes of all events of a request.
func amplitudeIndexes(r *Request) []int {
	limits := r.Limits
	limits.EnsureDefaults()
	limits.Events = min(limits.Events, amplitudeEventsMax)
	indexes := []int{}
	if body, err := ReadBody(r.Body, "events", &limits); err == nil && body.Listed {
		for i := range body.Items {
			indexes = append(indexes, i)
		}
	}
	return indexes
}
