package main

import (
	"bytes"
	"context"
	"strconv"

	"github.com/valyala/fasthttp"
)

type bareCmd struct{}

// Run answers what clients send as Cairn does, with the library that Cairn uses, and does nothing with it.
func (c *bareCmd) Run(ctx context.Context) error {
	srv := &fasthttp.Server{
		NoDefaultServerHeader: true,
		MaxRequestBodySize:    64 << 20,
		Handler: func(r *fasthttp.RequestCtx) {
			lines := bytes.Count(r.PostBody(), []byte("\n"))
			r.SetContentType("application/json")
			r.SetBody(append(strconv.AppendInt([]byte(`{"ok":`), int64(lines), 10), `,"duplicate":0,"rejected":0,"verdicts":[]}`...))
		},
	}
	return serveUntil(ctx, srv.Serve, srv.ShutdownWithContext)
}
