package protocol

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/event"
)

// arrival is when the requests of tests come.
var arrival = time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC)

// newRequest is the request of a method, a path with its parameters, header lines and a body.
func newRequest(method, target, body string, headers ...string) (*Request, *http.Request) {
	h := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Header.Set(name, value)
	}
	query := h.URL.Query()
	return &Request{
		Method: method, Body: []byte(body), WireBytes: len(body), Received: arrival, RemoteIP: "192.0.2.1",
		Query: query.Get, HasQuery: query.Has, Header: h.Header.Get,
	}, h
}

// route gives a request to the protocol whose path it is.
func route(t testing.TB, method, target, body string, headers ...string) (Protocol, *Request) {
	t.Helper()
	req, h := newRequest(method, target, body, headers...)
	r, ok := Find(method, h.URL.Path)
	if !ok {
		t.Fatalf("%s %s: no route", method, target)
	}
	req.Path, req.URLToken = r.Path, r.Token
	p := r.Pick(req)
	if p == nil {
		t.Fatalf("%s %s: no protocol", method, target)
	}
	return p, req
}

// decode reads a request that is right as a whole.
func decode(t testing.TB, method, target, body string, headers ...string) *Decoded {
	t.Helper()
	p, req := route(t, method, target, body, headers...)
	d, err := p.Decode(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	checkDecoded(t, req, d)
	return d
}

// checkDecoded holds what every decoder promises: each item is stored, a link, or rejected; never two of
// them; events are fit to be stored.
func checkDecoded(t testing.TB, req *Request, d *Decoded) {
	t.Helper()
	l := req.Limits
	l.EnsureDefaults()
	if len(d.Items) > l.Events {
		t.Fatalf("%d items", len(d.Items))
	}
	for i, item := range d.Items {
		if (item.Reject != nil) == (len(item.Events)+len(item.Links) > 0) {
			t.Fatalf("item %d: events %v, links %v, reject %v", i, item.Events, item.Links, item.Reject)
		}
		if item.Reject != nil && (item.Reject.Reason == "" || item.Reject.Message == "") {
			t.Fatalf("item %d: reject %+v", i, item.Reject)
		}
		for _, link := range item.Links {
			if link.Kind == "" || link.User == link.ID || event.IllegalID(link.User) || event.IllegalID(link.ID) || link.Source == "" {
				t.Fatalf("item %d: link %+v", i, link)
			}
		}
		for _, e := range item.Events {
			checkEvent(t, &l, e)
		}
	}
}

func checkEvent(t testing.TB, l *Limits, e event.Event) {
	t.Helper()
	if e.Name == "" || len(e.Name) > l.EventName || len(e.User) > l.UserBytes || len(e.ID) > l.IDBytes || e.Received != arrival.UnixNano() {
		t.Fatalf("event %+v", e)
	}
	seen := map[string]bool{}
	for _, f := range e.Fields {
		first, _, _ := strings.Cut(f.Name, ".")
		if seen[f.Name] || f.Value.IsAbsent() || reservedName(first) || len(f.Name) > l.NameBytes {
			t.Fatalf("field %q of %+v", f.Name, e)
		}
		seen[f.Name] = true
		if f.Name != event.FieldDots && strings.HasPrefix(f.Name, "\x00") {
			t.Fatalf("field %q", f.Name)
		}
		if f.Value.Kind() == event.KindString && f.Name != event.FieldDots && len(f.Value.AsString()) > l.StringBytes {
			t.Fatalf("field %q has %d bytes", f.Name, len(f.Value.AsString()))
		}
	}
	if len(e.Fields) > l.Fields+1 {
		t.Fatalf("%d fields", len(e.Fields))
	}
}

// text writes an event as JSON without its arrival.
func text(e event.Event) string {
	e.Received = 0
	e.Fields = slices.Clone(e.Fields)
	return string(event.AppendJSON(nil, &e))
}

// form writes a form of names and values.
func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
