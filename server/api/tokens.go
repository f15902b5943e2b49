package api

import "time"

// NewToken is the body of POST /v1/tokens.
type NewToken struct {
	Tenant string   `json:"tenant,omitempty"` // "": an operator's token, or that of the tenant whose admin asks
	Scopes []string `json:"scopes"`           // ingest, query, admin
	Import string   `json:"import,omitempty"` // the text, of another vendor's key
	// Expires is when the token stops being good; nil is never.
	Expires    *time.Time `json:"expires,omitempty"`
	Origins    []string   `json:"origins,omitempty"`   // web origins that may use it; none: all
	Protocols  []string   `json:"protocols,omitempty"` // that may be spoken with it; none: all
	HashIDs    bool       `json:"hash_ids,omitempty"`
	UserMember string     `json:"user_member,omitempty"`
}

// Token describes a token, without its text.
type Token struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant,omitempty"` // "": the operator's
	Scopes     []string   `json:"scopes"`
	Prefix     string     `json:"prefix"` // the first characters of its text
	Created    time.Time  `json:"created"`
	Expires    *time.Time `json:"expires,omitempty"`
	LastUsed   *time.Time `json:"last_used,omitempty"`
	Imported   bool       `json:"imported,omitempty"`
	Origins    []string   `json:"origins,omitempty"`
	Protocols  []string   `json:"protocols,omitempty"`
	HashIDs    bool       `json:"hash_ids,omitempty"`
	UserMember string     `json:"user_member,omitempty"`
}

// TokenMade answers POST /v1/tokens. Text is shown here and never again.
type TokenMade struct {
	Token
	Text string `json:"text"`
}

// TokensAnswer answers GET /v1/tokens, the oldest first.
type TokensAnswer struct {
	Tokens []Token `json:"tokens"`
}
