package protocol

import (
	"slices"
	"strings"
	"sync"
)

// Path is a place where a protocol is served: under the protocol's prefix, and bare, so that a client
// that takes only a host finds it.
type Path struct {
	// Pattern is the path without a slash at its end. A step "*" stands for a key.
	Pattern string
	Methods []string // nil: POST; OPTIONS is always allowed
	// Prefixed leaves out the bare path, which would be ambiguous.
	Prefixed bool
	// Claims tells requests to the bare path from those of other protocols, or of Cairn itself, that
	// use it too. nil: every request.
	Claims func(*Request) bool
	// Bodies says which limit of the server's holds for its bodies.
	Bodies Bodies
}

// Bodies are kinds of bodies, each of which has a limit of its own to its bytes as sent; the later are the larger
// ones, where nobody has set other limits.
type Bodies uint8

// UsualBodies are those of all paths that say nothing else.
const (
	UsualBodies Bodies = iota
	ImportBodies
	BulkBodies
)

// vendor is a protocol and the prefix of its paths. Protocols of one vendor share theirs.
type vendor struct {
	prefix   string
	protocol Protocol
}

// vendors lists all protocols. Where paths collide, the first that claims a request has it.
var vendors = []vendor{
	{"/segment", Segment{}},
	{"/mixpanel", Mixpanel{}},
	{"/amplitude", Amplitude{}},
	{"/sensors", Sensors{}},
	{"/posthog", PostHog{}},
	{"/posthog", PostHogV1{}},
	{"/ga4", GA4{}},
	{"", CloudEvents{}}, // nobody's, so without a prefix
}

// table has the paths of vendors by pattern. It is made on first use, when all that protocols are made of is there.
var table = sync.OnceValue(func() map[string][]candidate {
	t := make(map[string][]candidate)
	for _, v := range vendors {
		for _, p := range v.protocol.Paths() {
			if !p.Prefixed {
				t[p.Pattern] = append(t[p.Pattern], candidate{path: p, protocol: v.protocol})
			}
			if v.prefix == "" {
				continue
			}
			p.Claims = nil
			t[v.prefix+p.Pattern] = append(t[v.prefix+p.Pattern], candidate{path: p, protocol: v.protocol})
		}
	}
	return t
})

// starred are the patterns with a "*", taken apart.
var starred = sync.OnceValue(func() (patterns [][]string) {
	for pattern := range table() {
		if strings.Contains(pattern, "*") {
			patterns = append(patterns, strings.Split(pattern, "/"))
		}
	}
	return patterns
})

// candidate is a protocol that may be meant by a path.
type candidate struct {
	path     Path
	protocol Protocol
}

// Route is a path that belongs to one or several protocols.
type Route struct {
	Path   string // for Request.Path
	Token  string // for Request.URLToken
	Allow  string // the methods of the path: "POST, OPTIONS"
	Bodies Bodies // the largest kind of its protocols'

	candidates []candidate
}

// Find returns the route of a path, with or without a slash at its end; false: no protocol is served
// there. A route whose method does not fit picks no protocol; answer 405 with Route.Allow. OPTIONS is
// left to the caller.
func Find(method, path string) (Route, bool) {
	path = strings.TrimSuffix(path, "/")
	found, token := table()[path], ""
	if found == nil {
		if found, token = findStarred(path); found == nil {
			return Route{}, false
		}
	}
	r := Route{Path: found[0].path.Pattern, Token: token}
	var methods []string
	for _, c := range found {
		allowed := c.path.Methods
		if allowed == nil {
			allowed = []string{"POST"}
		}
		for _, m := range allowed {
			if !slices.Contains(methods, m) {
				methods = append(methods, m)
			}
		}
		if slices.Contains(allowed, method) {
			r.candidates = append(r.candidates, c)
			r.Bodies = max(r.Bodies, c.path.Bodies)
		}
	}
	r.Allow = strings.Join(append(methods, "OPTIONS"), ", ")
	return r, true
}

// findStarred looks for a pattern with a key in it.
func findStarred(path string) (found []candidate, token string) {
	steps := strings.Split(path, "/")
	for _, pattern := range starred() {
		if len(pattern) != len(steps) {
			continue
		}
		token = ""
		for i, step := range pattern {
			if step == "*" && steps[i] != "" {
				token = steps[i]
			} else if step != steps[i] {
				token = ""
				break
			}
		}
		if token != "" {
			return table()[strings.Join(pattern, "/")], token
		}
	}
	return nil, ""
}

// Serves reports whether a protocol is served at the path by the method that Find was asked for.
func (r *Route) Serves() bool { return len(r.candidates) > 0 }

// Pick returns the protocol of a request to the route, looking into the body where several use the path;
// nil: no protocol claims it, so that it is Cairn's own if Cairn has the path, and else bad.
func (r *Route) Pick(req *Request) Protocol {
	for _, c := range r.candidates {
		if c.path.Claims == nil || c.path.Claims(req) {
			return c.protocol
		}
	}
	return nil
}
