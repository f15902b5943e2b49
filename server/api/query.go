package api

import "encoding/json"

// QueryAnswer is an answer of /v1/query as JSON. Clients written in Go read Rows by the types of Columns:
// integers beyond 2^53 are strings, times RFC 3339, durations numbers of seconds.
type QueryAnswer struct {
	Columns []Column            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
	Meta    json.RawMessage     `json:"meta"`
}

// Column is a column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}
