package api

// Limits bound what one tenant may send and ask. 0 stands for the server's default.
type Limits struct {
	BodyBytes         int64 `json:"body_bytes,omitempty"`         // of a request on the wire
	BulkBodyBytes     int64 `json:"bulk_body_bytes,omitempty"`    // the same of the vendors' routes for batches
	ImportBodyBytes   int64 `json:"import_body_bytes,omitempty"`  // the same of Mixpanel's import
	UnpackedBytes     int64 `json:"unpacked_bytes,omitempty"`     // of a body after its Content-Encoding
	Events            int64 `json:"events,omitempty"`             // of a request
	EventBytes        int64 `json:"event_bytes,omitempty"`        // of an event as JSON
	Fields            int64 `json:"fields,omitempty"`             // of an event
	FieldNameBytes    int64 `json:"field_name_bytes,omitempty"`   // of a field's dotted name
	StringBytes       int64 `json:"string_bytes,omitempty"`       // of a string
	Depth             int64 `json:"depth,omitempty"`              // of objects and lists inside each other
	UserBytes         int64 `json:"user_bytes,omitempty"`         // of a user id
	EventNameBytes    int64 `json:"event_name_bytes,omitempty"`   // of an event's name
	IDBytes           int64 `json:"id_bytes,omitempty"`           // of an insert id
	InFlightBytes     int64 `json:"in_flight_bytes,omitempty"`    // of all bodies of the tenant that are being stored
	EventsPerSecond   int64 `json:"events_per_second,omitempty"`  // averaged over some seconds; -1: any number
	QueryMemoryBytes  int64 `json:"query_memory_bytes,omitempty"` // of one query
	QueryMilliseconds int64 `json:"query_milliseconds,omitempty"` // of one query
	Rows              int64 `json:"rows,omitempty"`               // of an answer
	EventRows         int64 `json:"event_rows,omitempty"`         // of an answer of raw events, streamed
	Queries           int64 `json:"queries,omitempty"`            // running at once; -1: the tenant's fair share
	LookupBytes       int64 `json:"lookup_bytes,omitempty"`       // of a side table
	LookupRows        int64 `json:"lookup_rows,omitempty"`        // of a side table
}
