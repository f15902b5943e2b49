// Package protocol reads what other vendors' clients send and writes what they expect back. It knows no
// server and no store: a Protocol turns a request into events, links and rejects, and what became of
// those into an answer. Whoever serves it unpacks bodies, checks keys and limits of rate, and stores.
//
//	route, ok := protocol.Find(method, path)          whose path it may be
//	p := route.Pick(&request)                         whose it is, by the body where paths collide
//	decoded, err := p.Decode(&request)                keys, events, links, rejects
//	…the keys are looked up, the events stored…
//	response := p.Answer(&request, decoded, outcomes)  or p.Fail(&request, err)
//
// Rules that all protocols share are here: strict JSON (json.go), fields and their names (draft.go),
// times and the skew of clocks (clock.go), the operations on profiles (profile.go), links (link.go).
// Each protocol then is a file of its own.
package protocol

import (
	"iter"
	"time"

	"cairn/engine/event"
	"cairn/server/api"
)

// Request is what a protocol sees of an HTTP request. Its memory is the caller's and is valid until the
// answer has been made.
type Request struct {
	Method string
	Path   string // Route.Path: without a vendor's prefix, a token in it, and a slash at its end
	// Query and Header return the first value of a parameter or header, or "". HasQuery tells an empty
	// parameter from none.
	Query, Header func(name string) string
	HasQuery      func(name string) bool
	// Headers yields every header line; nil yields none. Names come in any case.
	Headers iter.Seq2[string, string]
	// Body is unpacked: a Content-Encoding is undone, and gzip that only its first bytes tell of.
	Body []byte
	// Gunzip unpacks gzip that is hidden in a form or a parameter, within the limits and the memory of the
	// request; nil: within fixed limits.
	Gunzip    func(packed []byte) ([]byte, error)
	WireBytes int       // of the body before it was unpacked
	Received  time.Time // the server's clock when the request came
	RemoteIP  string    // of the connection
	URLToken  string    // Route.Token: the key in the path, where the protocol has one there
	UserField string    // of the token: the member of a CloudEvent's data that names the user; "": its subject
	Limits    Limits    // of the tenant, or the defaults while it is not known
}

// Decoded is what a request says. Items and their events share no memory with the request but for Item.Raw.
type Decoded struct {
	// Keys are the vendor keys found in body, parameters and headers, each once. None: no_token; several:
	// mixed_tokens.
	Keys []string
	// Items holds one for every event of the body, in its order.
	Items []Item
	// Ignored counts what is taken and not stored by design, such as session recordings.
	Ignored int
	// Watermark is set by whoever stored the events, for protocols that tell it to the client.
	Watermark string
	// Reply, if set, is the answer once the key is known: there is nothing to store.
	Reply *Response
}

// addKey notes a key that was found.
func (d *Decoded) addKey(key string) {
	if key == "" {
		return
	}
	for _, known := range d.Keys {
		if known == key {
			return
		}
	}
	d.Keys = append(d.Keys, key)
}

// Item is one event as the client counts them.
type Item struct {
	// Events is what it became: the event, and a $profile event if it says something of the user's
	// profile. Empty with a Reject, and for what is only a link.
	Events []event.Event
	// Links are to be made after the events are stored.
	Links []Link
	// Reject says why nothing of it is stored; nil if it is.
	Reject *Reject
	// Warning says that the event is stored but not what it says of links or of its user's profile; nil if
	// all of it is.
	Warning *Reject
	Raw     []byte // its JSON as it came; the request's memory
	ID      string // what the vendor's answer names it by; may be ""
}

// Reject is a reason why an event is not stored, a link not made, or a profile not changed.
type Reject struct {
	Reason  string // a reason of the package engine/ingest, or ReasonIllegalID
	Field   string // the part at fault, or ""
	Message string // for people
}

// Outcome is what became of one item.
type Outcome struct {
	Verdict string // one of the constants below
	Reject         // of a rejected item, or of what a warning is about
}

// What becomes of an item: the verdicts of api, and two more.
const (
	OK        = api.VerdictOK
	Duplicate = api.VerdictDuplicate
	Warning   = "warning" // stored, but a link or a change of the profile was refused
	Rejected  = api.VerdictRejected
	Retry     = "retry" // not committed; the client should send it again
)

// severity orders verdicts from good to bad.
func severity(verdict string) int {
	switch verdict {
	case OK:
		return 0
	case Duplicate:
		return 1
	case Warning:
		return 2
	case Rejected:
		return 3
	}
	return 4
}

// Worse returns the worse of two outcomes of one item, the first if they are alike.
func Worse(a, b Outcome) Outcome {
	if severity(b.Verdict) > severity(a.Verdict) {
		return b
	}
	return a
}

// Outcome is what is known of an item before anything is stored: its reject, its warning or OK.
func (it *Item) Outcome() Outcome {
	switch {
	case it.Reject != nil:
		return Outcome{Rejected, *it.Reject}
	case it.Warning != nil:
		return Outcome{Warning, *it.Warning}
	}
	return Outcome{Verdict: OK}
}

// Response is an answer. CORS, Retry-After and the request's id are added by whoever serves it.
type Response struct {
	Status      int
	ContentType string // "" without a body
	Headers     []Header
	Body        []byte
	// Hangup asks for the connection to be closed in place of the answer: for clients that take any answer
	// for a success and would lose what they are to send again.
	Hangup bool
}

// Header is a header line of a Response.
type Header struct{ Name, Value string }

// Protocol is one vendor's protocol. It keeps no state: its methods may be called from any goroutine.
type Protocol interface {
	// Name is what the protocol is called in tokens, metrics and rejects: "segment".
	Name() string
	// Paths lists where it is served.
	Paths() []Path
	// Decode reads a request. The error is an *api.Error: nothing of the request can be stored. A Decoded
	// may come with it, for the keys that were found.
	Decode(*Request) (*Decoded, error)
	// Answer says what became of the items of a request, outcomes[i] being that of Items[i].
	Answer(*Request, *Decoded, []Outcome) Response
	// Fail answers a request of which nothing was stored: the error of Decode, a key that is missing or
	// unknown, or a server that is overloaded.
	Fail(*Request, *api.Error) Response
}
