package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"

	"cairn/server/access"
	"cairn/server/api"
)

// request is one request on its way through a handler. Its memory, and all that it returns of the
// request's own, is used again afterwards: what is kept longer is copied.
type request struct {
	*fasthttp.RequestCtx
	s      *Server
	id     string
	admin  bool // it came to the admin listener
	route  *route
	params []string // the parts of the path that stand for {names}
	grant  grant
	owner  *tenant // resolved by tenant
	lease  lease
	body   *bodyBuffer // nil: not read
	// bodyRead says that the body has been read to its end.
	bodyRead bool
	note     string // of the log
}

// handler answers a request; an error is turned into an answer by its caller.
type handler func(r *request) error

// param returns a parameter of the address.
func (r *request) param(name string) string { return string(r.QueryArgs().Peek(name)) }

// flag reads a parameter that is there or not: name=1, name=true, or the name alone.
func (r *request) flag(name string) (bool, error) {
	if !r.QueryArgs().Has(name) {
		return false, nil
	}
	switch v := r.param(name); v {
	case "", "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		return false, badParameter(name, v, "1 or 0")
	}
}

// tenant returns the tenant that the request is about, which may not be stored yet.
func (r *request) tenant() (*tenant, error) {
	if r.owner != nil {
		return r.owner, nil
	}
	t, err := r.s.tenants.get(r.grant.tenant)
	if err != nil {
		return nil, err
	}
	if t.state.Load().suspended && !r.grant.operator {
		return nil, &api.Error{Code: api.CodeTenantSuspended, Message: fmt.Sprintf("the tenant %s is suspended", t.name)}
	}
	r.owner = t
	return t, nil
}

// knownTenant is tenant for reading: one that nobody has written to is not found, except the tenant
// of a token and the default one, which are merely empty.
func (r *request) knownTenant() (*tenant, error) {
	if r.grant.named && r.grant.tenant != defaultTenant && !r.s.db.Exists(r.grant.tenant) {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no tenant %q", r.grant.tenant)}
	}
	return r.tenant()
}

// json answers with a value as JSON.
func (r *request) json(status int, body any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // for people; the content type keeps browsers from reading it as HTML
	if err := encoder.Encode(body); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	r.SetStatusCode(status)
	r.SetContentType("application/json")
	r.Response.Header.Set("X-Content-Type-Options", "nosniff")
	r.SetBody(text.Bytes())
	return nil
}

// none answers without a body.
func (r *request) none(status int) error {
	r.SetStatusCode(status)
	r.Response.Header.SetContentLength(0)
	return nil
}

// decode reads the body as JSON into a value, strictly: an unknown member is likely a misspelt one.
func (r *request) decode(to any) error {
	body, err := r.readBody(smallBody)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return &api.Error{Code: api.CodeBadJSON, Message: "the body: " + err.Error()}
	}
	if decoder.More() {
		return &api.Error{Code: api.CodeBadJSON, Message: "the body has more than one JSON value"}
	}
	return nil
}

// who names the bearer for logs and receipts.
func (r *request) who() string {
	switch {
	case r.grant.token != nil:
		return "token " + r.grant.token.ID
	default:
		return "anybody"
	}
}

// grant says what a request may do.
type grant struct {
	token    *access.Token // nil without one
	tenant   string
	scopes   access.Scope
	operator bool
	named    bool // the tenant was named by the request, not by a token
}
