package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/query"
	"cairn/query/schema"
	"cairn/query/syntax"
	"cairn/server/access"
	"cairn/server/api"
)

// fail answers with an error.
func (s *Server) fail(r *request, err error) {
	answer := *s.coded(err)
	answer.RequestID = r.id
	status := api.Status(answer.Code)
	r.retryAfter(status)
	if status == fasthttp.StatusUnauthorized {
		r.Response.Header.Set("WWW-Authenticate", `Bearer realm="cairn"`)
	}
	s.noteFailure(r, &answer, err)
	if err := r.json(status, api.ErrorAnswer{Error: answer}); err != nil {
		panic(err) // the types of package api always encode
	}
}

// retryAfter tells a client when to come again, unless a better time has been told.
func (r *request) retryAfter(status int) {
	switch status {
	case fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable:
		if len(r.Response.Header.Peek("Retry-After")) == 0 {
			r.Response.Header.Set("Retry-After", "1")
		}
	}
}

// refusedPause is the least time between two log lines about requests without a good token: whoever guesses
// tokens shall be seen, and not fill the log.
const refusedPause = time.Second

// logRefused logs a request without a good token, and how many there were since the last line.
func (s *Server) logRefused(r *request, code string) {
	refused := s.refused.count.Add(1)
	now := time.Now().UnixNano()
	last := s.refused.logged.Load()
	if now-last < int64(refusedPause) || !s.refused.logged.CompareAndSwap(last, now) {
		return
	}
	s.refused.count.Add(-refused)
	s.opt.Logger.Warn("request without a good token", "request", r.id, "code", code, "path", string(r.Path()), "address", r.remoteIP(), "requests", refused)
}

// noteFailure counts an error, and logs what went wrong on our side or looks like a guess.
func (s *Server) noteFailure(r *request, coded *api.Error, err error) {
	s.metrics.failure(coded.Code)
	switch api.Status(coded.Code) {
	case fasthttp.StatusUnauthorized:
		s.logRefused(r, coded.Code)
	case fasthttp.StatusInternalServerError:
		s.opt.Logger.Error("request failed", "request", r.id, "path", string(r.Path()), "error", err)
	}
}

// coded gives every error its code. Where none fits it is our own failure.
func (s *Server) coded(err error) *api.Error {
	var coded *api.Error
	var mistake *syntax.Error
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.As(err, &mistake):
		// The hint has a place of its own in the answer.
		bare := *mistake
		bare.Hint = ""
		return &api.Error{Code: api.CodeBadQuery, Message: bare.Error(), Line: mistake.Line, Column: mistake.Column, Hint: mistake.Hint}
	case errors.Is(err, query.ErrMemory):
		return &api.Error{Code: api.CodeQueryMemory, Message: err.Error()}
	case errors.Is(err, schema.ErrMemory):
		return &api.Error{Code: api.CodeQueryMemory, Message: err.Error(), Hint: "ask for a shorter time range, or raise the limit query_memory_bytes"}
	case errors.Is(err, query.ErrTimeout):
		return &api.Error{Code: api.CodeQueryTimeout, Message: err.Error(), Hint: "ask for a shorter time range, or fewer groups"}
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrClosed):
		return &api.Error{Code: api.CodeStopping, Message: "the server is stopping"}
	case errors.Is(err, errCancelled):
		return &api.Error{Code: api.CodeQueryCancelled, Message: err.Error()}
	case errors.Is(err, engine.ErrFailed):
		return &api.Error{Code: api.CodeInternal, Message: err.Error()}
	case errors.Is(err, access.ErrInvalid):
		return &api.Error{Code: api.CodeBadParameter, Message: err.Error()}
	case errors.Is(err, access.ErrExists):
		return &api.Error{Code: api.CodeExists, Message: err.Error()}
	case errors.Is(err, engine.ErrDropped):
		return &api.Error{Code: api.CodeNotFound, Message: "the tenant was dropped while the request was on its way"}
	case errors.Is(err, engine.ErrTenantName):
		return &api.Error{Code: api.CodeBadParameter, Message: err.Error()}
	case errors.Is(err, engine.ErrCorrupt):
		return &api.Error{Code: api.CodeCorruption, Message: err.Error()}
	default:
		return &api.Error{Code: api.CodeInternal, Message: err.Error()}
	}
}

// handleBroken answers what could not be read as a request.
func (s *Server) handleBroken(ctx *fasthttp.RequestCtx, err error) {
	r := &request{RequestCtx: ctx, s: s, id: s.idPrefix + strconv.FormatUint(s.requests.Add(1), 36)}
	ctx.Response.Header.Set("X-Request-Id", r.id)
	var small *fasthttp.ErrSmallBuffer
	var slow interface{ Timeout() bool }
	switch {
	case errors.As(err, &small):
		s.fail(r, &api.Error{Code: api.CodeHeaderTooLarge, Message: "the header of the request is too large"})
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, fasthttp.ErrTimeout):
		s.fail(r, &api.Error{Code: api.CodeRequestTimeout, Message: "the request did not come in time"})
	default:
		s.fail(r, &api.Error{Code: api.CodeBadRequest, Message: "the request is not HTTP: " + err.Error()})
	}
}
