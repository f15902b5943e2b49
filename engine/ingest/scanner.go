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
//
// The scanner makes one pass. It keeps the tree of keys that it has met, with what came after each,
// so that a key that comes where it came before costs one comparison (keys.go); strings are searched
// and hashed eight bytes at a time (text.go) and go straight into the dictionary of their column.
package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"cairn/engine/column"
)

// Scanner turns bytes into batches. It is reused for the next body or chunk and is used by one
// goroutine at a time; what it returns belongs to the caller.
type Scanner struct {
	opt       Options
	roles     roles
	times     timeReader
	eventName []byte
	builder   column.Builder

	// The tree of keys.
	root      *object
	treeBytes int
	epoch     uint32 // the batch, for key.field
	event     uint64 // the event, for key.seen

	// The bytes being scanned.
	data    []byte
	newline bool // a line end is white space
	out     *Result
	counted int // the position up to which out.Lines counts

	arrivals bool // an event of the batch has an arrival of its own, and so have all then
	joint    bool // the batch is that of several bodies

	// The event being scanned.
	has      uint8 // attributes, by role
	fields   int
	time     int64
	received int64
	dots     []dottedKey
	fail     failure
	resume   int // after a rejected event, or -1

	scratch, compact, nesting []byte

	size    int     // of the batch's bytes
	density float64 // events by byte, of the last batch

	csv csvState
}

// failure is why the current event is rejected.
type failure struct {
	at                     int
	reason, field, message string
}

// treeBytesMax bounds the tree of keys, which grows with every new key; beyond it the scanner
// starts a new one.
const treeBytesMax = 4 << 20

// NewScanner returns a scanner, or an error about the options.
func NewScanner(opt Options) (*Scanner, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	opt.EnsureDefaults()
	return &Scanner{opt: opt, roles: newRoles(&opt), times: newTimeReader(&opt), eventName: []byte(opt.EventName)}, nil
}

// SetReceived changes Options.Received and Options.TimeMax, for a scanner that is kept between requests.
func (s *Scanner) SetReceived(nanos, timeMax int64) { s.opt.Received, s.opt.TimeMax = nanos, timeMax }

// Reuse gives the scanner the batch of a result that nobody will read again, so that the next one is built
// in its memory: small bodies then cost next to no allocation.
func (s *Scanner) Reuse(b *column.Batch) { s.builder.Reuse(b) }

// Scan reads a whole body in the format of the options. It returns ErrEmpty when there is no
// event, a *SyntaxError when the borders of the events cannot be found, and no other error for
// JSON; for CSV also ErrHeader.
func (s *Scanner) Scan(body []byte) (*Result, error) {
	var result *Result
	var err error
	data := withoutBOM(body)
	switch s.opt.Format {
	case FormatCSV, FormatTSV:
		result, err = s.scanCSV(data)
	case FormatNDJSON:
		result = s.NDJSON(data)
	default:
		result, err = s.scanJSON(data)
	}
	if err == nil && result.Events == 0 {
		err = ErrEmpty
	}
	mark := int64(len(body) - len(data))
	if err != nil {
		var syntax *SyntaxError
		if errors.As(err, &syntax) {
			syntax.Offset += mark
		}
		return nil, err
	}
	if mark > 0 {
		result.Move(0, 0, mark)
	}
	return result, nil
}

func (s *Scanner) scanJSON(body []byte) (*Result, error) {
	s.data, s.newline = body, true
	start := s.space(0)
	switch {
	case start == len(body):
		return nil, ErrEmpty
	case s.at(start) == '[':
		s.begin(body)
		s.newline = true
		if err := s.elements(start+1, true, false); err != nil {
			s.abandon()
			return nil, err
		}
		return s.finish(), nil
	case s.opt.Format == FormatJSON || s.isOneValue(start):
		s.begin(body)
		s.newline = true
		end := s.one(start, false)
		if end < 0 && s.resume >= 0 {
			end = s.resume
			s.reject(start, end)
		}
		if end < 0 || !s.ends(end) {
			err := s.syntaxError()
			s.abandon()
			return nil, err
		}
		return s.finish(), nil
	}
	return s.NDJSON(body), nil
}

// ends reports whether only white space follows.
func (s *Scanner) ends(p int) bool {
	if p = s.space(p); p < len(s.data) {
		s.bad(p, "expected the end, found "+s.found(p))
		return false
	}
	return true
}

// isOneValue reports whether the body is one object over several lines rather than lines of objects.
func (s *Scanner) isOneValue(start int) bool {
	line, _, more := bytes.Cut(s.data[start:], []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	if !more || len(line) == 0 || line[0] != '{' || line[len(line)-1] == '}' {
		return false
	}
	end := s.skip(start)
	return end >= 0 && s.space(end) == len(s.data)
}

func withoutBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

// StartBatch starts a batch of several bodies, of about size bytes together. Until EndBatch each Scan adds
// one: its result has no Batch, and its events are those from the row that Rows was before. A Scan that fails
// may leave some too, which the caller leaves out. Many small bodies cost little more so than a large one.
func (s *Scanner) StartBatch(size int) {
	s.joint = true
	s.newBatch(size)
}

// Rows is the number of events in the batch so far.
func (s *Scanner) Rows() int { return s.builder.Len() }

// EndBatch ends the batch of several bodies and returns it.
func (s *Scanner) EndBatch() *column.Batch {
	s.joint = false
	batch := s.builder.Finish()
	if s.size >= growBytesMin {
		s.density = float64(batch.Rows) / float64(s.size)
	}
	return batch
}

func (s *Scanner) newBatch(size int) {
	if s.root == nil || s.treeBytes > treeBytesMax {
		s.root, s.treeBytes = &object{top: true}, 0
	}
	s.epoch++
	s.arrivals, s.size = false, size
	if size >= growBytesMin {
		s.builder.Grow(int(float64(size) * max(s.density, 1.0/512)))
	}
}

// growBytesMin is the size from which on it pays to set memory aside by what came of the last batch.
const growBytesMin = 64 << 10

// begin starts on data, with a batch of its own unless it belongs to one of several bodies.
func (s *Scanner) begin(data []byte) {
	s.data, s.newline, s.counted = data, false, 0
	s.out = &Result{Bytes: int64(len(data))}
	if !s.joint {
		s.newBatch(len(data))
	}
}

// finish ends the bytes, and the batch if it has no others.
func (s *Scanner) finish() *Result {
	out := s.out
	out.Lines += bytes.Count(s.data[s.counted:], []byte{'\n'})
	if !s.joint {
		out.Batch = s.EndBatch()
	}
	s.data, s.out = nil, nil
	return out
}

// abandon forgets the bytes, and the batch if it has no others.
func (s *Scanner) abandon() {
	if !s.joint {
		s.builder.Finish()
	}
	s.data, s.out = nil, nil
}

// NDJSON reads a chunk of whole lines, the last of which may lack its line end. Blank lines are
// passed over; a line that is not an event is rejected alone.
func (s *Scanner) NDJSON(chunk []byte) *Result {
	s.begin(chunk)
	p := 0
	for p < len(chunk) {
		start := s.space(p)
		if start == len(chunk) {
			break
		}
		if chunk[start] == '\n' {
			p = start + 1
			s.passLine(p)
			continue
		}
		end := s.one(start, true)
		if end < 0 {
			end = len(chunk)
			if n := bytes.IndexByte(chunk[s.fail.at:], '\n'); n >= 0 {
				end = s.fail.at + n
			}
			s.reject(start, end)
		}
		if p = end + 1; p <= len(chunk) {
			s.passLine(p)
		}
	}
	return s.finish()
}

// passLine counts the line that ends before p.
func (s *Scanner) passLine(p int) {
	s.out.Lines++
	s.counted = p
}

// elements reads the rest of an array from p. If first is set, p is after the opening bracket; if
// more is set, the array goes on after the bytes at hand, which then end with a comma.
func (s *Scanner) elements(p int, first, more bool) error {
	p = s.space(p)
	if s.at(p) == ']' && first {
		if !s.ends(p + 1) {
			return s.syntaxError()
		}
		return nil
	}
	for {
		if p = s.space(p); more && p == len(s.data) {
			return nil
		}
		end := s.one(p, false)
		if end < 0 {
			if end = s.resume; end < 0 {
				return s.syntaxError()
			}
			s.reject(p, end)
		}
		p = s.space(end)
		switch s.at(p) {
		case ',':
			p++
		case ']':
			if !s.ends(p + 1) {
				return s.syntaxError()
			}
			return nil
		default:
			s.bad(p, "expected a comma or a closing bracket after the event, found "+s.found(p))
			return s.syntaxError()
		}
	}
}

// paceEvents is how many events are read between two calls of Options.Pace: some 50 µs of work.
const paceEvents = 64

// beginEvent turns to the next event.
func (s *Scanner) beginEvent() {
	if s.event++; s.event%paceEvents == 0 && s.opt.Pace != nil {
		s.opt.Pace()
	}
	s.has, s.fields, s.dots = 0, 0, s.dots[:0]
	s.builder.Begin(0)
}

// one reads the event at p and returns the position after it, or -1 with s.fail set and nothing left
// in the builder. An event that stands on a line must be alone there. s.resume is then the end of a
// rejected event, if it has one: bad JSON is worse than any other reason.
func (s *Scanner) one(p int, line bool) int {
	s.beginEvent()
	end := -1
	if s.at(p) == '{' {
		end = s.object(s.root, p+1, 1)
	} else {
		s.refuse(p, BadEvent, "", "expected an object, found %s", valueNames[s.at(p)])
	}
	if end >= 0 && (!line || s.lineEnds(&end)) && s.fits(p, end) && s.complete(p) {
		if s.opt.KeepPositions {
			s.out.positions = append(s.out.positions, position{line: s.line(p), offset: int64(p)})
		}
		s.out.Events++
		return end
	}
	s.builder.Rollback()
	s.resume = -1
	if !line || s.fail.reason != BadJSON {
		reason := s.fail
		if end = s.skip(p); end >= 0 && (!line || s.lineEnds(&end)) {
			s.resume, s.fail = end, reason
		}
	}
	return -1
}

// lineEnds reports whether nothing but white space follows on the line, and moves end past it.
func (s *Scanner) lineEnds(end *int) bool {
	if s.at(*end) == '\n' {
		return true
	}
	p := s.space(*end)
	if p < len(s.data) && s.data[p] != '\n' {
		s.bad(p, "expected the end of the line, found "+s.found(p))
		return false
	}
	*end = p
	return true
}

func (s *Scanner) fits(start, end int) bool {
	if end-start <= s.opt.EventBytesMax {
		return true
	}
	s.refuse(start, EventTooLarge, "", "the event has %d bytes, more than %d", end-start, s.opt.EventBytesMax)
	return false
}

// reject records the current failure for the event in data[start:end].
func (s *Scanner) reject(start, end int) {
	r := Reject{
		Line: s.line(start), Index: s.out.Events, Offset: int64(s.fail.at),
		Reason: s.fail.reason, Field: s.fail.field, Message: s.fail.message,
	}
	if s.opt.KeepRaw {
		r.Raw = bytes.Clone(bytes.TrimRight(s.data[start:end], "\r"))
	}
	s.out.Rejects = append(s.out.Rejects, r)
	s.out.Events++
}

// line returns the number of the line that p is on; p never falls in a batch.
func (s *Scanner) line(p int) int {
	s.out.Lines += bytes.Count(s.data[s.counted:p], []byte{'\n'})
	s.counted = p
	return s.out.Lines + 1
}

// bad and refuse set why the current event fails, and return -1.
func (s *Scanner) bad(p int, message string) int {
	s.fail = failure{at: p, reason: BadJSON, message: message}
	return -1
}

func (s *Scanner) refuse(p int, reason, field, format string, args ...any) int {
	s.fail = failure{at: p, reason: reason, field: field, message: fmt.Sprintf(format, args...)}
	return -1
}

func (s *Scanner) syntaxError() *SyntaxError {
	line := s.out.Lines + 1 + bytes.Count(s.data[s.counted:max(s.counted, s.fail.at)], []byte{'\n'})
	return &SyntaxError{Offset: int64(s.fail.at), Line: line, Message: s.fail.message}
}

// found names what stands at p in a message.
func (s *Scanner) found(p int) string {
	if p >= len(s.data) {
		return "the end"
	}
	if s.data[p] == '\n' {
		return "the end of the line"
	}
	r, _ := utf8.DecodeRune(s.data[p:])
	return fmt.Sprintf("%q", r)
}
