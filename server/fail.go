package server

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"cairn/engine"
	"cairn/query"
	"cairn/query/syntax"
	"cairn/server/api"
)

// fail answers with an error. Whatever is not an *api.Error by now has been given its code by coded.
func (s *Server) fail(ctx *fasthttp.RequestCtx, err error) {
	answer := *s.coded(err)
	answer.RequestID = string(ctx.Response.Header.Peek("X-Request-Id"))
	status := api.Status(answer.Code)
	switch status {
	case fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable:
		ctx.Response.Header.Set("Retry-After", "1")
	case fasthttp.StatusInternalServerError:
		s.opt.Logger.Error("request failed", "request", answer.RequestID, "path", string(ctx.Path()), "error", err)
	}
	writeJSON(ctx, status, api.ErrorAnswer{Error: answer})
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
	case errors.Is(err, query.ErrTimeout):
		return &api.Error{Code: api.CodeQueryTimeout, Message: err.Error(), Hint: "ask for a shorter time range, or fewer groups"}
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrClosed):
		return &api.Error{Code: api.CodeStopping, Message: "the server is stopping"}
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
	var small *fasthttp.ErrSmallBuffer
	var slow interface{ Timeout() bool }
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		drain(ctx)
		s.fail(ctx, &api.Error{Code: api.CodeBodyTooLarge, Message: "the body is larger than the limit; nothing was stored", Hint: "send fewer events a request, or compress the body"})
	case errors.As(err, &small):
		s.fail(ctx, &api.Error{Code: api.CodeHeaderTooLarge, Message: "the header of the request is too large"})
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, fasthttp.ErrTimeout):
		s.fail(ctx, &api.Error{Code: api.CodeRequestTimeout, Message: "the request did not come in time"})
	default:
		s.fail(ctx, &api.Error{Code: api.CodeBadRequest, Message: "the request is not HTTP: " + err.Error()})
	}
}

// drain reads what a client is still sending of a body that is too large, within bounds: one that is
// cut off while it writes may never see the answer.
func drain(ctx *fasthttp.RequestCtx) {
	const bytesMax, idleMax, totalMax = 64 << 20, 300 * time.Millisecond, 5 * time.Second
	conn := ctx.Conn()
	buf := make([]byte, 64<<10)
	end := time.Now().Add(totalMax)
	for n := 0; n < min(bytesMax, ctx.Request.Header.ContentLength()) && time.Now().Before(end); {
		if err := conn.SetReadDeadline(time.Now().Add(idleMax)); err != nil {
			return
		}
		read, err := conn.Read(buf)
		if err != nil {
			return
		}
		n += read
	}
}
