package server

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"cairn/engine/event"
	"cairn/query/result"
	"cairn/server/api"
)

const (
	rejectsMax     = 1000    // kept of a tenant
	rejectBytesMax = 4 << 10 // kept of an event
)

// rejects are the latest rejected events of a tenant, for clients whose protocol cannot be told. They
// are in memory only.
type rejects struct {
	sync.Mutex
	list []api.RejectedEvent // a ring
	next int
}

// add notes a rejected event; raw is copied.
func (r *rejects) add(now time.Time, protocol, reason, message string, raw []byte) {
	one := api.RejectedEvent{Received: now.UTC(), Protocol: protocol, Reason: reason, Message: message}
	switch {
	case len(raw) <= rejectBytesMax && json.Valid(raw):
		one.Event = slices.Clone(raw)
	default:
		one.Text = string(raw[:min(len(raw), rejectBytesMax)])
	}
	r.Lock()
	defer r.Unlock()
	if len(r.list) < rejectsMax {
		r.list = append(r.list, one)
		return
	}
	r.list[r.next] = one
	r.next = (r.next + 1) % rejectsMax
}

// appendEvent writes an event as JSON, for people.
func appendEvent(dst []byte, e *event.Event) []byte {
	text := func(name, value string) {
		if value != "" {
			dst = result.AppendValue(append(strconv.AppendQuote(append(dst, ','), name), ':'), event.String(value), time.UTC)
		}
	}
	dst = append(dst, `{"time":`...)
	dst = result.AppendValue(dst, event.Time(e.Time), time.UTC)
	text("event", e.Name)
	text("user", e.User)
	text("id", e.ID)
	for _, f := range e.Fields {
		dst = result.AppendValue(append(dst, ','), event.String(f.Name), time.UTC)
		dst = result.AppendValue(append(dst, ':'), f.Value, time.UTC)
	}
	return append(dst, '}')
}

// latest returns up to n rejected events, the newest first.
func (r *rejects) latest(n int) []api.RejectedEvent {
	r.Lock()
	defer r.Unlock()
	out := make([]api.RejectedEvent, 0, min(n, len(r.list)))
	for i := range min(n, len(r.list)) {
		out = append(out, r.list[(r.next+len(r.list)-1-i)%len(r.list)])
	}
	return out
}

// getRejects answers GET /v1/rejects.
func getRejects(r *request) error {
	n, err := r.number("limit", 100, 1, rejectsMax)
	if err != nil {
		return err
	}
	t, err := r.tenant()
	if err != nil {
		return err
	}
	return r.json(200, api.RejectsAnswer{Rejects: t.rejects.latest(n)})
}

// number reads a parameter that is a whole number in a range.
func (r *request) number(name string, standard, least, most int) (int, error) {
	text := r.param(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badParameter(name, text, "a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}
