package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"cairn/bench/workload"
)

// request is one POST /v1/events as it goes over the wire.
type request struct {
	head   []byte // all but what ends it
	body   []byte
	wire   []byte // head, blank line and body
	events int
}

// makeRequests makes requests with so many events a body, of about so many different events.
func makeRequests(events, size int) []request {
	events = max(events, size)
	g := workload.New(workload.Options{Events: events, Days: 1, Start: liveDay})
	requests := make([]request, 0, events/size)
	for range events / size {
		requests = append(requests, makeRequest(g, size))
	}
	return requests
}

func makeRequest(g *workload.Generator, size int) request {
	r := request{events: size}
	for range size {
		r.body = g.Next(r.body)
	}
	r.head = fmt.Appendf(nil, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n", len(r.body))
	r.wire = append(append(append(make([]byte, 0, len(r.head)+2+len(r.body)), r.head...), "\r\n"...), r.body...)
	return r
}

// withBatchID writes the request into buffer with a header that gives its events insert ids.
func (r *request) withBatchID(buffer []byte, id int) []byte {
	buffer = append(append(buffer[:0], r.head...), "Cairn-Batch-Id: "...)
	buffer = append(strconv.AppendInt(buffer, int64(id), 10), "\r\n\r\n"...)
	return append(buffer, r.body...)
}

// batchID gives every request of this process another number.
var batchID atomic.Int64

// drive sends requests on all connections for so many seconds: rate a second by the clock or, if rate
// is 0, as fast as answers come. It ends with an error if an answer is not what it should be, or ctx ends; the phase
// then tells of what was before.
func (o *Options) drive(ctx context.Context, p *process, requests []request, rate, seconds float64) (Phase, error) {
	return o.driveBy(ctx, (*driver).send, p, requests, rate, seconds)
}

// driveBy is drive with a way to send.
func (o *Options) driveBy(ctx context.Context, send sending, p *process, requests []request, rate, seconds float64) (Phase, error) {
	conns := make([]net.Conn, o.Connections)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close() // or it is closed already
			}
		}
	}()
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", p.address); err != nil {
			return Phase{}, err
		}
	}
	d := &driver{requests: requests, rate: rate, ids: o.IDs, total: math.MaxInt64}
	server, own := p.usage(), ownUsage()
	d.start = time.Now()
	d.end = d.start.Add(time.Duration(seconds * float64(time.Second)))
	if rate > 0 {
		d.total = int64(rate * seconds)
		// What cannot be held is not waited for.
		d.end = d.start.Add(time.Duration(1.5 * seconds * float64(time.Second)))
	}
	t, err := send(d, ctx, conns)
	if t == nil {
		return Phase{}, err
	}
	phase := Phase{Rate: rate, Seconds: time.Since(d.start).Seconds(), Requests: t.sent, Events: t.events, Shed: t.shed}
	used, ownUsed := p.usage().since(server), ownUsage().since(own)
	phase.ServerCPU, phase.ClientCPU, phase.DiskBytes = used.cpu.Seconds(), ownUsed.cpu.Seconds(), used.disk
	at := func(q float64) float64 { return float64(t.latency.ValueAtQuantile(q)) / 1e6 }
	phase.P50, phase.P99, phase.P999, phase.Max = at(50), at(99), at(99.9), float64(t.latency.Max())/1e6
	phase.Held = rate > 0 && phase.Shed == 0 && int64(phase.Requests) == d.total && phase.Seconds <= seconds+max(0.02*seconds, 0.1)
	return phase, errors.Join(ctx.Err(), err)
}

// driver says what is sent when.
type driver struct {
	requests []request
	rate     float64 // 0: when the answer to the last has come
	ids      bool
	total    int64 // requests
	start    time.Time
	end      time.Time // nothing is sent from then on
	next     atomic.Int64
}

// sending sends a driver's requests on connections, each of which has one on its way at a time. It has taken the
// answers to all that it has sent when it returns without error.
type sending func(d *driver, ctx context.Context, conns []net.Conn) (*tally, error)

// take returns the number of the next request, and when it is due; ok is false if there are no more.
func (d *driver) take(now time.Time) (n int64, due time.Time, ok bool) {
	n = d.next.Add(1) - 1
	if d.rate == 0 {
		return n, now, now.Before(d.end)
	}
	return n, d.start.Add(time.Duration(float64(n) / d.rate * float64(time.Second))), n < d.total && now.Before(d.end)
}

// request returns a request by its number and the bytes to send, for which buffer's memory may be used.
func (d *driver) request(n int64, buffer *[]byte) (r *request, wire []byte) {
	r = &d.requests[n%int64(len(d.requests))]
	if !d.ids {
		return r, r.wire
	}
	*buffer = r.withBatchID(*buffer, int(batchID.Add(1)))
	return r, *buffer
}

// tally is what became of requests.
type tally struct {
	latency            *hdrhistogram.Histogram // in µs
	sent, events, shed int
}

const (
	latencyMax    = time.Minute // longer ones count as this long
	latencyDigits = 3
)

func newTally() *tally {
	return &tally{latency: hdrhistogram.New(1, latencyMax.Microseconds(), latencyDigits)}
}

// add counts the answer to a request of so many events.
func (t *tally) add(a answer, events int, latency time.Duration) error {
	if err := t.latency.RecordValue(min(latency, latencyMax).Microseconds()); err != nil {
		return err
	}
	t.sent++
	shed, err := a.stored(events)
	switch {
	case err != nil:
		return err
	case shed:
		t.shed++
	default:
		t.events += events
	}
	return nil
}

// merge adds what another has counted.
func (t *tally) merge(other *tally) {
	t.latency.Merge(other.latency)
	t.sent, t.events, t.shed = t.sent+other.sent, t.events+other.events, t.shed+other.shed
}

// sendByGoroutines has a goroutine for every connection. It runs everywhere.
func (d *driver) sendByGoroutines(ctx context.Context, conns []net.Conn) (*tally, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	tallies := make([]*tally, len(conns))
	var wait sync.WaitGroup
	for i, conn := range conns {
		tallies[i] = newTally()
		wait.Go(func() {
			if err := d.converse(ctx, &client{conn: conn}, tallies[i]); err != nil {
				stop(err)
			}
		})
	}
	wait.Wait()
	for _, t := range tallies[1:] {
		tallies[0].merge(t)
	}
	return tallies[0], context.Cause(ctx)
}

// converse sends what is due on one connection.
func (d *driver) converse(ctx context.Context, c *client, t *tally) error {
	var buffer []byte
	for ctx.Err() == nil {
		n, due, ok := d.take(time.Now())
		if !ok {
			return nil
		}
		time.Sleep(time.Until(due))
		if !time.Now().Before(d.end) {
			return nil
		}
		r, wire := d.request(n, &buffer)
		a, err := c.send(wire)
		if err != nil {
			return err
		}
		if err := t.add(a, r.events, time.Since(due)); err != nil {
			return err
		}
	}
	return nil
}
