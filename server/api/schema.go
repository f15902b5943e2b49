package api

import (
	"encoding/json"
	"time"
)

// SchemaEvents answers GET /v1/schema/events: a page of the names of events, ascending.
type SchemaEvents struct {
	Events []SchemaEvent `json:"events"`
	Cursor string        `json:"cursor,omitempty"` // of the next page; "" on the last
}

// SchemaEvent is a name of events. No event is before First or after Last, which may be off by a day.
type SchemaEvent struct {
	Name  string    `json:"name"`
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// SchemaFields answers GET /v1/schema/fields: a page of the fields of events by name, ascending.
type SchemaFields struct {
	Fields []SchemaField `json:"fields"`
	Cursor string        `json:"cursor,omitempty"`
}

// SchemaField is a field of events.
type SchemaField struct {
	Name  string   `json:"name"`
	Types []string `json:"types"`
	Count int64    `json:"count"` // events that have it
	Nulls int64    `json:"nulls"` // how often it is null
	// Distinct is the number of its values; DistinctError their standard error if they are estimated.
	Distinct      int64     `json:"distinct"`
	DistinctError float64   `json:"distinct_error,omitempty"`
	First         time.Time `json:"first"`
	Last          time.Time `json:"last"`
}

// SchemaValues answers GET /v1/schema/values: the most frequent values of a field.
type SchemaValues struct {
	Values   []SchemaValue `json:"values"`
	Complete bool          `json:"complete"` // these are all
	Distinct int64         `json:"distinct"` // how many there are
}

// SchemaValue is a value and how many events have it.
type SchemaValue struct {
	Value json.RawMessage `json:"value"`
	Count int64           `json:"count"`
}
