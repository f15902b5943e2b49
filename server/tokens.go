package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/server/access"
	"cairn/server/api"
	"cairn/server/protocol"
)

func listTokens(r *request) error {
	whose := r.grant.tenant
	if r.grant.operator && r.param("tenant") == "" {
		whose = "*"
	} else if _, err := r.knownTenant(); err != nil {
		return err
	}
	answer := api.TokensAnswer{Tokens: []api.Token{}}
	for _, one := range r.s.tokens.List(whose) {
		answer.Tokens = append(answer.Tokens, one.API())
	}
	return r.json(200, answer)
}

// createToken makes a token and tells its text, once.
func createToken(r *request) error {
	var body api.NewToken
	if err := r.decode(&body); err != nil {
		return err
	}
	want, err := r.wantedToken(&body)
	if err != nil {
		return err
	}
	made, text, err := r.s.tokens.Create(want, body.Import)
	if err != nil {
		return err
	}
	r.s.opt.Logger.Info("token created", "token", made.ID, "tenant", made.Tenant, "scopes", made.Scopes.String(), "by", r.who())
	return r.json(201, api.TokenMade{Token: made.API(), Text: text})
}

// wantedToken checks what a token is to be.
func (r *request) wantedToken(body *api.NewToken) (access.Token, error) {
	want := access.Token{Origins: body.Origins, Protocols: body.Protocols, HashIDs: body.HashIDs, UserMember: body.UserMember}
	var bad string
	var ok bool
	if want.Scopes, bad, ok = access.ParseScopes(body.Scopes); !ok {
		return want, badParameter("scopes", bad, "ingest, query or admin")
	}
	if body.Expires != nil {
		if want.Expires = body.Expires.UTC(); !want.Expires.After(r.s.opt.Now()) {
			return want, badParameter("expires", body.Expires.Format(time.RFC3339), "a time to come")
		}
	}
	for _, origin := range body.Origins {
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return want, badParameter("origins", origin, "scheme and host, such as https://shop.example")
		}
	}
	known := append(protocol.Names(), ownProtocol)
	for _, name := range body.Protocols {
		if !slices.Contains(known, name) {
			return want, badParameter("protocols", name, "one of "+strings.Join(known, ", "))
		}
	}
	return want, r.tokenOwner(body, &want)
}

// tokenOwner finds out whose the token is to be, and makes sure of it.
func (r *request) tokenOwner(body *api.NewToken, want *access.Token) error {
	anyTenant := r.grant.operator || r.grant.token == nil
	switch {
	case body.Tenant == "" && r.grant.operator && r.param("tenant") == "":
		return nil // another operator's
	case body.Tenant == "":
	case anyTenant && !(r.param("tenant") != "" && r.param("tenant") != body.Tenant):
		r.grant.tenant, r.grant.named = body.Tenant, true
	case body.Tenant != r.grant.tenant:
		return &api.Error{Code: api.CodeScope, Message: "the token may make tokens of its own tenant only"}
	}
	t, err := r.storedTenant()
	if err != nil {
		return err
	}
	want.Tenant = t.name
	return nil
}

// deleteToken revokes a token: from the answer on it is unknown.
func deleteToken(r *request) error {
	id, whose := r.params[0], r.grant.tenant
	if r.grant.operator {
		whose = "*"
		operators := r.s.tokens.List("")
		if len(operators) == 1 && operators[0].ID == id {
			return &api.Error{
				Code: api.CodeInUse, Message: "it is the last operator's token: nobody could administer the server any more",
				Hint: `make another one first: {"scopes": ["admin"]}`,
			}
		}
	} else if _, err := r.knownTenant(); err != nil {
		return err
	}
	found, err := r.s.tokens.Revoke(whose, id)
	if err != nil {
		return err
	}
	if !found {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("there is no token with the id %q", id)}
	}
	r.s.opt.Logger.Info("token revoked", "token", id, "by", r.who())
	return r.none(204)
}
