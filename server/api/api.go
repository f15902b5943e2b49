// Package api holds the bodies of requests and answers of the HTTP interface. The server encodes
// them and clients written in Go decode them; it imports nothing but the standard library.
//
//	POST     /v1/events          NDJSON, a JSON array or one event → EventsAnswer
//	GET POST /v1/query           a query's text, or QueryRequest   → the result in the format asked for
//	GET POST /v1/query/explain   the same                          → what the query would read
//	GET      /healthz, /readyz                                     → HealthAnswer
//
// Every error is an ErrorAnswer, whatever the format asked for.
package api

// Verdicts of an event.
const (
	VerdictOK        = "ok"        // stored and durable
	VerdictDuplicate = "duplicate" // its insert id is stored already; nothing was done
	VerdictRejected  = "rejected"  // not stored; Reason and Message say why
)

// EventsAnswer answers POST /v1/events once all accepted events are on disk.
type EventsAnswer struct {
	OK        int `json:"ok"`
	Duplicate int `json:"duplicate"`
	Rejected  int `json:"rejected"`
	// Watermark names the state of the store that has these events; a query with it in "after" sees
	// them. It is empty when nothing was stored.
	Watermark string `json:"watermark,omitempty"`
	// Verdicts lists the events that are not ok, or all events with ?verdicts=all.
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is what became of one event of a request.
type Verdict struct {
	Index   int    `json:"index"` // from 0; of NDJSON the non-empty lines count
	Verdict string `json:"verdict"`
	ID      string `json:"id,omitempty"` // the insert id, of a duplicate
	Reason  string `json:"reason,omitempty"`
	Field   string `json:"field,omitempty"` // the part of the event that is wrong, if one is
	Message string `json:"message,omitempty"`
}

// QueryRequest is the JSON body of POST /v1/query; with GET the same names are parameters, and the
// query's text is q. All but Query may be empty.
type QueryRequest struct {
	Query   string `json:"query"`
	Name    string `json:"name,omitempty"` // of a saved query, in place of Query
	From    string `json:"from,omitempty"` // a time range for a query that has none
	To      string `json:"to,omitempty"`
	On      string `json:"on,omitempty"` // one day, in place of From and To
	TZ      string `json:"tz,omitempty"` // IANA zone, such as Asia/Shanghai
	Week    string `json:"week,omitempty"`
	Format  string `json:"format,omitempty"`  // json, ndjson, csv, parquet or text; else the Accept header says
	Limit   int    `json:"limit,omitempty"`   // rows at most
	Timeout string `json:"timeout,omitempty"` // such as 5s; only ever lowers the server's
	After   string `json:"after,omitempty"`   // a watermark: the answer includes what it names
	// Snapshot names the state of the store that is to be read, as meta has it; it may be gone.
	Snapshot string `json:"snapshot,omitempty"`
}

// HealthAnswer answers GET /healthz.
type HealthAnswer struct {
	Status string `json:"status"` // "ok"
}

// ErrorAnswer is the body of every answer that is not a success.
type ErrorAnswer struct {
	Error Error `json:"error"`
}

// Error says what went wrong, for programs (Code) and for people (Message).
type Error struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Line      int    `json:"line,omitempty"` // of the query's text, from 1
	Column    int    `json:"column,omitempty"`
	Hint      string `json:"hint,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	// Receipt is that of the erasure, of CodeUserErased.
	Receipt *Erasure `json:"receipt,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}
