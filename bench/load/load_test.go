package load

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

const acknowledgement = `{"ok":2,"duplicate":0,"rejected":0,"watermark":"0:1","verdicts":[]}` + "\n"

// fake serves a handler in this process.
func fake(t *testing.T, handler fasthttp.RequestHandler) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler, CloseOnShutdown: true}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}, address: ln.Addr().String()}
}

func options() *Options {
	o := &Options{Connections: 4}
	o.ensureDefaults()
	return o
}

// TestLatencyCountsFromWhenDue has a server that stops once for 300 ms. With four connections a closed
// loop would show four late answers; by the clock, all that were due meanwhile are late.
func TestLatencyCountsFromWhenDue(t *testing.T) {
	const stop = 300 * time.Millisecond
	first := sync.OnceValue(time.Now)
	var stopping atomic.Bool
	p := fake(t, func(ctx *fasthttp.RequestCtx) {
		if since := time.Since(first()); since > stop && since < 2*stop {
			stopping.Store(true)
			time.Sleep(2*stop - since)
		}
		ctx.SetBodyString(acknowledgement)
	})
	phase, err := options().drive(context.Background(), p, makeRequests(100, 2), 500, 1.2)
	if err != nil {
		t.Fatal(err)
	}
	if !stopping.Load() || phase.Requests != 600 || phase.Events != 1200 {
		t.Fatalf("stopped: %v; %+v", stopping.Load(), phase)
	}
	// 150 of 600 were due while the server stood still, and are late by 150 ms on average.
	if phase.P99 < 0.2 || phase.Max < 0.25 {
		t.Errorf("p99 %v s, max %v s", phase.P99, phase.Max)
	}
}

func TestWhatIsNotHeld(t *testing.T) {
	p := fake(t, func(ctx *fasthttp.RequestCtx) {
		time.Sleep(20 * time.Millisecond) // four connections: 200 requests a second
		ctx.SetBodyString(acknowledgement)
	})
	phase, err := options().drive(context.Background(), p, makeRequests(100, 2), 1000, 0.4)
	if err != nil {
		t.Fatal(err)
	}
	if phase.Held || phase.Requests >= 400 || phase.Seconds > 10 {
		t.Errorf("%+v", phase)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		fault  string // in the error
		shed   bool
	}{
		{200, acknowledgement, "", false},
		{200, `{"verdicts":[], "ok":2}`, "", false},
		{200, `{"ok":1,"duplicate":1,"rejected":0,"verdicts":[]}`, "2 events were sent; the answer is 200", false},
		{200, `{"ok":`, "unexpected end", false},
		{429, `{"error":{}}`, "", true},
		{500, `{"error":{"code":"internal"}}`, "the answer is 500", false},
	} {
		p := fake(t, func(ctx *fasthttp.RequestCtx) {
			ctx.SetStatusCode(c.status)
			ctx.SetBodyString(c.body)
		})
		phase, err := options().drive(context.Background(), p, makeRequests(10, 2), 100, 0.05)
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) || phase.Events != 0 {
				t.Errorf("%d %s: %v, %+v", c.status, c.body, err, phase)
			}
		case err != nil || (phase.Shed > 0) != c.shed || (phase.Events > 0) == c.shed:
			t.Errorf("%d %s: %v, %+v", c.status, c.body, err, phase)
		}
	}
}

func TestAnswersInPieces(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	body := strings.Repeat("x", 10_000)
	go func() {
		defer theirs.Close()
		_, _ = theirs.Read(make([]byte, 100))
		for _, piece := range []string{"HTTP/1.1 20", "0 OK\r\nContent-Type: text/plain\r\nContent-Length: 10000\r", "\n\r\n" + body[:5000], body[5000:]} {
			_, _ = theirs.Write([]byte(piece))
		}
	}()
	c := &client{conn: ours, in: incoming{buffer: make([]byte, 16)}}
	a, err := c.send([]byte("GET"))
	if err != nil || a.status != 200 || string(a.body) != body {
		t.Errorf("%d, %d bytes, %v", a.status, len(a.body), err)
	}
	for _, head := range []string{"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n", "SSH-2.0\r\nContent-Length: 1\r\n"} {
		if _, _, err := parseHead([]byte(head)); err == nil {
			t.Errorf("%q is taken for the head of an answer", head)
		}
	}
}

func TestRequestsWithBatchIDs(t *testing.T) {
	r := makeRequests(2, 2)[0]
	var ids []string
	p := fake(t, func(ctx *fasthttp.RequestCtx) {
		ids = append(ids, string(ctx.Request.Header.Peek("Cairn-Batch-Id")))
		if string(ctx.Request.Body()) != string(r.body) {
			t.Errorf("body %q", ctx.Request.Body())
		}
		ctx.SetBodyString(acknowledgement)
	})
	c, err := dial(p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for _, wire := range [][]byte{r.wire, r.withBatchID(nil, 7), r.withBatchID(nil, 8)} {
		if a, err := c.send(wire); err != nil || a.status != 200 {
			t.Fatal(a.status, err)
		}
	}
	if len(ids) != 3 || ids[0] != "" || ids[1] != "7" || ids[2] != "8" {
		t.Errorf("batch ids %q", ids)
	}
}

func TestReport(t *testing.T) {
	phase := Phase{Rate: 31_000, Requests: 62_000, Events: 62_000, Seconds: 2, P50: 0.001, P99: 0.060, P999: 0.07, Max: 0.08, ServerCPU: 1.24, ClientCPU: 0.62, Held: true}
	r := &Report{
		Machine: "a machine", Load: "0.5", Connections: 64, Seconds: 2,
		Bodies: []*BodyReport{{
			Events: 1, Saturation: phase, Held: phase, Half: phase, Verified: 186_000,
			IdleBytes: 40e6, LoadedBytes: 90e6, AfterBytes: 80e6,
		}},
		Queries: []QueryReport{{Name: "count", Rate: 1000, IdleP50: 0.001, IdleP95: 0.002, BusyP50: 0.003, BusyP95: 0.004}},
	}
	text := r.Text()
	for _, want := range []string{
		"31,000 req  31,000 req", "≥ 30,000  ok", "≤ 50 ms  missed", "20.00 µs", "186,000", "≤ 60 MB  ok", "query beside 1,000 events/s", "3     ≤ 2  missed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}
