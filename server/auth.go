package server

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"

	"cairn/server/access"
	"cairn/server/api"
)

// authorize finds out what the bearer of a request may do and refuses what its route is not for.
//
// Until a token of a tenant is made the server is open: whatever key a request shows, or none, is taken
// for the default tenant, with every scope, so that a first try needs no set-up. The first token closes
// it for good, also when it is revoked or expires. The operator's token opens the admin listener only, unless Options.AdminPublic.
func (r *request) authorize(need access.Scope, operator bool) error {
	key := r.headerKey()
	if operator {
		return r.authorizeOperator(key)
	}
	if need == 0 {
		return nil
	}
	return r.authorizeKey(key, need, "")
}

// authorizeKey is authorize for the key of a route of tenants. protocol is that of a vendor's route.
func (r *request) authorizeKey(key string, need access.Scope, protocol string) error {
	s := r.s
	var token *access.Token
	if key != "" {
		token = s.tokens.Find(key)
	}
	if token != nil && token.Operator() && !r.admin && !s.opt.AdminPublic {
		token = nil
	}
	if token == nil && s.open() {
		if err := r.local(); err != nil {
			return err
		}
		r.grant = grant{tenant: defaultTenant, scopes: access.All}
		if name := r.param("tenant"); name != "" && protocol == "" {
			r.grant.tenant, r.grant.named = name, true
		}
		return nil
	}
	switch {
	case key == "":
		return &api.Error{Code: api.CodeNoToken, Message: "a token is needed", Hint: "send the header: Authorization: Bearer <token>; cairn token create makes one"}
	case token == nil:
		return &api.Error{Code: api.CodeUnknownToken, Message: "the token is not known, has been revoked, or has expired"}
	}
	r.grant = grant{token: token, tenant: token.Tenant, scopes: token.Scopes}
	if token.Operator() {
		// The operator may do anything for any tenant, and has to say for which.
		r.grant.scopes, r.grant.operator = access.All, true
		if r.grant.tenant = r.param("tenant"); r.grant.tenant == "" {
			r.grant.tenant = defaultTenant
		}
		r.grant.named = true
	} else if name := r.param("tenant"); name != "" && name != token.Tenant && protocol == "" {
		return &api.Error{Code: api.CodeScope, Message: "the token is another tenant's"}
	}
	if !r.grant.scopes.Has(need) {
		return &api.Error{
			Code:    api.CodeScope,
			Message: fmt.Sprintf("the token is good for %s; this needs %s", r.grant.scopes, need),
		}
	}
	if origin := string(r.Request.Header.Peek("Origin")); !token.AllowsOrigin(origin) {
		return &api.Error{Code: api.CodeOrigin, Message: fmt.Sprintf("the token may not be used by pages of %s", origin)}
	}
	if protocol != "" && !token.AllowsProtocol(protocol) {
		return &api.Error{Code: api.CodeScope, Message: "the token is not for the protocol " + protocol}
	}
	return nil
}

func (r *request) authorizeOperator(key string) error {
	if !r.admin && !r.s.opt.AdminPublic {
		return &api.Error{Code: api.CodeNotFound, Message: "this is served on the admin listener only"}
	}
	if key == "" {
		return &api.Error{Code: api.CodeNoToken, Message: "the operator's token is needed", Hint: "it was printed at the first start; cairn token create --operator makes another"}
	}
	token := r.s.tokens.Find(key)
	switch {
	case token == nil:
		return &api.Error{Code: api.CodeUnknownToken, Message: "the token is not known, has been revoked, or has expired"}
	case !token.Operator():
		return &api.Error{Code: api.CodeScope, Message: "this needs the operator's token, and the token is a tenant's"}
	}
	r.grant = grant{token: token, scopes: access.Admin, operator: true}
	return nil
}

// open reports whether requests need no token.
func (s *Server) open() bool { return !s.tokens.Closed() }

// local refuses, while the server is open, requests to a name that is not this machine's: the page of a
// stranger could make a browser here send them, by a name that leads to the loopback address.
func (r *request) local() error {
	if r.s.opt.Insecure {
		return nil
	}
	const hint = "make a token with cairn token create, or start it with --insecure"
	if host := string(r.Host()); !loopback(host) {
		return &api.Error{
			Code:    api.CodeOrigin,
			Message: fmt.Sprintf("without tokens the server answers to this machine's own names only, not to %q", host),
			Hint:    hint,
		}
	}
	// Without a preflight a page could ask for what changes something, though not read the answer.
	origin := string(r.Request.Header.Peek("Origin"))
	_, host, _ := strings.Cut(origin, "://")
	if own := r.route != nil && !r.route.browser; own && origin != "" && (host == "" || !loopback(host)) {
		return &api.Error{Code: api.CodeOrigin, Message: fmt.Sprintf("without tokens pages of %s may send events and no more", origin), Hint: hint}
	}
	return nil
}

// loopback reports whether a host, with a port or without, is this machine by a name of its own; no
// host is, too.
func loopback(host string) bool {
	if host == "localhost" || host == "127.0.0.1" { // as nearly always, for every request asks
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "" || strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// headerKey returns the key in the Authorization header: a bearer's, or the user name of Basic (the
// password if there is no user name, as a few clients have it).
func (r *request) headerKey() string {
	return keyOfHeader(string(r.Request.Header.Peek("Authorization")))
}

func keyOfHeader(header string) string {
	kind, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(kind) {
	case "bearer":
		return rest
	case "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		user, password, _ := strings.Cut(string(text), ":")
		if user != "" {
			return user
		}
		return password
	}
	return ""
}

// Open reports whether the server needs no tokens, as there are none.
func (s *Server) Open() bool { return s.open() }

// FirstStart makes the operator's token if there never was one and returns its text, which is not kept;
// "" afterwards.
func (s *Server) FirstStart() (string, error) {
	if len(s.tokens.List("")) > 0 {
		return "", nil
	}
	_, text, err := s.tokens.Create(access.Token{Scopes: access.Admin}, "")
	if err != nil {
		return "", fmt.Errorf("make the operator's token: %w", err)
	}
	return text, nil
}
