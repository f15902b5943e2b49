package protocol

import (
	"net/http"
	"strconv"

	"cairn/engine/ingest"
	"cairn/server/api"
)

// GA4 is the measurement protocol of Google Analytics 4:
//
//	POST /mp/collect?measurement_id=…&api_secret=…   {"client_id","user_id"?,"timestamp_micros"?,"events":[{"name","params"}]}
//	POST /debug/mp/collect                           the same: says what is wrong, and stores nothing
//
// The key is api_secret. There are no insert ids and no send time. The answer is 204 for whatever can be
// read, as Google's is.
type GA4 struct{}

// Name returns "ga4".
func (GA4) Name() string { return "ga4" }

const ga4Debug = "/debug/mp/collect"

// Paths lists the path of events, and that of their validation.
func (GA4) Paths() []Path { return []Path{{Pattern: "/mp/collect"}, {Pattern: ga4Debug}} }

// ga4Known are the members of a body or an event that become something else than a field of their name.
var ga4Known = map[string]bool{"user_id": true, "timestamp_micros": true, "events": true, "name": true, "params": true}

// Decode reads the events of one client.
func (GA4) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	d.addKey(r.Query("api_secret"))
	limits := r.Limits
	limits.EnsureDefaults()
	body, err := ReadBody(r.Body, "events", &limits)
	if err != nil {
		return d, err
	}
	if !body.Listed {
		return d, &api.Error{Code: api.CodeBadJSON, Message: `expected an object with a list "events"`}
	}
	b := ga4Batch{limits: &limits, request: r, clock: NewClock(r.Received, &Value{})}
	for _, m := range body.members {
		b.members = append(b.members, Member{m.name, body.Get(m.name)})
	}
	for _, raw := range body.Items {
		d.Items = append(d.Items, b.event(raw))
	}
	for i := range d.Items { // what the body says of the user is said once
		if item := &d.Items[i]; item.Reject == nil {
			b.profile(item)
			break
		}
	}
	if r.Path == ga4Debug {
		reply := ga4Validation(d)
		d.Reply = &reply
	}
	return d, nil
}

// ga4Batch is what the events of a request share.
type ga4Batch struct {
	limits  *Limits
	request *Request
	clock   Clock
	members []Member // of the body, without its events
}

func (b *ga4Batch) get(name string) *Value {
	all := Value{Kind: '{', Members: b.members}
	return all.Get(name)
}

func (b *ga4Batch) event(raw []byte) (item Item) {
	item.Raw = raw
	m, reject := ParseEvent(raw, b.limits)
	if reject != nil {
		item.Reject = reject
		return item
	}
	d := NewDraft(b.limits, b.clock)
	d.SetNameFrom("name", m.Get("name"))
	user := b.get("user_id").Name()
	client := b.get("client_id").Name()
	if client == "" {
		client = b.get("app_instance_id").Name()
	}
	if user != "" {
		d.SetUser(user)
	} else {
		d.SetUser(client)
	}
	micros := m.Get("timestamp_micros")
	if !micros.Exists() {
		micros = b.get("timestamp_micros")
	}
	b.setTime(d, micros)
	d.Properties("params", m.Get("params"))
	d.EnvelopeText("user_id", user)
	for _, name := range []string{"measurement_id", "firebase_app_id"} {
		d.EnvelopeText(name, b.request.Query(name))
	}
	for _, members := range [][]Member{m.Members, b.members} {
		for i := range members {
			if member := &members[i]; !ga4Known[member.Name] {
				d.Envelope(member.Name, &member.Value)
			}
		}
	}
	item.Add(d)
	return item
}

// setTime reads microseconds, whatever their size: the unit is in the name.
func (b *ga4Batch) setTime(d *Draft, micros *Value) {
	if !micros.Exists() {
		return
	}
	n, err := strconv.ParseInt(micros.Name(), 10, 64)
	if err != nil || n*1000/1000 != n {
		d.Refuse(ingest.BadTime, "timestamp_micros", "%.64q is not a time in microseconds", micros.Text)
		return
	}
	d.Event.Time = n * 1000
}

// profile adds the body's user_properties, {"plan":{"value":"pro"}}, to an item.
func (b *ga4Batch) profile(item *Item) {
	properties := b.get("user_properties")
	main := Draft{Event: item.Events[0], limits: b.limits}
	if !properties.Object() || main.Event.User == "" {
		return
	}
	set := Value{Kind: '{'}
	for i := range properties.Members {
		m := &properties.Members[i]
		if value := m.Value.Get("value"); value.Exists() {
			set.Members = append(set.Members, Member{m.Name, *value})
		}
	}
	if p := main.Profile(); p.Operation("$set", &set) {
		item.Add(p)
	}
}

// ga4Message is one finding of the validation, in Google's words and shape.
type ga4Message struct {
	FieldPath      string `json:"fieldPath"`
	Description    string `json:"description"`
	ValidationCode string `json:"validationCode"`
}

// ga4Validation says what would become of the events.
func ga4Validation(d *Decoded) Response {
	answer := struct {
		Messages []ga4Message     `json:"validationMessages"`
		Answer   api.EventsAnswer `json:"cairn"`
	}{Messages: []ga4Message{}, Answer: eventsAnswer(d, knownOutcomes(d), true)}
	for i := range d.Items {
		if r := d.Items[i].Reject; r != nil {
			path := "events[" + strconv.Itoa(i) + "]"
			if r.Field != "" {
				path += "." + r.Field
			}
			answer.Messages = append(answer.Messages, ga4Message{path, r.Message, r.Reason})
		}
	}
	return jsonResponse(http.StatusOK, answer)
}

// knownOutcomes are the outcomes before anything is stored.
func knownOutcomes(d *Decoded) []Outcome {
	outcomes := make([]Outcome, len(d.Items))
	for i := range d.Items {
		outcomes[i] = d.Items[i].Outcome()
	}
	return outcomes
}

// Answer is 204 whatever became of the events, unless some have to come again.
func (g GA4) Answer(r *Request, _ *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return g.Fail(r, err)
	}
	return Response{Status: http.StatusNoContent}
}

// Fail answers as Cairn's own API does.
func (GA4) Fail(_ *Request, err *api.Error) Response { return failOwn(err) }
