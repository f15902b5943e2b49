package server

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/valyala/fasthttp"

	"cairn/bench/workload"
	"cairn/engine"
)

// BenchmarkEvents is POST /v1/events of 64 clients without sockets or a disk.
func BenchmarkEvents(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			db, err := engine.Open("data", engine.Options{FS: vfs.NewMem()})
			if err != nil {
				b.Fatal(err)
			}
			s, err := New(db, Options{})
			if err != nil {
				b.Fatal(err)
			}
			g := workload.New(workload.Options{Events: 100_000, Days: 1})
			bodies := make([][]byte, 100_000/size)
			for i := range bodies {
				for range size {
					bodies[i] = g.Next(bodies[i])
				}
			}
			want := fmt.Appendf(nil, `{"ok":%d,"duplicate":0,"rejected":0,"watermark":"0:`, size)
			var next atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				var ctx fasthttp.RequestCtx
				ctx.Init(&fasthttp.Request{}, nil, nil)
				for p.Next() {
					ctx.Request.Reset()
					ctx.Response.Reset()
					ctx.Request.Header.SetMethod(fasthttp.MethodPost)
					ctx.Request.SetRequestURI("/v1/events")
					ctx.Request.Header.SetHost("localhost")
					ctx.Request.SetBodyRaw(bodies[next.Add(1)%int64(len(bodies))])
					s.handlePublic(&ctx)
					if ctx.Response.StatusCode() != 200 || !bytes.HasPrefix(ctx.Response.Body(), want) {
						b.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "events/s")
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
