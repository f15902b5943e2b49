package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

const acknowledgement = `{"ok":2,"duplicate":0,"rejected":0,"watermark":"0:1","verdicts":[]}` + "\n"

// fake serves a handler in this process.
// idle is for how long a connection may be idle; any time without it.
func fake(t *testing.T, handler fasthttp.RequestHandler, idle ...time.Duration) *process {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler, CloseOnShutdown: true}
	for _, d := range idle {
		s.ReadTimeout, s.IdleTimeout = d, d
	}
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

// waysToSend are those of this system and of all others.
var waysToSend = map[string]sending{"polling": (*driver).send, "goroutines": (*driver).sendByGoroutines}

func options() *Options {
	o := &Options{Connections: 4}
	o.ensureDefaults()
	return o
}

// TestLatencyCountsFromWhenDue has a server that stops once for 300 ms. With four connections a closed
// loop would show four late answers; by the clock, all that were due meanwhile are late.
func TestLatencyCountsFromWhenDue(t *testing.T) {
	for name, send := range waysToSend {
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
		phase, err := options().driveBy(t.Context(), send, p, makeSupply(100, 2), 500, 1.2)
		if err != nil {
			t.Fatal(err)
		}
		if !stopping.Load() || phase.Requests != 600 || phase.Events != 1200 {
			t.Fatalf("%s: stopped: %v; %+v", name, stopping.Load(), phase)
		}
		// 150 of 600 were due while the server stood still, and are late by 150 ms on average.
		if phase.P99 < 0.2 || phase.Max < 0.25 || phase.P50 > 0.1 {
			t.Errorf("%s: p50 %v s, p99 %v s, max %v s", name, phase.P50, phase.P99, phase.Max)
		}
	}
}

// TestClosedLoop sends as fast as answers come: a request's time begins when it is sent.
func TestClosedLoop(t *testing.T) {
	const takes = 20 * time.Millisecond
	p := fake(t, func(ctx *fasthttp.RequestCtx) {
		time.Sleep(takes)
		ctx.SetBodyString(acknowledgement)
	})
	for name, send := range waysToSend {
		phase, err := options().driveBy(t.Context(), send, p, makeSupply(100, 2), 0, 0.6)
		if err != nil {
			t.Fatal(err)
		}
		if phase.P50 < takes.Seconds() || phase.P50 > 1.7*takes.Seconds() {
			t.Errorf("%s: p50 %v s of a server that takes %v", name, phase.P50, takes)
		}
	}
}

// TestIdleConnections has a server that closes connections that are idle for a while: all are used in turn.
func TestIdleConnections(t *testing.T) {
	for name, send := range waysToSend {
		p := fake(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(acknowledgement) }, 500*time.Millisecond)
		phase, err := options().driveBy(t.Context(), send, p, makeSupply(100, 2), 100, 2)
		if err != nil || phase.Requests != 200 {
			t.Errorf("%s: %v, %+v", name, err, phase)
		}
	}
}

func TestWhatIsNotHeld(t *testing.T) {
	for name, send := range waysToSend {
		p := fake(t, func(ctx *fasthttp.RequestCtx) {
			time.Sleep(20 * time.Millisecond) // four connections: 200 requests a second
			ctx.SetBodyString(acknowledgement)
		})
		phase, err := options().driveBy(t.Context(), send, p, makeSupply(100, 2), 1000, 0.4)
		if err != nil {
			t.Fatal(err)
		}
		if phase.Held || phase.Requests >= 400 || phase.Requests < 20 || phase.Seconds > 10 {
			t.Errorf("%s: %+v", name, phase)
		}
	}
}

// TestCalledOff ends a load before its time: what was sent until then is told.
func TestCalledOff(t *testing.T) {
	for name, send := range waysToSend {
		p := fake(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(acknowledgement) })
		requests := makeSupply(100, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		phase, err := options().driveBy(ctx, send, p, requests, 1000, 1e6)
		if !errors.Is(err, context.DeadlineExceeded) || phase.Requests < 10 || phase.Requests > 400 || phase.Seconds > 10 {
			t.Errorf("%s: %v, %+v", name, err, phase)
		}
	}
}

// TestCalledOffBetweenRequests ends a load that has nothing to send for a while.
func TestCalledOffBetweenRequests(t *testing.T) {
	for name, send := range waysToSend {
		p := fake(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(acknowledgement) })
		requests := makeSupply(100, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		phase, err := options().driveBy(ctx, send, p, requests, 0.2, 1e6)
		if !errors.Is(err, context.DeadlineExceeded) || phase.Requests != 1 || phase.Seconds > 4 {
			t.Errorf("%s: %v, %+v", name, err, phase)
		}
	}
}

// TestNoAnswer calls off the load of a server that takes requests and never answers.
func TestNoAnswer(t *testing.T) {
	for name, send := range waysToSend {
		release := make(chan bool)
		p := fake(t, func(*fasthttp.RequestCtx) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		o := options()
		o.answerPatience = 100 * time.Millisecond
		done := make(chan error, 1)
		go func() {
			_, err := o.driveBy(ctx, send, p, makeSupply(100, 2), 1000, 1e6)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it still waits", name)
		}
		close(release)
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
		{200, `{"verdicts":[{"message":"` + strings.Repeat("long ", 4000) + `"}],"ok":2}`, "", false},
		{429, `{"error":{}}`, "", true},
		{500, `{"error":{"code":"internal"}}`, "the answer is 500", false},
	} {
		p := fake(t, func(ctx *fasthttp.RequestCtx) {
			ctx.SetStatusCode(c.status)
			ctx.SetBodyString(c.body)
		})
		for name, send := range waysToSend {
			phase, err := options().driveBy(t.Context(), send, p, makeSupply(10, 2), 100, 0.5)
			switch {
			case c.fault != "":
				if err == nil || !strings.Contains(err.Error(), c.fault) || phase.Events != 0 {
					t.Errorf("%s, %d %.60s: %v, %+v", name, c.status, c.body, err, phase)
				}
			case err != nil || (phase.Shed > 0) != c.shed || (phase.Events > 0) == c.shed:
				t.Errorf("%s, %d %.60s: %v, %+v", name, c.status, c.body, err, phase)
			}
		}
	}
}

// TestLongRequests has a server that takes requests in small pieces, answers before it has all of them, and in the
// end hangs up.
func TestLongRequests(t *testing.T) {
	for name, send := range waysToSend {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		const requests = 12 // of all connections
		const long = 30_000 // events: more bytes than the system buffers
		var served atomic.Int64
		var serving sync.WaitGroup
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
				serving.Go(func() {
					defer conn.Close()
					in := bufio.NewReaderSize(conn, 512)
					for {
						r, err := http.ReadRequest(in)
						if err != nil || served.Add(1) > requests {
							return
						}
						answer := strings.Replace(acknowledgement, `"ok":2`, fmt.Sprintf(`"ok":%d`, long), 1)
						_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
						// When one connection is at its end, the others are ended too.
						if n, err := io.Copy(io.Discard, r.Body); (err != nil || n != r.ContentLength) && served.Load() <= requests {
							t.Errorf("%s: %d bytes of %d, %v", name, n, r.ContentLength, err)
						}
					}
				})
			}
		}()
		p := &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}, address: ln.Addr().String()}
		phase, err := options().driveBy(t.Context(), send, p, makeSupply(2*long, long), 0, 30)
		serving.Wait()
		if err == nil || phase.Events != long*phase.Requests || phase.Requests < requests-4 || phase.Requests > requests {
			t.Errorf("%s: %v, %+v", name, err, phase)
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

func TestSupply(t *testing.T) {
	s := makeSupply(4, 2)
	var first [2][]string
	for n := range 300 {
		ids := n%2 == 1
		wire, events := s.next(nil, ids)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
		if err != nil || events != 2 {
			t.Fatal(err, events)
		}
		if id := r.Header.Get("Cairn-Batch-Id"); (id != "") != ids {
			t.Errorf("request %d has the id %q", n, id)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.TrimSpace(string(body)), "\n")
		if len(lines) != 2 {
			t.Fatalf("%q", body)
		}
		if n < 2 {
			first[n] = lines
		}
		for i, line := range lines {
			var now, before struct{ Time time.Time }
			original := first[n%2][i]
			if err := errors.Join(json.Unmarshal([]byte(line), &now), json.Unmarshal([]byte(original), &before)); err != nil {
				t.Fatal(err)
			}
			midnight := before.Time.Truncate(24 * time.Hour)
			want := midnight.Add((before.Time.Sub(midnight) + time.Duration(n/2)*lapMillis*time.Millisecond) % (24 * time.Hour))
			if !now.Time.Equal(want) {
				t.Fatalf("lap %d: %v, want %v", n/2, now.Time, want)
			}
			const end = len(clockPrefix) + len("15:04:05.000")
			if line[:len(clockPrefix)] != original[:len(clockPrefix)] || line[end:] != original[end:] {
				t.Fatalf("more than the time has changed:\n%s%s", original, line)
			}
		}
	}
}

func TestQueryRates(t *testing.T) {
	for _, c := range []struct {
		size int
		half float64
		want []float64
	}{
		{1000, 300, []float64{200, 300}}, // more than half of the target is held
		{1000, 150, []float64{150}},
		{100, 2500, []float64{2000, 2500}},
	} {
		if got := queryRates(c.size, c.half); !slices.Equal(got, c.want) {
			t.Errorf("bodies of %d, half %v: %v, want %v", c.size, c.half, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	phase := Phase{Rate: 31_000, Requests: 62_000, Events: 62_000, Seconds: 2, P50: 0.001, P99: 0.060, P999: 0.07, Max: 0.08, ServerCPU: 1.24, ClientCPU: 0.62, Held: true}
	r := &Report{
		Machine: "a machine", Load: "0.5", Connections: 64, Seconds: 2,
		Bodies: []*BodyReport{{
			Events: 1, Bare: Phase{Requests: 100_000, Seconds: 2}, Saturation: phase, Held: phase, Half: phase, Verified: 186_000,
			IdleBytes: 40e6, LoadedBytes: 90e6, AfterBytes: 80e6,
		}},
		Queries: []QueryReport{
			{Name: "count", Asked: 1000, Rate: 999, IdleP50: 0.001, IdleP95: 0.002, BusyP50: 0.003, BusyP95: 0.004},
			{Name: "funnel", Asked: 1000, Rate: 999, IdleP50: 0.001, IdleP95: 0.002, BusyP50: 0.001, BusyP95: 0.004},
			{Name: "count", Asked: 1500, Rate: 1499, IdleP50: 0.001, IdleP95: 0.002, BusyP50: 0.0045, BusyP95: 0.005},
		},
	}
	text := r.Text()
	for _, want := range []string{
		"50,000 req  31,000 req  31,000 req", "≥ 30,000  ok", "≤ 50 ms  missed", "20.00 µs", "186,000", "≤ 60 MB  ok", "query beside 999 events/s (of 1,000)", "3     ≤ 2  missed", "1     ≤ 2      ok",
		"query beside 1,499 events/s (of 1,500)", "5 ms         4.5",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}
