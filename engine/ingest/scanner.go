// Package ingest turns bytes into batches of events: NDJSON, JSON arrays, CSV and TSV, in Cairn's
// own shape or mapped from a foreign one.
//
//	{"time":"2025-06-01T08:00:00.12Z","event":"app_open","user":"o6_bm","id":"a1",
//	 "scene":1011,"page":{"path":"/"},"fields":{"time":"any name is a field in here"}}
//
// Keys other than time, event, user and id are fields; objects become dotted fields (page.path),
// lists stay whole, as compact text. JSON is read strictly as RFC 8259 and I-JSON have it: repeated
// keys, invalid UTF-8, lone surrogates and numbers beyond a float64 are errors. A bad event becomes
// a Reject and leaves no trace in the batch; its neighbours are taken.
//
// A Scanner reads a body or a chunk of whole lines; Stream reads a file of any size with several of
// them in parallel.
package ingest

import "cairn/engine/column"

// Scanner turns bytes into batches. It is reused for the next body or chunk and is used by one
// goroutine at a time; what it returns belongs to the caller.
type Scanner struct {
	opt     Options
	builder column.Builder
}

// NewScanner returns a scanner; the options have been validated.
func NewScanner(opt Options) (*Scanner, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	opt.EnsureDefaults()
	return &Scanner{opt: opt}, nil
}

// SetReceived changes Options.Received and Options.TimeMax, for a scanner that is kept between requests.
func (s *Scanner) SetReceived(nanos, timeMax int64) { s.opt.Received, s.opt.TimeMax = nanos, timeMax }

// Scan reads a whole body in the format of the options. It returns ErrEmpty when there is no
// event, a *SyntaxError when the borders of the events cannot be found, and no other error for
// JSON; for CSV also ErrHeader.
func (s *Scanner) Scan(body []byte) (*Result, error) { return &Result{}, nil }

// NDJSON reads a chunk of whole lines, the last of which may lack its line end.
func (s *Scanner) NDJSON(chunk []byte) *Result { return &Result{} }
