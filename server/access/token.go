// Package access says who may do what: tokens, and what each is good for.
//
// A token is a text that a client shows with every request. It belongs to a tenant and carries scopes:
// ingest tokens are public by nature, for they sit in apps, and can only write. The operator's token
// belongs to no tenant and manages tenants, tokens and backups. Of a token's text only the SHA-256 is
// kept, in a record of the engine:
//
//	record "token", tenant, id      → Token as JSON
//	record "token-used", tenant, id → when it was used last
//	record "access-closed"          → when the first token of a tenant was made
//
// Without the last one the directory is open: it is a first try, which needs no token.
package access

import (
	"slices"
	"strings"
	"time"
)

// Scope is a set of things that a token is good for.
type Scope uint8

// The scopes.
const (
	Ingest Scope = 1 << iota
	Query
	Admin
)

// All is every scope.
const All = Ingest | Query | Admin

var scopeNames = []struct {
	scope Scope
	name  string
}{{Ingest, "ingest"}, {Query, "query"}, {Admin, "admin"}}

// Has reports whether all of need is in s.
func (s Scope) Has(need Scope) bool { return s&need == need }

// Names returns the names of the scopes.
func (s Scope) Names() []string {
	var out []string
	for _, n := range scopeNames {
		if s.Has(n.scope) {
			out = append(out, n.name)
		}
	}
	return out
}

func (s Scope) String() string { return strings.Join(s.Names(), ", ") }

// ParseScopes reads names of scopes; false with the first that is none.
func ParseScopes(names []string) (Scope, string, bool) {
	var out Scope
	for _, name := range names {
		i := slices.IndexFunc(scopeNames, func(n struct {
			scope Scope
			name  string
		},
		) bool {
			return n.name == name
		})
		if i < 0 {
			return 0, name, false
		}
		out |= scopeNames[i].scope
	}
	return out, "", true
}

// Token is what is known of a token but its text. It is immutable.
type Token struct {
	ID      string    `json:"id"`
	Tenant  string    `json:"tenant,omitempty"` // "": the operator's
	Scopes  Scope     `json:"scopes"`
	Hash    string    `json:"hash"`   // SHA-256 of the text, in hex
	Prefix  string    `json:"prefix"` // the first characters of the text, for people
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	// Imported says that the text is another vendor's key, which released apps go on using.
	Imported bool `json:"imported,omitempty"`
	// Origins are the web origins that may use the token, such as https://shop.example; none: all.
	Origins []string `json:"origins,omitempty"`
	// Protocols are the names of those that may be spoken with it, such as segment; none: all.
	Protocols []string `json:"protocols,omitempty"`
	// HashIDs gives events without an insert id one made of their content, so that a repeat is found.
	HashIDs bool `json:"hash_ids,omitempty"`
	// UserMember names the member of a CloudEvent's data that is its user; "" takes the subject.
	UserMember string `json:"user_member,omitempty"`
}

// Operator reports whether the token belongs to no tenant.
func (t *Token) Operator() bool { return t.Tenant == "" }

// AllowsOrigin reports whether a web page of that origin may use the token. Requests without an origin
// do not come from web pages.
func (t *Token) AllowsOrigin(origin string) bool {
	return origin == "" || len(t.Origins) == 0 || slices.Contains(t.Origins, origin)
}

// AllowsProtocol reports whether the protocol may be spoken with the token.
func (t *Token) AllowsProtocol(name string) bool {
	return len(t.Protocols) == 0 || slices.Contains(t.Protocols, name)
}
