package server

import (
	"encoding/json"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/server/api"
)

// handle is the one handler: it finds the route and keeps a panic in one request from ending the
// process and every other request with it.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	start := time.Now()
	id := strconv.FormatUint(s.requests.Add(1), 36)
	ctx.Response.Header.Set("X-Request-Id", id)
	defer func() {
		if p := recover(); p != nil {
			s.opt.Logger.Error("panic in a request", "request", id, "path", string(ctx.Path()), "panic", p, "stack", string(debug.Stack()))
			ctx.Response.Reset()
			ctx.Response.Header.Set("X-Request-Id", id)
			s.fail(ctx, &api.Error{Code: api.CodeInternal, Message: "an internal error; the server's log has more under this request id"})
		}
		s.opt.Logger.Debug("request", "request", id, "method", string(ctx.Method()), "path", string(ctx.Path()),
			"status", ctx.Response.StatusCode(), "bytes", len(ctx.Request.Body()), "duration", time.Since(start))
	}()
	s.route(ctx)
}

func (s *Server) route(ctx *fasthttp.RequestCtx) {
	path := string(ctx.Path())
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	switch path {
	case "/v1/events":
		s.only(ctx, s.postEvents, fasthttp.MethodPost)
	case "/v1/query":
		s.only(ctx, s.query, fasthttp.MethodGet, fasthttp.MethodPost)
	case "/v1/query/explain":
		s.only(ctx, s.explain, fasthttp.MethodGet, fasthttp.MethodPost)
	case "/healthz":
		s.only(ctx, func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, fasthttp.StatusOK, api.HealthAnswer{Status: "ok"}) },
			fasthttp.MethodGet, fasthttp.MethodHead)
	case "/readyz":
		s.only(ctx, s.ready, fasthttp.MethodGet, fasthttp.MethodHead)
	default:
		s.fail(ctx, &api.Error{
			Code:    api.CodeNotFound,
			Message: "there is no " + path,
			Hint:    "the routes are /v1/events, /v1/query, /v1/query/explain, /healthz and /readyz",
		})
	}
}

func (s *Server) only(ctx *fasthttp.RequestCtx, handler fasthttp.RequestHandler, methods ...string) {
	for _, m := range methods {
		if string(ctx.Method()) == m {
			handler(ctx)
			return
		}
	}
	ctx.Response.Header.Set("Allow", strings.Join(methods, ", "))
	s.fail(ctx, &api.Error{Code: api.CodeMethod, Message: string(ctx.Method()) + " is not possible here", Hint: "use " + strings.Join(methods, " or ")})
}

// ready tells a load balancer whether to send requests: no longer once the server is stopping.
func (s *Server) ready(ctx *fasthttp.RequestCtx) {
	if s.stopping.Load() {
		writeJSON(ctx, fasthttp.StatusServiceUnavailable, api.HealthAnswer{Status: "stopping"})
		return
	}
	writeJSON(ctx, fasthttp.StatusOK, api.HealthAnswer{Status: "ok"})
}

func writeJSON(ctx *fasthttp.RequestCtx, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // the types of package api always encode
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.SetBody(append(text, '\n'))
}
