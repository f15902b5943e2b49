package api

import (
	"encoding/json"
	"time"
)

// LookupsAnswer answers GET /v1/lookups: the tenant's side tables, by name.
type LookupsAnswer struct {
	Lookups []Lookup `json:"lookups"`
}

// Lookup describes a side table.
type Lookup struct {
	Name    string    `json:"name"`
	Keys    []string  `json:"keys"`
	Columns []string  `json:"columns"`
	Rows    int       `json:"rows"`
	Bytes   int       `json:"bytes"` // as it is stored
	Updated time.Time `json:"updated"`
}

// LookupAnswer answers GET /v1/lookups/{table}: the table's rows, with values as in QueryAnswer.
type LookupAnswer struct {
	Keys    []string            `json:"keys"`
	Columns []Column            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
}
