package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/valyala/fasthttp"
)

type bareCmd struct{}

// Run serves on a free port, whose address it prints, what clients send and nothing is done with: what an HTTP
// server takes that answers as Cairn does, with the library that Cairn uses.
func (c *bareCmd) Run(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &fasthttp.Server{
		NoDefaultServerHeader: true,
		MaxRequestBodySize:    64 << 20,
		Handler: func(r *fasthttp.RequestCtx) {
			lines := bytes.Count(r.PostBody(), []byte("\n"))
			r.SetContentType("application/json")
			r.SetBody(append(strconv.AppendInt([]byte(`{"ok":`), int64(lines), 10), `,"duplicate":0,"rejected":0,"verdicts":[]}`...))
		},
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	fmt.Println(ln.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := srv.Shutdown(); err != nil {
		return err
	}
	return <-served
}
