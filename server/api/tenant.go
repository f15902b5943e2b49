package api

import (
	"encoding/json"
	"time"
)

// TenantsAnswer answers GET /v1/tenants: the stored tenants, by name.
type TenantsAnswer struct {
	Tenants []Tenant `json:"tenants"`
}

// Tenant is a customer's settings.
type Tenant struct {
	Name string `json:"name"`
	// TZ is the IANA zone that cuts days; "" is UTC. A change applies from the first day without data.
	TZ   string `json:"tz"`
	Week string `json:"week"` // the first day of a week: mon, tue, …
	// RetentionDays is the number of whole days that are kept; 0 keeps all.
	RetentionDays int    `json:"retention_days"`
	Limits        Limits `json:"limits"` // those of its own
	// Suspended refuses every request of the tenant's tokens.
	Suspended bool `json:"suspended"`
}

// TenantAnswer answers GET /v1/tenants/{name}.
type TenantAnswer struct {
	Tenant
	Effective Limits     `json:"effective_limits"` // with the server's in place of those that it does not set
	Size      TenantSize `json:"size"`
}

// TenantSize says how much a tenant has stored.
type TenantSize struct {
	Rows       int        `json:"rows"`
	Users      int        `json:"users"`      // ids ever seen
	Partitions int        `json:"partitions"` // days, and longer ones of days with few events
	Segments   int        `json:"segments"`
	Bytes      int64      `json:"bytes"`     // of sealed segments
	HotRows    int        `json:"hot_rows"`  // not sealed yet
	HotBytes   int64      `json:"hot_bytes"` // of memory
	First      *time.Time `json:"first,omitempty"`
	Last       *time.Time `json:"last,omitempty"`
}

// NewTenant is the body of POST /v1/tenants. All but Name may be left out.
type NewTenant struct {
	Name string `json:"name"`
	TenantChange
}

// TenantChange is the body of PATCH /v1/tenants/{name}: what is left out stays as it is.
type TenantChange struct {
	TZ            *string `json:"tz,omitempty"`
	Week          *string `json:"week,omitempty"`
	RetentionDays *int    `json:"retention_days,omitempty"`
	// Limits has the members of Limits; 0 or null goes back to the server's.
	Limits    map[string]*int64 `json:"limits,omitempty"`
	Suspended *bool             `json:"suspended,omitempty"`
}

// IdentifyRequest is the body of POST /v1/identify: what an anonymous id did is the user's from now on,
// and the user has the properties. One of Anonymous, Set, SetOnce and Unset has to be there.
type IdentifyRequest struct {
	User      string `json:"user"`
	Anonymous string `json:"anonymous,omitempty"`
	ID        string `json:"id,omitempty"` // insert id: the same request again changes nothing
	// Time is RFC 3339 or a number, as in events; the arrival without it.
	Time    json.RawMessage            `json:"time,omitempty"`
	Set     map[string]json.RawMessage `json:"set,omitempty"`
	SetOnce map[string]json.RawMessage `json:"set_once,omitempty"`
	Unset   []string                   `json:"unset,omitempty"`
}

// AliasRequest is the body of POST /v1/alias: Alias is another id of User.
type AliasRequest struct {
	User  string          `json:"user"`
	Alias string          `json:"alias"`
	ID    string          `json:"id,omitempty"` // taken for symmetry: a link that is there already changes nothing
	Time  json.RawMessage `json:"time,omitempty"`
}
