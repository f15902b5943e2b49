package load

import (
	"context"
	"errors"
	"fmt"
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

const (
	latencyMax    = time.Minute // longer ones count as this long
	latencyDigits = 3
)

// batchID gives every request of this process another number.
var batchID atomic.Int64

// drive sends requests on all connections for so many seconds: rate a second by the clock or, if rate
// is 0, as fast as answers come. It ends with an error if an answer is not what it should be.
func (o *Options) drive(ctx context.Context, p *process, requests []request, rate, seconds float64) (Phase, error) {
	clients := make([]*client, o.Connections)
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.conn.Close()
			}
		}
	}()
	for i := range clients {
		var err error
		if clients[i], err = dial(p.address); err != nil {
			return Phase{}, err
		}
	}
	d := &driver{requests: requests, rate: rate, seconds: seconds, ids: o.IDs, total: int64(rate * seconds)}
	server, own := p.usage(), ownUsage()
	d.start = time.Now()
	// What cannot be held is not waited for.
	d.end = d.start.Add(time.Duration(seconds * float64(time.Second)))
	if rate > 0 {
		d.end = d.start.Add(time.Duration(1.5 * seconds * float64(time.Second)))
	}
	senders := make([]sender, len(clients))
	var wait sync.WaitGroup
	for i := range senders {
		s := &senders[i]
		s.client, s.driver = clients[i], d
		s.latency = hdrhistogram.New(1, latencyMax.Microseconds(), latencyDigits)
		wait.Add(1)
		go func() {
			defer wait.Done()
			if s.err = s.run(ctx); s.err != nil {
				d.stopped.Store(true)
			}
		}()
	}
	wait.Wait()
	phase := Phase{Rate: rate, Seconds: time.Since(d.start).Seconds()}
	used, ownUsed := p.usage().since(server), ownUsage().since(own)
	phase.ServerCPU, phase.ClientCPU, phase.DiskBytes = used.cpu.Seconds(), ownUsed.cpu.Seconds(), used.disk
	latency := senders[0].latency
	err := ctx.Err()
	for i := range senders {
		s := &senders[i]
		phase.Requests, phase.Events, phase.Shed = phase.Requests+s.sent, phase.Events+s.events, phase.Shed+s.shed
		err = errors.Join(err, s.err)
		if i > 0 {
			latency.Merge(s.latency)
		}
	}
	at := func(q float64) float64 { return float64(latency.ValueAtQuantile(q)) / 1e6 }
	phase.P50, phase.P99, phase.P999, phase.Max = at(50), at(99), at(99.9), float64(latency.Max())/1e6
	phase.Held = rate > 0 && phase.Shed == 0 && int64(phase.Requests) == d.total && phase.Seconds <= seconds+max(0.02*seconds, 0.1)
	return phase, err
}

// driver is what the senders of a phase share.
type driver struct {
	requests []request
	rate     float64
	seconds  float64
	ids      bool
	total    int64 // requests of an open loop
	start    time.Time
	end      time.Time
	next     atomic.Int64
	stopped  atomic.Bool
}

// sender has one connection.
type sender struct {
	*client
	*driver
	latency            *hdrhistogram.Histogram
	buffer             []byte
	sent, events, shed int
	err                error
}

func (s *sender) run(ctx context.Context) error {
	for !s.stopped.Load() && ctx.Err() == nil {
		n := s.next.Add(1) - 1
		due := time.Now()
		if s.rate > 0 {
			if n >= s.total {
				return nil
			}
			due = s.start.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
			time.Sleep(time.Until(due))
		}
		if !time.Now().Before(s.end) {
			return nil
		}
		r := &s.requests[n%int64(len(s.requests))]
		wire := r.wire
		if s.ids {
			s.buffer = r.withBatchID(s.buffer, int(batchID.Add(1)))
			wire = s.buffer
		}
		a, err := s.send(wire)
		if err != nil {
			return err
		}
		if err := s.latency.RecordValue(min(time.Since(due), latencyMax).Microseconds()); err != nil {
			return err
		}
		s.sent++
		shed, err := a.stored(r.events)
		switch {
		case err != nil:
			return err
		case shed:
			s.shed++
		default:
			s.events += r.events
		}
	}
	return nil
}
