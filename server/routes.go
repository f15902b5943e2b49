package server

import (
	"fmt"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"cairn/server/access"
	"cairn/server/api"
	"cairn/server/protocol"
)

// route is one path and method.
type route struct {
	method string
	path   string // parts in braces stand for any text: /v1/users/{id}
	// scope is what a token must be good for; 0 is for anybody. operator asks for the operator's token.
	scope    access.Scope
	operator bool
	adminOn  bool // served on the admin listener only, unless Options.AdminPublic
	browser  bool // pages of other origins may call it (CORS)
	answer   handler
	doc      routeDoc

	parts  []string
	shared bool // with another vendor's protocol
}

const (
	get    = fasthttp.MethodGet
	post   = fasthttp.MethodPost
	put    = fasthttp.MethodPut
	patch  = fasthttp.MethodPatch
	remove = fasthttp.MethodDelete
)

// router finds the route of a path. It is immutable.
type router struct {
	static map[string][]*route // by path, of those without braces
	others []*route
	all    []*route
}

func newRouter(routes []*route) *router {
	out := &router{static: make(map[string][]*route), all: routes}
	for _, r := range routes {
		if strings.Contains(r.path, "{") {
			r.parts = strings.Split(r.path, "/")
			out.others = append(out.others, r)
		} else {
			_, r.shared = protocol.Find(post, r.path)
			out.static[r.path] = append(out.static[r.path], r)
		}
	}
	return out
}

// find returns the routes of a path, of all methods, with the texts that stand for names in braces. raw
// is the path as it was sent: a slash or dots that are written %2F and %2E belong to a name, and take
// nobody to another path. path is the same, made plain.
func (t *router) find(raw, path string) ([]*route, []string) {
	if found := t.static[raw]; found != nil {
		return found, nil
	}
	var found []*route
	var params []string
	parts := strings.Split(raw, "/")
	for _, r := range t.others {
		if texts, ok := matchParts(r.parts, parts); ok {
			found, params = append(found, r), texts
		}
	}
	if found == nil {
		return t.static[path], nil
	}
	return found, params
}

// nameMax bounds a name in a path; users have the longest.
const nameMax = 1 << 10

// checkParams refuses what can be no name of anything.
func checkParams(params []string) error {
	for _, text := range params {
		switch {
		case len(text) > nameMax:
			return &api.Error{Code: api.CodeBadParameter, Message: fmt.Sprintf("a name in the path has %d bytes, at most %d are possible", len(text), nameMax)}
		case !utf8.ValidString(text):
			return &api.Error{Code: api.CodeBadParameter, Message: "a name in the path is not UTF-8"}
		}
	}
	return nil
}

func matchParts(pattern, parts []string) ([]string, bool) {
	if len(pattern) != len(parts) {
		return nil, false
	}
	var texts []string
	for i, p := range pattern {
		switch {
		case strings.HasPrefix(p, "{"):
			text, err := url.PathUnescape(parts[i])
			if err != nil || text == "" {
				return nil, false
			}
			texts = append(texts, text)
		case p != parts[i]:
			return nil, false
		}
	}
	return texts, true
}

func (s *Server) handlePublic(ctx *fasthttp.RequestCtx) { s.handle(ctx, false) }
func (s *Server) handleAdmin(ctx *fasthttp.RequestCtx)  { s.handle(ctx, true) }

var headerRequestID = []byte("X-Request-Id")

// handle is the one handler: it finds the route and keeps a panic in one request from ending the
// process and every other request with it.
func (s *Server) handle(ctx *fasthttp.RequestCtx, admin bool) {
	start := time.Now()
	r := &request{RequestCtx: ctx, s: s, admin: admin}
	r.lease = lease{process: &s.inFlight, processLimit: s.opt.InFlightBytes}
	var number [20]byte
	r.id = s.idPrefix + string(strconv.AppendUint(number[:0], s.requests.Add(1), 36))
	ctx.Response.Header.SetCanonical(headerRequestID, []byte(r.id))
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Add(1)
			s.opt.Logger.Error("panic in a request", "request", r.id, "path", string(ctx.Path()), "panic", p, "stack", string(debug.Stack()))
			ctx.Response.Reset()
			ctx.Response.Header.SetCanonical(headerRequestID, []byte(r.id))
			ctx.SetConnectionClose()
			s.fail(r, &api.Error{Code: api.CodeInternal, Message: "an internal error; the server's log has more under this request id"})
		}
		r.releaseBody()
		s.metrics.request(r, time.Since(start))
		s.logRequest(r, start)
	}()
	if err := s.dispatch(r); err != nil {
		s.fail(r, err)
	}
	r.drain()
}

func (s *Server) dispatch(r *request) error {
	path, raw := trimSlash(string(r.Path())), trimSlash(string(r.URI().PathOriginal()))
	if s.stopping.Load() {
		r.SetConnectionClose()
	}
	method := string(r.Method())
	if method == fasthttp.MethodHead {
		method = get
	}
	found, params := s.router.find(raw, path)
	var where protocol.Route
	vendors := false
	if len(found) == 0 || found[0].shared {
		if where, vendors = protocol.Find(method, path); vendors {
			if answered, err := s.vendor(r, where); answered {
				return err
			}
		}
	}
	preflight := method == fasthttp.MethodOptions
	var allow []string
	elsewhere := false // on the other listener
	for _, one := range found {
		if one.adminOn && !r.admin && !s.opt.AdminPublic {
			elsewhere = true
			continue
		}
		allow = append(allow, one.method)
		if one.browser && (preflight || method == one.method) {
			r.allowOrigin(preflight)
		}
		if one.method != method {
			continue
		}
		r.route, r.params = one, params
		if err := r.authorize(one.scope, one.operator); err != nil {
			return err
		}
		if err := checkParams(params); err != nil {
			return err
		}
		return one.answer(r)
	}
	if vendors {
		allow = append(allow, where.Allow)
	}
	switch {
	case len(allow) > 0:
		r.Response.Header.Set("Allow", strings.Join(allow, ", "))
		if preflight {
			return r.none(fasthttp.StatusNoContent)
		}
		return &api.Error{Code: api.CodeMethod, Message: string(r.Method()) + " is not possible here", Hint: "use " + strings.Join(allow, " or ")}
	case elsewhere:
		return &api.Error{Code: api.CodeNotFound, Message: path + " is served on the admin listener only"}
	}
	return &api.Error{Code: api.CodeNotFound, Message: "there is no " + path, Hint: "GET /openapi.json lists what there is"}
}

func trimSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// allowOrigin lets the pages of any origin call the route and read its answer. That is safe, as no
// cookie is ever looked at: a page has to know a token.
func (r *request) allowOrigin(preflight bool) {
	origin := r.Request.Header.Peek("Origin")
	if len(origin) == 0 {
		return
	}
	h := &r.Response.Header
	h.SetBytesV("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
	h.Add("Vary", "Origin")
	if !preflight {
		return
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	if asked := r.Request.Header.Peek("Access-Control-Request-Headers"); len(asked) > 0 {
		h.SetBytesV("Access-Control-Allow-Headers", asked)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", "86400")
}
