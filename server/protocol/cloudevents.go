package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"cairn/engine/ingest"
	"cairn/server/api"
)

// CloudEvents is the HTTP binding of CloudEvents 1.0, on POST /v1/cloudevents: binary (attributes in ce-
// headers, the body is the data), structured (one event as JSON) and batched (an array of them). The event's
// name is its type, its user the subject or a member of the data that the token names, its insert id made
// of source and id, which the specification says are its identity. The answer is that of /v1/events.
type CloudEvents struct{}

// Name returns "cloudevents".
func (CloudEvents) Name() string { return "cloudevents" }

// Paths lists the one path.
func (CloudEvents) Paths() []Path { return []Path{{Pattern: "/v1/cloudevents"}} }

// Decode reads one event or a batch. Which of the three forms it is, the headers ce-specversion and ce-id and the first byte
// of the body tell.
func (CloudEvents) Decode(r *Request) (*Decoded, error) {
	d := &Decoded{}
	d.addKey(Bearer(r.Header("Authorization")))
	limits := r.Limits
	limits.EnsureDefaults()
	c := cloudEvents{limits: &limits, request: r, clock: NewClock(r.Received, &Value{})}
	if r.Header("ce-specversion") != "" || r.Header("ce-id") != "" {
		d.Items = []Item{c.binary()}
		return d, nil
	}
	body, err := ReadBody(r.Body, "", &limits)
	if err != nil {
		return d, err
	}
	if len(body.Items) == 0 {
		return d, &api.Error{Code: api.CodeEmptyBatch, Message: "the batch has no events"}
	}
	for _, raw := range body.Items {
		d.Items = append(d.Items, c.structured(raw))
	}
	return d, nil
}

type cloudEvents struct {
	limits  *Limits
	request *Request
	clock   Clock
}

// binary reads the event whose attributes are headers.
func (c *cloudEvents) binary() Item {
	m := Value{Kind: '{'}
	if c.request.Headers != nil {
		for name, value := range c.request.Headers {
			name = strings.ToLower(name)
			attribute, ok := strings.CutPrefix(name, "ce-")
			if !ok || m.Get(attribute).Exists() {
				continue
			}
			if decoded, err := url.PathUnescape(value); err == nil {
				value = decoded
			}
			m.Members = append(m.Members, Member{attribute, Value{Kind: '"', Text: strings.ToValidUTF8(value, "\ufffd")}})
		}
	}
	kind := c.request.Header("Content-Type")
	if kind != "" {
		m.Members = append(m.Members, Member{"datacontenttype", Value{Kind: '"', Text: strings.ToValidUTF8(kind, "\ufffd")}})
	}
	data := c.request.Body
	item := Item{Raw: data}
	if len(bytes.TrimSpace(data)) > 0 {
		member := Member{Name: "data"}
		switch {
		case isJSON(kind):
			v, reject := Parse(data, c.limits)
			if reject != nil {
				item.Reject = reject
				return item
			}
			member.Value = v
		case utf8.Valid(data):
			member.Value = Value{Kind: '"', Text: string(data)}
		default:
			member = Member{"data_base64", Value{Kind: '"', Text: base64.StdEncoding.EncodeToString(data)}}
		}
		m.Members = append(m.Members, member)
	}
	c.fill(&item, &m)
	return item
}

// isJSON reports whether a content type is that of JSON; none is taken for it, as the specification has it.
func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "" || strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
}

// structured reads an event that is JSON as a whole.
func (c *cloudEvents) structured(raw []byte) Item {
	item := Item{Raw: raw}
	m, reject := ParseEvent(raw, c.limits)
	if reject != nil {
		item.Reject = reject
		return item
	}
	if packed := m.Get("data_base64"); packed.Kind == '"' && isJSON(m.Get("datacontenttype").Name()) {
		// JSON that was packed all the same.
		if text, err := base64.StdEncoding.DecodeString(packed.Text); err == nil {
			if v, reject := Parse(text, c.limits); reject == nil && v.Object() && !m.Get("data").Exists() {
				*packed = Value{}
				m.Members = append(m.Members, Member{"data", v})
			}
		}
	}
	c.fill(&item, &m)
	return item
}

// cloudKnown are the attributes that become something else than a field of their name.
var cloudKnown = map[string]bool{"id": true, "type": true, "time": true, "data": true}

// fill makes the event of its attributes and its data.
func (c *cloudEvents) fill(item *Item, m *Value) {
	d := NewDraft(c.limits, c.clock)
	id, source := m.Get("id"), m.Get("source")
	for _, required := range []string{"specversion", "id", "source", "type"} {
		if v := m.Get(required); v.Kind != '"' || v.Text == "" {
			d.Refuse(ingest.BadEvent, required, "the attribute is required, as a string that is not empty")
		}
	}
	if version := m.Get("specversion").Text; version != "1.0" {
		d.Refuse(ingest.BadEvent, "specversion", "expected 1.0, found %.20q", version)
	}
	item.ID = id.Text
	d.SetName("type", m.Get("type").Text)
	d.SetID(cloudID(source.Text, id.Text, c.limits))
	data := m.Get("data")
	user := m.Get("subject").Name()
	if c.request.UserField != "" {
		user = memberAt(data, c.request.UserField).Name()
	}
	d.SetUser(user)
	if t := m.Get("time"); t.Exists() && t.Kind != '"' {
		d.Refuse(ingest.BadTime, "time", "expected a string, found %s", kindNames[t.Kind])
	} else {
		d.SetTime("time", t, c.clock, false)
	}
	if data.Object() {
		d.Properties("data", data)
	} else if data.Exists() {
		d.Property("data", data)
	}
	if d.Event.ID != source.Text+" "+id.Text {
		d.Envelope("cloudevent_id", id)
	}
	for i := range m.Members {
		if member := &m.Members[i]; !cloudKnown[member.Name] {
			d.Envelope(member.Name, &member.Value)
		}
	}
	item.Add(d)
}

// cloudID joins source and id, which has no white space of its own, into an insert id; what is too long for
// one is hashed.
func cloudID(source, id string, l *Limits) string {
	joined := source + " " + id
	if len(joined) <= l.IDBytes {
		return joined
	}
	sum := sha256.Sum256([]byte(joined))
	return hex.EncodeToString(sum[:])
}

// memberAt follows a dotted name into an object.
func memberAt(v *Value, name string) *Value {
	for {
		if m := v.Get(name); m.Kind != 0 {
			return m
		}
		first, rest, more := strings.Cut(name, ".")
		if !more {
			return &Value{}
		}
		v, name = v.Get(first), rest
	}
}

// Answer is that of /v1/events.
func (CloudEvents) Answer(r *Request, d *Decoded, outcomes []Outcome) Response {
	if err := notCommitted(outcomes); err != nil {
		return failOwn(err)
	}
	status := http.StatusOK
	if allRejected(outcomes) != nil {
		status = api.Status(api.CodeAllRejected)
	}
	return jsonResponse(status, eventsAnswer(d, outcomes, r.Query("verdicts") == "all"))
}

// eventsAnswer counts outcomes as /v1/events does, and lists those that are not ok, or all.
func eventsAnswer(d *Decoded, outcomes []Outcome, all bool) api.EventsAnswer {
	answer := api.EventsAnswer{Watermark: d.Watermark, Verdicts: []api.Verdict{}}
	for i, o := range outcomes {
		v := api.Verdict{Index: i, Verdict: o.Verdict}
		switch o.Verdict {
		case OK, Warning:
			answer.OK++
			v.Verdict = OK
		case Duplicate:
			answer.Duplicate++
			v.ID = d.Items[i].ID
		default:
			answer.Rejected++
			v.Reason, v.Field, v.Message = o.Reason, o.Field, o.Message
		}
		if all || v.Verdict != OK {
			answer.Verdicts = append(answer.Verdicts, v)
		}
	}
	return answer
}

// Fail answers as Cairn's own API does.
func (CloudEvents) Fail(_ *Request, err *api.Error) Response { return failOwn(err) }
