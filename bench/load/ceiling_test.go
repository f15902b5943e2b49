package load

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestCeiling(t *testing.T) {
	if os.Getenv("CEIL") == "" {
		t.Skip()
	}
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	go fasthttp.Serve(ln, func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBodyString(`{"ok":1,"duplicate":0,"rejected":0,"watermark":"0:1","verdicts":[]}` + "\n")
	})
	o := Options{}
	o.ensureDefaults()
	p := &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}, address: ln.Addr().String()}
	for range 3 {
		ph, err := o.drive(context.Background(), p, makeRequests(10000, 1), 0, 2)
		fmt.Printf("%.0f req/s cpu %.1f µs %v\n", perSecond(ph.Requests, ph), 1e6*ph.ClientCPU/float64(ph.Requests), err)
	}
}
